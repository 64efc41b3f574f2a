"""Raw facts are kept for a time only; daily roll-ups stay.

Deleting goes visit by visit, oldest first, in short transactions, so that recording never waits
long. A visit goes with its views: a history never begins in the middle of one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet, Subquery
from django.utils import timezone

from wagtail_ma.conf import conf
from wagtail_ma.core.durations import months_before
from wagtail_ma.tracking import rollups
from wagtail_ma.tracking.models import Activity, PageView, SiteDay, Visit

# Visits, or activities, per transaction.
CHUNK = 500
# Nothing younger is ever deleted, however RETENTION_MONTHS has been set.
SHORTEST = timedelta(days=4 * 28)

Progress = Callable[[int, int], None]
# Keeps what others need of visits (with all in them) and activities that are about to go; called
# with their ids in the transaction that deletes them.
Carry = Callable[[list[int], list[int]], None]


def cutoff(*, now: datetime) -> datetime:
    """Facts before this moment are deleted: the midnight ``RETENTION_MONTHS`` ago (whole days, as
    caps per day count them), but never a day that is not in the roll-ups for good."""
    local = timezone.localtime(now, timezone.get_default_timezone())
    oldest = months_before(local.date(), conf.RETENTION_MONTHS)
    return rollups.midnight(min(oldest, rollups.first_open_day(now=now)))


def detail_since(*, period_start: datetime | None = None) -> datetime | None:
    """From when on there are single visits, where older ones have been deleted: what screens tell below a
    list of them (one statement).

    :param period_start: where the list or the report begins; None: at the very beginning.
    :returns: the beginning of the oldest visit that is still there. None: nothing was deleted, or
        nothing of the period.
    """
    first_day = SiteDay.objects.filter(visits__gt=0).order_by("day").values("day")[:1]
    oldest = Visit.objects.order_by("started_at").values_list("started_at", Subquery(first_day)).first()
    since, counted_since = oldest or (None, None)
    if since is None or counted_since is None or counted_since >= rollups.local_day(since):
        return None
    return since if period_start is None or period_start < since else None


def prune(*, now: datetime, carry: Carry, limit: int = CHUNK) -> int:
    """Delete facts that are too old: what ``flow.run_due`` calls, in small portions.

    Two small statements when there is nothing to do.

    :param carry: see :data:`Carry`.
    :param limit: at most so many visits (with their views) and so many activities.
    :returns: how many rows were deleted.
    """
    # Cheap look first: the roll-ups are asked only when something may go.
    earliest = Visit.objects.order_by("started_at").values_list("started_at", flat=True).first()
    first_activity = Activity.objects.order_by("pk").values_list("at", flat=True).first()
    if not _may_be_old(earliest, now) and not _may_be_old(first_activity, now):
        return 0
    before = cutoff(now=now)
    ids = _oldest_visits(before, limit)
    return (_delete_visits(ids, carry) if ids else 0) + _prune_activities(before, limit, carry)


def purge(*, now: datetime, carry: Carry, progress: Progress | None = None) -> int:
    """Delete all facts that are too old, to the end.

    :param carry: see :data:`Carry`.
    :param progress: called as ``progress(done, total)`` in visits.
    :returns: how many rows were deleted.
    """
    before = cutoff(now=now)
    total = _old_visits(before).count()
    visits = deleted = 0
    while ids := _oldest_visits(before, CHUNK):
        deleted += _delete_visits(ids, carry)
        visits += len(ids)
        if progress:
            progress(min(visits, total), total)
    while rows := _delete_activities(Activity.objects.filter(at__lt=before), CHUNK, carry):
        deleted += rows
    return deleted


def count_due(*, now: datetime) -> int:
    """How many visits are too old."""
    return _old_visits(cutoff(now=now)).count()


def _may_be_old(at: datetime | None, now: datetime) -> bool:
    return at is not None and (now - at).days >= conf.RETENTION_MONTHS * 28


def _old_visits(before: datetime) -> QuerySet[Visit]:
    # Both by time: the start has the index, the end decides.
    return Visit.objects.filter(started_at__lt=before, last_at__lt=before)


def _oldest_visits(before: datetime, limit: int) -> list[int]:
    return list(_old_visits(before).order_by("started_at").values_list("pk", flat=True)[:limit])


def _delete_visits(ids: list[int], carry: Carry) -> int:
    with transaction.atomic():
        carry(ids, [])
        # Late messages lock the visit first, as we do: they never write to a view half deleted.
        locked = Visit.objects.select_for_update(of=("self",)).filter(pk__in=ids).order_by("pk")
        ids = list(locked.values_list("pk", flat=True))
        views = PageView.objects.filter(visit_id__in=ids).delete()[0]
        activities = Activity.objects.filter(visit_id__in=ids).delete()[0]
        visits = Visit.objects.filter(pk__in=ids).delete()[0]
    return views + activities + visits


def _prune_activities(before: datetime, limit: int, carry: Carry) -> int:
    """Those without a visit. Looks at the oldest rows only: there is no index by time alone."""
    oldest = list(Activity.objects.order_by("pk").values_list("pk", "at")[:limit])
    ids = [pk for pk, at in oldest if at < before]
    return _delete_activities(Activity.objects.filter(pk__in=ids), limit, carry) if ids else 0


def _delete_activities(rows: QuerySet[Activity], limit: int, carry: Carry) -> int:
    with transaction.atomic():
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[:limit])
        if ids:
            carry([], ids)
        return Activity.objects.filter(pk__in=ids).delete()[0] if ids else 0
