"""One round of background work, under a lease."""

from __future__ import annotations

import logging
import time
import uuid
from datetime import datetime, timedelta

from django.db import connections, router
from django.db.models import Q
from django.utils import timezone

from wagtail_ma import flow
from wagtail_ma.jobs.models import Heartbeat
from wagtail_ma.people import strangers

logger = logging.getLogger(__name__)

NAME = "tick"
OPTIMISED, FORGOTTEN = "optimise", "forget"
HOURLY = timedelta(hours=1)
# A dead worker's lease is over after this; longer than any one round.
LEASE = timedelta(seconds=120)
# A round ends itself well before the queue's time-out.
ROUND_SECONDS = 40


def tick(*, linger_seconds: float = 0) -> bool:
    """React to all news and do all that is due, once; then wait for more if asked to.

    :param linger_seconds: how long to look again for news (seconds). A wake-up from the web
        lingers longer than the web's own pause between wake-ups, so no hit falls between two.
    :returns: False when another process is doing it now.
    """
    owner = uuid.uuid4().hex
    if not _take(owner, now=timezone.now()):
        return False
    error = ""
    try:
        _work(linger_seconds)
        optimise(now=timezone.now())
        forget_strangers(now=timezone.now())
    except Exception as exception:
        logger.exception("background work failed")
        error = f"{type(exception).__name__}: {exception}"[:2000]
    finally:
        _release(owner, error, now=timezone.now())
    return True


def _work(linger_seconds: float) -> None:
    started = time.monotonic()
    while True:
        flow.write_gathered()
        now = timezone.now()
        reacted = flow.react(now=now)
        done = flow.run_due(now=now)
        elapsed = time.monotonic() - started
        if elapsed > ROUND_SECONDS:
            return
        if reacted or done.steps or done.deliveries or done.rescored or done.clicks or done.recipients:
            continue
        if elapsed >= linger_seconds:
            return
        time.sleep(1)


def optimise(*, now: datetime) -> bool:
    """Let SQLite look, once an hour, which of its statistics are out of date (``PRAGMA optimize``, as its
    documentation asks of connections that live long). Other databases do so by themselves.

    :returns: whether it was done now.
    """
    connection = connections[router.db_for_write(Heartbeat)]
    if connection.vendor != "sqlite":
        return False
    if not _is_time_for(OPTIMISED, now=now):
        return False
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA optimize")
    return True


def forget_strangers(*, now: datetime) -> int:
    """Forget, once an hour, some of those whom nobody can recognise any more (``people.strangers``).

    :returns: how many were forgotten.
    """
    return strangers.forget_due(now=now) if _is_time_for(FORGOTTEN, now=now) else 0


def _is_time_for(name: str, *, now: datetime) -> bool:
    """Whether an hour has passed since this was done last; it counts as done now."""
    Heartbeat.objects.get_or_create(name=name)
    due = Q(last_at__isnull=True) | Q(last_at__lt=now - HOURLY)
    return bool(Heartbeat.objects.filter(due, name=name).update(last_at=now))


def _take(owner: str, *, now: datetime) -> bool:
    """Take the lease by guarded update: on every database only one process wins."""
    Heartbeat.objects.get_or_create(name=NAME)
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    taken = Heartbeat.objects.filter(free, name=NAME).update(owner=owner, lease_until=now + LEASE)
    return taken == 1


def _release(owner: str, error: str, *, now: datetime) -> None:
    Heartbeat.objects.filter(name=NAME, owner=owner).update(
        lease_until=None, owner="", last_at=now, error=error
    )
