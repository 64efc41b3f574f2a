"""Putting people into a segment, or out of it, whatever its rule says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connections, router, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from wagtail_ma.people import news
from wagtail_ma.people.models import Visitor
from wagtail_ma.segments import sizes
from wagtail_ma.segments.cadence import SHORTEST
from wagtail_ma.segments.models import Membership, Segment, SegmentDecision, Source
from wagtail_ma.segments.queries import population


class LiveSegment(ValueError):
    """Nobody can be put into a live segment: it has no members."""


def decide(
    segment: Segment,
    visitor_ids: Iterable[int],
    *,
    is_member: bool,
    by: Any,
    now: datetime,
    source: Source = Source.HAND,
) -> list[int]:
    """Say that these visitors are in the segment, or are not, whatever its rule says.

    They enter or leave with the next reaction, a few seconds later, so that scenarios hear of it.

    :param by: the user who says so, or None.
    :param source: who or what says so, shown with each member; not the rule.
    :returns: the ids of the visitors concerned; those merged into another are passed over.
    :raises LiveSegment: the segment is a live one.
    """
    if segment.is_live:
        raise LiveSegment(f"segment {segment.pk} is decided per request")
    with transaction.atomic():
        found = list(population().filter(pk__in=list(visitor_ids)).values_list("pk", flat=True))
        SegmentDecision.objects.bulk_create(
            (
                SegmentDecision(
                    segment=segment,
                    visitor_id=pk,
                    born_visitor_id=pk,
                    is_member=is_member,
                    source=source,
                    decided_at=now,
                    decided_by=by,
                )
                for pk in found
            ),
            update_conflicts=True,
            unique_fields=["segment", "born_visitor"],
            update_fields=["visitor", "is_member", "source", "decided_at", "decided_by"],
            batch_size=500,
        )
        news.mark(found, now=now)
    return found


def snapshot(segment: Segment, name: str, *, by: Any, now: datetime) -> Segment:
    """A new segment with fixed members: those whom this one has at this moment (a few statements,
    however many they are). They are in it at once; nobody "enters".

    :param name: of the new one; no other segment may have it.
    :raises LiveSegment: the segment is a live one.
    :raises django.db.IntegrityError: the name is taken.
    """
    if segment.is_live:
        raise LiveSegment(f"segment {segment.pk} has no members")
    with transaction.atomic():
        made = Segment.objects.create(
            name=name, is_static=True, refreshed_at=now, next_refresh_at=now + SHORTEST
        )
        connection = connections[router.db_for_write(Membership)]
        quote = connection.ops.quote_name
        at = connection.ops.adapt_datetimefield_value(now)
        said, rows = (quote(model._meta.db_table) for model in (SegmentDecision, Membership))
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {said} (segment_id, visitor_id, born_visitor_id, is_member, decided_at, "  # noqa: S608 (our own names)
                f"decided_by_id, source) SELECT %s, visitor_id, visitor_id, TRUE, %s, %s, %s FROM {rows} "
                "WHERE segment_id = %s",
                [made.pk, at, getattr(by, "pk", None), Source.KEPT, segment.pk],
            )
            cursor.execute(
                f"INSERT INTO {rows} (segment_id, visitor_id, entered_at, source, cause) "  # noqa: S608 (our own names)
                f"SELECT segment_id, visitor_id, decided_at, source, '' FROM {said} WHERE segment_id = %s",
                [made.pk],
            )
        made.member_count = Membership.objects.filter(segment=made).count()
        made.save(update_fields=["member_count"])
        sizes.note(made, now=now)
    return made


def withdraw(segment: Segment, visitor_ids: Iterable[int], *, now: datetime) -> None:
    """Forget what was said by hand: the rule alone decides again."""
    asked = list(visitor_ids)
    with transaction.atomic():
        SegmentDecision.objects.filter(segment=segment, visitor_id__in=asked).delete()
        news.mark(Visitor.objects.filter(pk__in=asked).values_list("pk", flat=True), now=now)


def in_force() -> QuerySet[SegmentDecision]:
    """Of each visitor and segment the latest decision."""
    later = SegmentDecision.objects.filter(
        Q(decided_at__gt=OuterRef("decided_at"))
        | Q(decided_at=OuterRef("decided_at"), pk__gt=OuterRef("pk")),
        segment=OuterRef("segment"),
        visitor=OuterRef("visitor"),
    )
    return SegmentDecision.objects.filter(~Exists(later))


def of(visitor_ids: Sequence[int]) -> dict[int, dict[int, str]]:
    """What was said of these visitors: segment id → visitor id → the source of their membership, empty
    where they are not to be members (one statement)."""
    found: dict[int, dict[int, str]] = {}
    rows = SegmentDecision.objects.filter(visitor_id__in=visitor_ids).order_by("decided_at", "pk")
    for segment_id, visitor_id, is_member, source in rows.values_list(
        "segment_id", "visitor_id", "is_member", "source"
    ):
        found.setdefault(segment_id, {})[visitor_id] = source if is_member else ""
    return found


def members(segment: Segment) -> dict[int, str]:
    """Who was put into the segment, and by what (one statement)."""
    return dict(in_force().filter(segment=segment, is_member=True).values_list("visitor_id", "source"))
