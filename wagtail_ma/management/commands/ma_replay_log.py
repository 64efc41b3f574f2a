"""``manage.py ma_replay_log FILE``: visits and page views from a web server's access log."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from wagtail.models import Site

from wagtail_ma.conf import conf
from wagtail_ma.jobs import queue
from wagtail_ma.tracking import replay, retention, rollups
from wagtail_ma.tracking.log_files import BadLog
from wagtail_ma.tracking.writing import Busy

WIDTH = 40
# Addresses below these are no pages of visitors.
OWN_VIEWS = ("wagtailadmin_home", "admin:index", "wagtail_ma:hit")
# Days counted at a time afterwards.
DAYS = 31


class Command(BaseCommand):
    help = (
        "Reads an access log (combined format, with or without the name of the virtual host, also "
        "gzip-compressed) and records its page views. Addresses are hashed and never stored. A log that "
        "was read before is read on where the last run stopped; nothing is recorded twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--host",
            help="Name under which the site is visited, if it is not the one in Wagtail's settings. Lines "
            "that name another virtual host are left out.",
        )
        parser.add_argument(
            "--site", type=int, metavar="ID", help="Which of Wagtail's sites; default: the one with the host."
        )
        parser.add_argument(
            "--from-start",
            action="store_true",
            help="Read all lines, also those that were read before.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if conf.CONSENT == "opt_in":
            raise CommandError(
                "CONSENT is “opt_in”, and nobody in a log has consented to being recognised: not replayed."
            )
        now = timezone.now()
        origin = _origin(options["host"], options["site"])
        self._is_bar_open = False
        try:
            tally = replay.replay(
                options["file"],
                origin,
                now=now,
                from_start=options["from_start"],
                progress=self._progress,
            )
        except (BadLog, Busy) as error:
            self._close_bar()
            raise CommandError(
                f"{error}. What was read before is recorded; run it again to go on."
            ) from error
        except KeyboardInterrupt:
            self._close_bar()
            raise CommandError("Stopped. Run it again to go on.") from None
        self._close_bar()
        self._report(tally)
        if tally.views:
            self._finish(tally, now=now)

    def _report(self, tally: replay.Tally) -> None:
        self.stdout.write(f"Lines read: {tally.lines:,}")
        self.stdout.write(f"Page views recorded: {tally.views:,}")
        if tally.repeated:
            self.stdout.write(f"Recorded before, or twice in one second: {tally.repeated:,}")
        for reason in replay.REASONS:
            if tally.skipped[reason]:
                self.stdout.write(f"Left out, {reason}: {tally.skipped[reason]:,}")

    def _finish(self, tally: replay.Tally, *, now: Any) -> None:
        """Daily totals at once (there may be years of them); scores and segments in the background."""
        queue.wake()
        if tally.oldest and tally.oldest < retention.cutoff(now=now):
            self.stdout.write(
                f"Views older than {conf.RETENTION_MONTHS} months will be deleted by the background "
                "work; their daily totals stay (RETENTION_MONTHS)."
            )
        while rollups.roll_up(now=now, limit=DAYS):
            pass

    def _progress(self, done: int, total: int) -> None:
        share = min(done / total, 1) if total else 1
        if self.stdout.isatty():
            bar = "#" * round(share * WIDTH)
            self.stdout.write(f"\r  [{bar:-<{WIDTH}}] {share:4.0%}", ending="")
            self.stdout.flush()
            self._is_bar_open = True
        else:
            self.stdout.write(f"  {share:4.0%}")

    def _close_bar(self) -> None:
        if self._is_bar_open:
            self.stdout.write("")
            self._is_bar_open = False


def _origin(host: str | None, site_id: int | None) -> replay.Origin:
    name = (host or "").strip().lower()
    if any(character in name for character in "/: "):
        raise CommandError("--host takes a name without scheme, port and path.")
    sites = Site.objects.select_related("root_page__locale")
    if site_id is not None:
        site = sites.filter(pk=site_id).first()
        if site is None:
            raise CommandError(f"There is no site with the id {site_id}.")
    else:
        site = sites.filter(hostname=name).first() or sites.filter(is_default_site=True).first()
        if site is None:
            raise CommandError("There is no default site; say which one with --site.")
    is_any_host = not name and Site.objects.count() == 1
    return replay.Origin(site, name or site.hostname.lower(), is_any_host, _own_paths())


def _own_paths() -> list[str]:
    found = []
    for view in OWN_VIEWS:
        try:
            path = reverse(view)
        except NoReverseMatch:
            continue
        # Ours is the folder in which the address is.
        found.append(path.removesuffix("e/") if view == "wagtail_ma:hit" else path)
    # Never everything.
    return [path for path in found if path not in ("", "/")]
