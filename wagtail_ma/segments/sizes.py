"""How the size of a segment changes over time."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.utils import timezone

from wagtail_ma.segments.models import Segment, SegmentDay


def note(segment: Segment, *, now: datetime) -> None:
    """Keep the number of members as today's; the last count of a day stays."""
    SegmentDay.objects.bulk_create(
        [SegmentDay(segment=segment, day=timezone.localdate(now), member_count=segment.member_count)],
        update_conflicts=True,
        unique_fields=["segment", "day"],
        update_fields=["member_count"],
    )


def over_time(segment_id: int, *, days: int, now: datetime) -> list[tuple[date, int | None]]:
    """The number of members on each of the last ``days`` days, the oldest first; None for a day on
    which nothing was counted (one statement)."""
    last = timezone.localdate(now)
    first = last - timedelta(days=days - 1)
    rows = SegmentDay.objects.filter(segment_id=segment_id, day__range=(first, last))
    counted = dict(rows.values_list("day", "member_count"))
    return [(day, counted.get(day)) for day in (first + timedelta(days=number) for number in range(days))]
