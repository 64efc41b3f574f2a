"""Who reached a goal, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Exists, OuterRef

from wagtail_ma.personalisation.models import Goal
from wagtail_ma.segments.models import Membership
from wagtail_ma.tracking import activities
from wagtail_ma.tracking.models import Activity


def reached(goal: Goal, since: Mapping[int, datetime]) -> dict[int, datetime]:
    """When each of these visitors first reached the goal at or after their moment (one statement);
    those who did not are absent.

    What bots and machines did does not count.

    :param since: by visitor id.
    """
    if not since:
        return {}
    earliest = min(since.values())
    if goal.kind == Goal.Kind.SEGMENT:
        found = Membership.objects.filter(
            segment_id=goal.segment_id or 0, visitor_id__in=since, entered_at__gte=earliest
        )
        rows = [(pk, at) for pk, at in found.values_list("visitor_id", "entered_at")]
    else:
        acts = Activity.objects.filter(visitor_id__in=since, kind=goal.activity_kind, at__gte=earliest)
        if goal.object_key:
            acts = acts.filter(object_key=goal.object_key)
        seen = acts.values_list("visitor_id", "at", "visit__is_bot", "data__is_machine")
        rows = [(pk, at) for pk, at, is_bot, is_machine in seen if not is_bot and not is_machine]
    first: dict[int, datetime] = {}
    for visitor_id, at in rows:
        if at >= since[visitor_id]:
            first[visitor_id] = min(at, first.get(visitor_id, at))
    return first


def reached_since(goal: Goal, *, visitor: OuterRef, since: OuterRef) -> Exists:
    """The condition that a row's visitor has reached the goal at or after a moment of that row, for counts
    over many rows.

    :param visitor: the row's reference to the visitor.
    :param since: its moment.
    """
    if goal.kind == Goal.Kind.SEGMENT:
        return Exists(
            Membership.objects.filter(
                segment_id=goal.segment_id or 0, visitor_id=visitor, entered_at__gte=since
            )
        )
    acts = Activity.objects.filter(visitor_id=visitor, kind=goal.activity_kind, at__gte=since)
    if goal.object_key:
        acts = acts.filter(object_key=goal.object_key)
    return Exists(activities.by_people(acts))
