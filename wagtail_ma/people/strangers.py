"""Strangers whom nobody can recognise any more are forgotten: their cookie has ended, their visits are
deleted by age, and nobody here ever did anything for them.

Without this, a random key and a date would stay of each browser that ever came by.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.apps import apps
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from wagtail_ma.conf import conf
from wagtail_ma.core.belongings import belongings
from wagtail_ma.core.durations import midnight_months_before
from wagtail_ma.people import merge
from wagtail_ma.people.models import Identity, Visitor

Progress = Callable[[int, int], None]
# Visitors per transaction.
CHUNK = 200
# Of one look of the background work (``jobs/tick.py``).
LIMIT = 2_000


def cutoff(*, now: datetime) -> datetime:
    """Who came first, and was last heard of, before this moment may be forgotten."""
    return min(now - timedelta(days=conf.COOKIE_DAYS), midnight_months_before(now, conf.RETENTION_MONTHS))


def due(*, now: datetime) -> QuerySet[Visitor]:
    """Whoever is to be forgotten, by id.

    Each table is asked by the index on its visitor.
    """
    before = cutoff(now=now)
    found = Visitor.objects.filter(
        first_seen_at__lt=before, lead__isnull=True, merged_into__isnull=True, merged_from__isnull=True
    )
    # Whoever is not recorded leaves no trace: they are known as such as long as a cookie of theirs may live.
    found = found.filter(Q(unrecorded_at=None) | Q(unrecorded_at__lt=before))
    for belonging in belongings:
        if belonging.role not in ("fact", "decision") or (belonging.is_trace and not belonging.active_at):
            continue
        rows = apps.get_model(belonging.model)._default_manager.filter(visitor=OuterRef("pk"))
        if belonging.is_trace:
            rows = rows.filter(**{f"{belonging.active_at}__gte": before})
        found = found.exclude(Exists(rows))
    return found.order_by("pk")


def forget_due(*, now: datetime, limit: int = LIMIT) -> int:
    """Forget some of those who are due.

    Not to be called often: it asks about everybody who is old enough and stays.

    :param limit: at most so many.
    :returns: how many were forgotten.
    """
    return _forget(list(due(now=now).values_list("pk", flat=True)[:limit]), now=now)


def purge(*, now: datetime, progress: Progress | None = None) -> int:
    """Forget all who are due.

    :param progress: called as ``progress(done, total)``.
    :returns: how many were forgotten.
    """
    return _forget(list(due(now=now).values_list("pk", flat=True)), now=now, progress=progress)


def _forget(visitor_ids: list[int], *, now: datetime, progress: Progress | None = None) -> int:
    forgotten = 0
    for start in range(0, len(visitor_ids), CHUNK):
        chunk = visitor_ids[start : start + CHUNK]
        with transaction.atomic():
            # A message in flight writes before this, and they stay; or after, and is from somebody new.
            merge.lock(Identity.objects.filter(visitor__in=chunk).values_list("pk", flat=True))
            ids = list(due(now=now).filter(pk__in=chunk).values_list("pk", flat=True))
            Visitor.objects.filter(pk__in=ids).delete()
        forgotten += len(ids)
        if progress:
            progress(min(start + CHUNK, len(visitor_ids)), len(visitor_ids))
    return forgotten
