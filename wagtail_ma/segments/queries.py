"""Who is in a segment, as last computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django.db.models import Case, CharField, Count, F, IntegerField, QuerySet, Value, When

from wagtail_ma.core.placeholders import GivenText, Moment, Statement, compile_statement
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.segments.models import Membership, Segment

# The first page made a visitor of a stranger; until the background work has looked at them they see
# on the second what they saw on the first.
NEWCOMER = timedelta(seconds=60)


def population() -> QuerySet[Visitor]:
    """Everybody that a rule may find: visitors that were not merged into another."""
    return Visitor.objects.filter(merged_into__isnull=True)


def buried() -> QuerySet[Visitor]:
    """Visitors that were merged into another: whom no rule may find."""
    return Visitor.objects.filter(merged_into__isnull=False)


def is_member(segment_id: int, visitor_id: int) -> bool:
    """Whether the visitor is in the segment."""
    return Membership.objects.filter(segment_id=segment_id, visitor_id=visitor_id).exists()


def members(segment_id: int) -> QuerySet[Visitor]:
    """The visitors in the segment."""
    return population().filter(memberships__segment_id=segment_id)


def by_source(segment_id: int) -> list[tuple[str, int]]:
    """How many members each source keeps in the segment, the most first (one statement, by the index of
    the segment's members)."""
    rows = Membership.objects.filter(segment_id=segment_id).values_list("source").order_by()
    return list(rows.annotate(n=Count("pk")).order_by("-n", "source"))


def names_of(segment_ids: Iterable[int]) -> list[str]:
    """The names of these segments (one statement)."""
    return list(Segment.objects.filter(pk__in=segment_ids).values_list("name", flat=True))


@dataclass(frozen=True)
class Known:
    """What is stored about whoever sends a request, and about the segments there are.

    :param visitor_id: None for somebody of whom we have no row.
    :param segment_ids: the stored segments they are in.
    :param names: the name of every segment, by id.
    :param live: the version of every live segment, by id.
    :param offers: the segments by which scenarios show offers.
    """

    visitor_id: int | None
    segment_ids: frozenset[int]
    names: Mapping[int, str]
    live: Mapping[int, str]
    offers: frozenset[int] = frozenset()


_statements: dict[str, Statement] = {}


def known(browser_key: str | None, *, now: datetime) -> Known:
    """What is stored about whoever uses this browser (one statement, compiled once per process).

    :param browser_key: None or an unknown key: somebody of whom nothing is known, who is in segments
        such as "has not viewed the prices".
    """
    using = router.db_for_read(Segment)
    if using not in _statements:
        _statements[using] = _compile(using)
    rows = _statements[using].rows(now=now, text=browser_key or "")
    mine, segments = [row for row in rows if row[0]], [row for row in rows if not row[0]]
    found = frozenset(segment_id for _mine, segment_id, *_rest in mine if segment_id is not None)
    is_newcomer = any(flag for *_rest, flag in mine)
    if not mine or (is_newcomer and not found):
        found = frozenset(row[1] for row in segments if row[5])
    return Known(
        visitor_id=mine[0][4] if mine else None,
        segment_ids=found,
        names={row[1]: row[2] for row in segments},
        live={row[1]: row[3] for row in segments if row[3]},
        offers=frozenset(row[1] for row in segments if row[4]),
    )


def _compile(using: str) -> Statement:
    """Rows of six columns: (1, segment or NULL, "", "", visitor, is new?) for each segment of the
    visitor, and (0, segment, name, version, is an offer?, includes strangers?) for each segment there is."""
    empty = Value("", output_field=CharField())
    key = GivenText(output_field=Identity._meta.get_field("key"))
    mine = (
        Visitor.objects.using(using)
        .filter(identities__kind=Identity.Kind.BROWSER, identities__key=key)
        .order_by()
        .annotate(
            a=_number(1),
            b=F("memberships__segment_id"),
            c=empty,
            d=empty,
            e=F("pk"),
            f=_flag(first_seen_at__gt=Moment(NEWCOMER)),
        )
        .values_list("a", "b", "c", "d", "e", "f")
    )
    segments = (
        Segment.objects.using(using)
        .order_by()
        .annotate(
            a=_number(0),
            b=F("pk"),
            c=F("name"),
            # A broken live segment is nobody's.
            d=Case(When(broken_reason="", then=F("version")), default=empty),
            e=_flag(is_offer=True),
            f=_flag(includes_strangers=True, broken_reason=""),
        )
        .values_list("a", "b", "c", "d", "e", "f")
    )
    return compile_statement(mine.union(segments, all=True))


def _number(number: int) -> Value:
    return Value(number, output_field=IntegerField())


def _flag(**conditions: Any) -> Case:
    return Case(When(**conditions, then=Value(1)), default=Value(0), output_field=IntegerField())
