"""Before retention deletes facts: keep what scores and counters need of them.

One row per identity, rule and month (:class:`CarriedPoints`), one per identity for the counters
(:class:`CarriedCounts`). They belong to identities like the facts they stand for, so merges and
undos carry them along, and ``award`` reads them like facts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from wagtail_ma.people import news
from wagtail_ma.people.models import Identity
from wagtail_ma.scoring.decay import DAY_SECONDS
from wagtail_ma.scoring.ledger import ACTIVITY, VIEW, VISIT
from wagtail_ma.scoring.models import CarriedCounts, CarriedPoints, ScoreEntry, ScoringModel
from wagtail_ma.tracking.models import Activity, PageView, Visit


@dataclass
class _Counts:
    """What one identity loses."""

    visits: int = 0
    views: int = 0
    seconds: float = 0.0
    last_at: datetime | None = None

    def saw(self, at: datetime) -> None:
        if self.last_at is None or at > self.last_at:
            self.last_at = at


@dataclass
class _Leaving:
    """The facts about to be deleted: whose they are, and what they add up to."""

    owners: dict[tuple[str, int], int] = field(default_factory=dict)
    counts: dict[int, _Counts] = field(default_factory=lambda: defaultdict(_Counts))


def carry_forward(visit_ids: Sequence[int], activity_ids: Sequence[int], *, now: datetime) -> None:
    """Sum up the points and counters of these visits (with all that is in them) and activities.

    To be called in the transaction that deletes them, before it does. Points are those of the
    current scoring model; a later change of its rules no longer reaches them.
    """
    visits = Visit.objects.filter(pk__in=visit_ids)
    activities = Activity.objects.filter(visit_id__in=visit_ids) | Activity.objects.filter(
        pk__in=activity_ids
    )
    identity_ids = {*visits.values_list("identity_id", flat=True)}
    identity_ids.update(activities.values_list("identity_id", flat=True))
    # As every writer of facts: a merge must not move the identity meanwhile.
    identities = {
        identity.pk: identity
        for identity in Identity.objects.select_for_update(no_key=True)
        .filter(pk__in=identity_ids)
        .order_by("pk")
    }
    leaving = _read(visits, activities, visit_ids)
    _carry_counts(leaving.counts, identities)
    model = ScoringModel.objects.filter(is_current=True).first()
    if model is not None:
        _carry_points(model, leaving.owners, identities)
    news.mark({identity.visitor_id for identity in identities.values()}, now=now)


def _read(visits: QuerySet[Visit], activities: QuerySet[Activity], visit_ids: Sequence[int]) -> _Leaving:
    leaving = _Leaving()
    for visit in visits:
        leaving.owners[VISIT, visit.pk] = visit.identity_id
        if not visit.is_bot:
            counts = leaving.counts[visit.identity_id]
            counts.visits += 1
            counts.saw(visit.last_at)
    views = PageView.objects.filter(visit_id__in=visit_ids).values_list(
        "pk", "visit__identity_id", "at", "engaged_seconds", "visit__is_bot"
    )
    for pk, identity_id, at, seconds, is_bot in views:
        leaving.owners[VIEW, pk] = identity_id
        if not is_bot:
            counts = leaving.counts[identity_id]
            counts.views += 1
            counts.seconds += seconds
            counts.saw(at)
    for activity in activities.select_related("visit"):
        leaving.owners[ACTIVITY, activity.pk] = activity.identity_id
        is_bot = activity.visit is not None and activity.visit.is_bot
        if not is_bot and not activity.data.get("is_machine"):
            leaving.counts[activity.identity_id].saw(activity.at)
    return leaving


def _carry_counts(counts: dict[int, _Counts], identities: dict[int, Identity]) -> None:
    present = {row.identity_id: row for row in CarriedCounts.objects.filter(identity__in=identities)}
    rows = []
    for identity_id, lost in counts.items():
        if lost.last_at is None:
            continue
        before = present.get(identity_id)
        rows.append(
            CarriedCounts(
                identity_id=identity_id,
                visitor_id=identities[identity_id].visitor_id,
                visit_count=lost.visits + (before.visit_count if before else 0),
                view_count=lost.views + (before.view_count if before else 0),
                engaged_seconds=lost.seconds + (before.engaged_seconds if before else 0),
                last_seen_at=max(lost.last_at, before.last_seen_at) if before else lost.last_at,
            )
        )
    CarriedCounts.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["identity"],
        update_fields=["visitor", "visit_count", "view_count", "engaged_seconds", "last_seen_at"],
    )


def _carry_points(
    model: ScoringModel, owners: dict[tuple[str, int], int], identities: dict[int, Identity]
) -> None:
    entries: dict[tuple[int, int, date], list[ScoreEntry]] = defaultdict(list)
    zone = timezone.get_default_timezone()
    for kind in (VISIT, VIEW, ACTIVITY):
        ids = [pk for fact_kind, pk in owners if fact_kind == kind]
        for entry in ScoreEntry.objects.filter(model=model, fact_kind=kind, fact_id__in=ids):
            month = entry.at.astimezone(zone).date().replace(day=1)
            entries[owners[kind, entry.fact_id], entry.rule_id, month].append(entry)
    present = {
        (row.identity_id, row.rule_id, row.month): row
        for row in CarriedPoints.objects.filter(identity__in=identities)
    }
    rows = [
        _summed(key, group, present.get(key), identities[key[0]].visitor_id, model.half_life_days)
        for key, group in entries.items()
    ]
    CarriedPoints.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["identity", "rule", "month"],
        update_fields=["visitor", "points", "count", "at", "last_day", "last_day_count"],
    )


def _summed(
    key: tuple[int, int, date],
    entries: list[ScoreEntry],
    before: CarriedPoints | None,
    visitor_id: int,
    half_life_days: float,
) -> CarriedPoints:
    identity_id, rule_id, month = key
    zone = timezone.get_default_timezone()
    parts = [(entry.points, entry.at) for entry in entries]
    days = [entry.at.astimezone(zone).date() for entry in entries]
    last_day = max(days)
    on_last_day = days.count(last_day)
    count = len(entries)
    if before is not None:
        parts.append((before.points, before.at))
        count += before.count
        if before.last_day == last_day:
            on_last_day += before.last_day_count
        elif before.last_day > last_day:
            last_day, on_last_day = before.last_day, before.last_day_count
    return CarriedPoints(
        identity_id=identity_id,
        visitor_id=visitor_id,
        rule_id=rule_id,
        month=month,
        points=math.fsum(points for points, _at in parts),
        count=count,
        at=centre(parts, half_life_days=half_life_days),
        last_day=last_day,
        last_day_count=on_last_day,
    )


def centre(parts: Sequence[tuple[float, datetime]], *, half_life_days: float) -> datetime:
    """The moment at which the sum of all points has the same forward-decayed sum as the parts.

    P·2^((t−T₀)/h) = Σ pᵢ·2^((tᵢ−T₀)/h) solved for t. Points of both signs may have no such
    moment; then the newest one is taken.
    """
    newest = max(at for _points, at in parts)
    unit = half_life_days * DAY_SECONDS
    total = math.fsum(points for points, _at in parts)
    forward = math.fsum(points * 2.0 ** ((at - newest).total_seconds() / unit) for points, at in parts)
    if total == 0 or forward / total <= 0:
        return newest
    return newest + timedelta(seconds=math.log2(forward / total) * unit)
