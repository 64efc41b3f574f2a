"""Who is in a segment, as last computed."""

from __future__ import annotations

from django.db.models import QuerySet

from wagtail_ma.people.models import Visitor
from wagtail_ma.segments.models import Membership, Segment


def population() -> QuerySet[Visitor]:
    """Everybody that a rule may find: visitors that were not merged into another."""
    return Visitor.objects.filter(merged_into__isnull=True)


def is_member(segment_id: int, visitor_id: int) -> bool:
    """Whether the visitor is in the segment."""
    return Membership.objects.filter(segment_id=segment_id, visitor_id=visitor_id).exists()


def members(segment_id: int) -> QuerySet[Visitor]:
    """The visitors in the segment."""
    return population().filter(memberships__segment_id=segment_id)


def segments_of_browser(browser_key: str) -> frozenset[int] | None:
    """The segments of whoever uses this browser (one statement).

    :returns: None when the key is unknown.
    """
    rows = (
        Visitor.objects.filter(identities__kind="browser", identities__key=browser_key)
        .order_by()
        .values_list("memberships__segment_id", flat=True)
    )
    found = list(rows)
    return frozenset(pk for pk in found if pk is not None) if found else None


def segments_of_strangers() -> frozenset[int]:
    """The segments of somebody of whom nothing is known, such as "has not viewed the prices"."""
    return frozenset(
        Segment.objects.filter(includes_strangers=True, broken_reason="").values_list("pk", flat=True)
    )
