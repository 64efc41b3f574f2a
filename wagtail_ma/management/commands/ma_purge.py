"""``manage.py ma_purge``: delete what is older than the retention times, now."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from wagtail_ma.conf import conf
from wagtail_ma.people import retention as retention_of_leads
from wagtail_ma.people import strangers
from wagtail_ma.scoring.carry import carry_forward
from wagtail_ma.tracking import retention, rollups

WIDTH = 40
# Of a dry run; with --verbosity 2 all.
SHOWN = 20


class Command(BaseCommand):
    help = (
        "Deletes visits, page views and activities that are older than RETENTION_MONTHS, forgets strangers "
        "of whom nothing else is left, and erases leads without a sign of life for LEAD_RETENTION_MONTHS. "
        "The background work does the same little by little; daily totals and scores of others stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only tell what would be deleted.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["dry_run"]:
            self._tell(now, everybody=options["verbosity"] > 1)
            return
        # Nothing goes before it is in the daily totals.
        while rollups.roll_up(now=now, limit=30, progress=self._counted):
            pass
        before = retention.cutoff(now=now)
        self.stdout.write(f"Keeping {conf.RETENTION_MONTHS} months: since {before:%Y-%m-%d}.")
        deleted = retention.purge(now=now, carry=partial(carry_forward, now=now), progress=self._progress)
        self._end_bar()
        self.stdout.write(f"Deleted rows: {deleted}")
        forgotten = strangers.purge(now=now, progress=self._progress)
        self._end_bar()
        self.stdout.write(f"Forgotten strangers: {forgotten}")
        if conf.LEAD_RETENTION_MONTHS:
            erased = retention_of_leads.purge(now=now, progress=self._progress)
            self._end_bar()
            self.stdout.write(f"Erased leads: {erased}")

    def _tell(self, now: datetime, *, everybody: bool) -> None:
        before = retention.cutoff(now=now)
        self.stdout.write(f"Keeping {conf.RETENTION_MONTHS} months: since {before:%Y-%m-%d}.")
        self.stdout.write(f"Visits that would be deleted: {retention.count_due(now=now)}")
        self.stdout.write(f"Strangers that would be forgotten: {strangers.due(now=now).count()}")
        last = retention_of_leads.cutoff(now=now)
        if last is None:
            self.stdout.write("Leads are kept for ever (LEAD_RETENTION_MONTHS is 0).")
            return
        due = retention_of_leads.inactive(now=now)
        count = due.count()
        self.stdout.write(f"Leads without a sign of life since {last:%Y-%m-%d}, to be erased: {count}")
        for pk, at in due.values_list("pk", "created_at")[: None if everybody else SHOWN]:
            # No names: the terminal may be recorded.
            self.stdout.write(f"  lead {pk}, known since {at:%Y-%m-%d}")
        if count > SHOWN and not everybody:
            self.stdout.write(f"  … and {count - SHOWN} more (--verbosity 2 lists all)")

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

    def _end_bar(self) -> None:
        if self.stdout.isatty():
            self.stdout.write("")
