"""The wake-up call: the only module that knows django-q2.

django-q2 may lose a task or run it twice; our tasks take no arguments and are safe to repeat, so
neither matters. Without django-q2 (or with its cluster down) ``manage.py ma_tick`` from cron does
the same work.
"""

from __future__ import annotations

import logging
import threading
import time

from django.apps import apps
from django.db import DatabaseError, transaction

from wagtail_ma.jobs.tick import tick
from wagtail_ma.tracking.writing import Busy, write_facts

logger = logging.getLogger(__name__)

# A web process sends at most one wake-up in this time.
PAUSE_SECONDS = 4
# The woken task looks for news at least this long: longer than the pause plus the queue's poll.
LINGER_SECONDS = 8

_last_wake = 0.0
_is_scheduled = False
_lock = threading.Lock()


def wake() -> None:
    """Say that there is news. Cheap, never raises; most calls do nothing (coalesced)."""
    global _last_wake
    with _lock:
        if time.monotonic() - _last_wake < PAUSE_SECONDS:
            return
        _last_wake = time.monotonic()
    if apps.is_installed("django_q"):
        transaction.on_commit(_enqueue, robust=True)


def run_wake_up() -> None:
    """Task: there is news. (The dotted path is stored by django-q2: never rename.)"""
    tick(linger_seconds=LINGER_SECONDS)


def run_minute() -> None:
    """Task: a minute has passed. (The dotted path is stored by django-q2: never rename.)"""
    tick()


def _enqueue() -> None:
    from django_q.tasks import async_task

    try:
        # This runs in the request of a visitor: when the queue is in an SQLite file that is locked, it
        # waits no longer than a hit does.
        if not _is_scheduled:
            with write_facts():
                ensure_schedule()
        with write_facts():
            async_task("wagtail_ma.jobs.queue.run_wake_up", q_options={"save": False})
    except (Busy, DatabaseError, OSError):
        logger.warning("could not wake the worker; the minute tick will do it", exc_info=True)


def ensure_schedule() -> None:
    """Make sure that django-q2 ticks each minute (asked once per process)."""
    global _is_scheduled
    if _is_scheduled or not apps.is_installed("django_q"):
        return
    from django_q.models import Schedule

    # Not caught up after a pause: the work is picked from our tables, one tick does it all.
    Schedule.objects.get_or_create(
        name="wagtail_ma",
        defaults={
            "func": "wagtail_ma.jobs.queue.run_minute",
            "schedule_type": Schedule.MINUTES,
            "minutes": 1,
            "repeats": -1,
        },
    )
    _is_scheduled = True
