"""``manage.py ma_send_loop``: a process that does nothing but send mail."""

from __future__ import annotations

import logging
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone

from wagtail_ma.messaging import dispatches, sending

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Sends what is due, again and again, until it is told to stop (SIGTERM, Ctrl-C): then what is
    being handed over is finished, and nothing new is begun. Any number of them may run beside each
    other and beside the background work."""

    help = "Send mail without pause, beside or instead of the background work's own sending."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="Send what is due now, then end.")
        parser.add_argument("--pause", type=float, default=2.0, help="Seconds between two looks (2).")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        total = 0
        while not stop.is_set():
            try:
                done = self._send(stop)
            except (DatabaseError, InterfaceError):
                if options["once"]:
                    raise
                # It restarts, or is busy for long. What was in the middle of being sent is unknown.
                logger.exception("the database could not be reached; trying again")
                done = 0
            total += done
            if done and options["verbosity"]:
                self.stdout.write(f"{timezone.localtime():%H:%M:%S} {done} settled, {total} in all")
            if done:
                continue
            if options["once"]:
                break
            stop.wait(options["pause"])
        self.stdout.write(f"{total} settled")

    def _send(self, stop: threading.Event) -> int:
        close_old_connections()
        now = timezone.now()
        dispatches.advance(now=now)
        return sending.drain(now=now, limit=10_000, should_stop=stop.is_set)
