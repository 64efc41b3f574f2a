"""``manage.py ma_demo``: the example site with six weeks of simulated visitors."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from company.load import load_admin, load_site
from company.marketing import load_marketing, pages_by_path
from company.personalise import place_blocks
from company.simulation.acts import find_spots
from company.simulation.cast import cast
from company.simulation.characters import draw
from company.simulation.clock import Clock, plan
from company.simulation.mailbox import Mailbox
from wagtail_ma.people.models import Visitor

DAYS = 44
VISITORS = 2_000


def make_tables() -> None:
    """What "migrate" does; those of Wagtail and Django first: while our tables, which refer to them, are
    not there yet, each of their migrations is quicker."""
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes()
    executor.migrate([leaf for leaf in leaves if leaf[0] not in ("wagtail_ma", "company")])
    call_command("migrate", verbosity=0)


class Command(BaseCommand):
    """Loads the site, sets up marketing, and replays visitors through the flow."""

    help = "Load the example site and six weeks of simulated visitors (once)."
    # Of the replay, as far as was said.
    _tenths = 0

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--visitors", type=int, default=VISITORS, help="how many (default 2000)")
        parser.add_argument("--days", type=int, default=DAYS, help="how many days (default 44)")
        parser.add_argument("--migrate", action="store_true", help="make the tables first")

    def handle(self, *args: Any, visitors: int, days: int, migrate: bool, **options: Any) -> None:
        if migrate:
            self.stdout.write("Tables ...")
            make_tables()
        end = timezone.now()
        start = end - timedelta(days=days)
        load_site(say=self.stdout.write)
        load_admin()
        load_marketing(now=start, say=self.stdout.write)
        place_blocks()
        if Visitor.objects.exists():
            self.stdout.write("Visitors are already there; nothing is replayed.")
            return
        if connection.vendor == "sqlite":
            # A crash now costs only a repeat of the replay; waiting for the disk would cost minutes.
            connection.cursor().execute("PRAGMA synchronous=OFF")
        # Whoever finds this later knows that a replay was cut short (scripts/demo.py begins afresh).
        unfinished = settings.VAR / "unfinished"
        unfinished.touch()
        self._replay(visitors, days, start, end)
        unfinished.unlink()

    def _replay(self, visitors: int, days: int, start: datetime, end: datetime) -> None:
        self.stdout.write(f"{visitors} visitors in {days} days, through the same door as real ones ...")
        spots = find_spots(pages_by_path())
        clock = Clock(start, end)
        mailbox = Mailbox(clock)
        for person in [*draw(visitors, days), *cast(days)]:
            mailbox.know(plan(clock, person, spots))
        clock.run(mailbox.read, self._progress)
        self.stdout.write("")

    def _progress(self, share: float, when: datetime) -> None:
        width = 40
        done = round(share * width)
        bar = "#" * done + "-" * (width - done)
        local = timezone.localtime(when)
        if sys.stdout.isatty():
            self.stdout.write(f"\r  [{bar}] {share:4.0%}  {local:%Y-%m-%d}", ending="")
        elif int(share * 10) > self._tenths:
            self._tenths = int(share * 10)
            self.stdout.write(f"  {share:4.0%}  {local:%Y-%m-%d}")
        self.stdout.flush()
