"""``manage.py ma_rescore``: all scores again from the facts."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from wagtail_ma.scoring.rescore import rescore


class Command(BaseCommand):
    """Online: lists show the old scores until all new ones are there. Goes on where it stopped."""

    help = "Computes all scores again from the recorded facts, under the scoring rules as they are now."

    def handle(self, *args: Any, **options: Any) -> None:
        def progress(done: int, total: int) -> None:
            share = 100 * done // total if total else 100
            self.stdout.write(f"\r{share:3d} %  {done} / {total}", ending="")
            self.stdout.flush()

        count = rescore(now=timezone.now(), progress=progress)
        self.stdout.write("")
        self.stdout.write(self.style.SUCCESS(f"{count} visitors scored."))
