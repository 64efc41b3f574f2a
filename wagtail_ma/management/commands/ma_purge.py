"""``manage.py ma_purge``: delete recorded facts that are older than the retention time, now."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from wagtail_ma.conf import conf
from wagtail_ma.scoring.carry import carry_forward
from wagtail_ma.tracking import retention, rollups

WIDTH = 40


class Command(BaseCommand):
    help = (
        "Deletes visits, page views and activities that are older than RETENTION_MONTHS. The "
        "background work does the same little by little; daily totals and scores stay."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        # Nothing goes before it is in the daily totals.
        while rollups.roll_up(now=now, limit=30, progress=self._counted):
            pass
        before = retention.cutoff(now=now)
        self.stdout.write(f"Keeping {conf.RETENTION_MONTHS} months: since {before:%Y-%m-%d}.")
        deleted = retention.purge(now=now, carry=partial(carry_forward, now=now), progress=self._progress)
        if self.stdout.isatty():
            self.stdout.write("")
        self.stdout.write(f"Deleted rows: {deleted}")

    def _counted(self, day: Any) -> None:
        self.stdout.write(f"Counted {day:%Y-%m-%d}")

    def _progress(self, done: int, total: int) -> None:
        share = done / total if total else 1
        if self.stdout.isatty():
            bar = "#" * round(share * WIDTH)
            self.stdout.write(f"\r  [{bar:-<{WIDTH}}] {share:4.0%}", ending="")
            self.stdout.flush()
        else:
            self.stdout.write(f"  {done} of {total}")
