"""Who is in a segment, as last computed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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


@dataclass(frozen=True)
class BrowserSegments:
    """The segments of whoever uses a browser, and since when we know them."""

    segment_ids: frozenset[int]
    first_seen_at: datetime


def segments_of_browser(browser_key: str) -> BrowserSegments | None:
    """The segments of whoever uses this browser (one statement).

    :returns: None when the key is unknown.
    """
    rows = list(
        Visitor.objects.filter(identities__kind="browser", identities__key=browser_key)
        .order_by()
        .values_list("memberships__segment_id", "first_seen_at")
    )
    if not rows:
        return None
    return BrowserSegments(frozenset(pk for pk, _at in rows if pk is not None), rows[0][1])


def segments_of_strangers() -> frozenset[int]:
    """The segments of somebody of whom nothing is known, such as "has not viewed the prices"."""
    return frozenset(
        Segment.objects.filter(includes_strangers=True, broken_reason="").values_list("pk", flat=True)
    )
