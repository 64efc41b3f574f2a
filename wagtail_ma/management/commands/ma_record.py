"""``manage.py ma_record``: writes the hits that web processes have handed to Redis."""

from __future__ import annotations

import signal
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from wagtail_ma.conf import conf
from wagtail_ma.tracking.stream import Writer
from wagtail_ma.tracking.writing import Busy

# How long one look waits for hits (milliseconds), and a rest when something is away (seconds).
WAIT_MS = 1_000
REST_SECONDS = 1


class Command(BaseCommand):
    help = (
        "Writes the hits that web processes have handed to Redis (RECORDING = 'redis'). The background "
        "work does so too, every minute; run this with --loop, on one host or several, to have it done "
        "at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="Wait for more until stopped.")

    def handle(self, *args: Any, **options: Any) -> None:
        if conf.RECORDING != "redis":
            raise CommandError("WAGTAIL_MA['RECORDING'] is not 'redis': there is nothing to be read.")
        signal.signal(signal.SIGTERM, _stop)
        done = 0
        writer: Writer | None = None
        try:
            while True:
                try:
                    writer = writer or Writer()
                    some = writer.work(wait_ms=WAIT_MS if options["loop"] else 0)
                except Busy as error:
                    some = self._rest(f"The database does not write: {error}", options["loop"])
                except _redis_error() as error:
                    writer, some = None, self._rest(f"Redis does not answer: {error}", options["loop"])
                done += some
                if not some and not options["loop"]:
                    break
        except KeyboardInterrupt:
            pass
        if writer:
            writer.leave()
        if options["verbosity"] > 0:
            self.stdout.write(f"{done} hits written.")

    def _rest(self, reason: str, is_loop: bool) -> int:
        if not is_loop:
            raise CommandError(reason)
        self.stderr.write(f"{reason}; trying again.")
        close_old_connections()
        time.sleep(REST_SECONDS)
        return 0


def _stop(*args: Any) -> None:
    raise KeyboardInterrupt


def _redis_error() -> type[Exception]:
    import redis

    return redis.RedisError
