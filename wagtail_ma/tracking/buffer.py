"""Messages gathered in the web process and written some hundred at a time (``RECORDING = "buffered"``).

A thread of its own writes them a moment later, and what is left when the process ends in an orderly
way. A process that is killed loses what it gathered in that moment: the next message of a view that
was lost makes the view again.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence

from django.db import close_old_connections

from wagtail_ma.tracking import batch
from wagtail_ma.tracking.hits import Heard
from wagtail_ma.tracking.writing import Busy

logger = logging.getLogger(__name__)

# Written when this has passed since the first one (seconds), or when there are so many.
PAUSE_SECONDS = 0.3
FLUSH_AT = 500
# With so many waiting, because the database is away, browsers are told to send again later.
MAX_WAITING = 10_000
# After the database was busy (seconds).
BUSY_PAUSE_SECONDS = 1
# Looks at the end of the process whether the database is back.
LAST_ATTEMPTS = 3

Write = Callable[[Sequence[Heard]], None]


class Buffer:
    """What one process has gathered. Thread-safe; a forked child begins with an empty one.

    :param write: writes a batch; raises Busy when it may be given again.
    :param has_thread: False leaves it to the caller to flush.
    """

    def __init__(self, write: Write = batch.write_all, *, has_thread: bool = True) -> None:
        self._write = write
        self._has_thread = has_thread
        self.forget()

    def forget(self) -> None:
        """Begin anew: in a forked child, what is here is the parent's to write."""
        self._waiting: list[Heard] = []
        self._changed = threading.Condition()
        # Held while a batch is being written: two at once would write out of order.
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, heard: Heard) -> None:
        """Keep a message until the next flush.

        :raises Busy: too many are waiting already.
        """
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                raise Busy("too many hits wait for the database")
            self._waiting.append(heard)
            if len(self._waiting) in (1, FLUSH_AT):
                self._changed.notify()
            if self._thread is None and self._has_thread:
                self._start()

    def flush(self) -> int:
        """Write what is waiting, in batches; how many messages that were.

        :raises Busy: the database cannot write now; the rest is still waiting.
        """
        done = 0
        with self._writing:
            while some := self._waiting[:FLUSH_AT]:
                self._write(some)
                with self._changed:
                    del self._waiting[: len(some)]
                done += len(some)
        return done

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="wagtail_ma hits", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                self._changed.wait_for(lambda: len(self._waiting) >= FLUSH_AT, timeout=PAUSE_SECONDS)
            try:
                close_old_connections()
                self.flush()
            except Busy:
                close_old_connections()
                time.sleep(BUSY_PAUSE_SECONDS)
            except Exception:
                # Not by a message (those are tried one by one): by a fault of ours.
                logger.exception("gathered hits could not be written")
                time.sleep(BUSY_PAUSE_SECONDS)

    def finish(self) -> None:
        """Write what is left at the end of the process."""
        for attempt in range(LAST_ATTEMPTS):
            try:
                self.flush()
                return
            except Busy:
                if attempt < LAST_ATTEMPTS - 1:
                    time.sleep(BUSY_PAUSE_SECONDS)
            except Exception:
                logger.exception("gathered hits could not be written")
                break
        logger.error("%d hits are lost: the process ends and the database is away", len(self._waiting))


buffer = Buffer()
# Servers end their workers by SIGTERM, which they turn into an orderly exit.
atexit.register(buffer.finish)
os.register_at_fork(after_in_child=buffer.forget)
