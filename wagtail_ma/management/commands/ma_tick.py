"""``manage.py ma_tick``: one round of background work, for sites without django-q2's cluster."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections

from wagtail_ma.jobs.tick import tick


class Command(BaseCommand):
    help = (
        "Does the background work that is due: scores, segments, scenario steps, mails. Run it each "
        "minute from cron, or once with --loop."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--loop",
            type=float,
            metavar="SECONDS",
            help="Work for ever, with a pause of so many seconds between the rounds.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        pause = options["loop"]
        if pause is None:
            self._round(options["verbosity"])
            return
        if pause <= 0:
            raise CommandError("--loop needs a pause of more than 0 seconds.")
        try:
            while True:
                self._round_or_rest(options["verbosity"] - 1)
                close_old_connections()
                time.sleep(pause)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")

    def _round_or_rest(self, verbosity: int) -> None:
        """A database that is away for a moment does not end the loop."""
        try:
            self._round(verbosity)
        except DatabaseError as error:
            self.stderr.write(f"The database does not answer; trying again: {error}")

    def _round(self, verbosity: int) -> None:
        done = tick()
        if verbosity > 0:
            self.stdout.write("Done." if done else "Another process is doing it now.")
