"""How pages are visited: one page, and all pages of a period.

Numbers that add up come from the daily roll-ups and, for the current day, from raw rows. The
distinct people of a period do not add up: they are counted from the raw rows of this one page, by
the index on (page, time).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, F, Max, QuerySet, Sum

from wagtail_ma.people.models import Visitor
from wagtail_ma.reports.channels import named
from wagtail_ma.tracking import histograms, rollups
from wagtail_ma.tracking.models import PageDay, TrackedPage

PERIODS = (7, 30, 90)
DEFAULT_PERIOD = 30
# The newest views that are looked through for the newest readers.
NEWEST_VIEWS = 1_000


@dataclass(frozen=True)
class Point:
    """One day of the chart."""

    day: date
    views: int = 0
    visits: int = 0
    visitors: int = 0
    engaged_median: float | None = None
    engaged_p90: float | None = None


@dataclass(frozen=True)
class PageReport:
    """One page (or several together) in a period, without bots.

    Durations in seconds per view, None without views. ``anonymous_views`` are part of ``views`` and
    of nothing else.
    """

    views: int
    anonymous_views: int
    visits: int
    people: int
    engaged_seconds: float
    engaged_median: float | None
    engaged_p90: float | None
    scroll_percent: float | None
    days: list[Point]
    channels: list[tuple[str, int]]


@dataclass(frozen=True)
class Reader:
    """Somebody who viewed the page in the period."""

    visitor: Visitor
    label: str
    company: str
    views: int
    engaged_seconds: float
    last_at: datetime


def period(asked: str | None) -> int:
    """The number of days that was asked for, or the usual one."""
    return int(asked) if asked in {str(days) for days in PERIODS} else DEFAULT_PERIOD


def page_report(page_ids: Collection[int], *, now: datetime, days: int = DEFAULT_PERIOD) -> PageReport:
    """How these tracked pages, taken together, were visited in the last ``days`` days.

    A fixed number of statements.

    :param page_ids: ids of TrackedPage; usually one.
    """
    span = rollups.last_days(days, now=now)
    rows = _rows(page_ids, span, now=now)
    views = rollups.human_views(span, tracked_page__in=page_ids).order_by()
    histogram = histograms.add(row.engaged_histogram for row in rows)
    # Scroll depth comes from the script alone, like the reading time.
    measured = sum(histogram.values())
    return PageReport(
        views=sum(row.all_views for row in rows),
        anonymous_views=sum(row.anonymous_views for row in rows),
        visits=sum(row.visits for row in rows),
        # As a sub-query: the database counts a hashed set faster than it sorts for COUNT(DISTINCT).
        people=views.values("visitor_id").distinct().count(),
        engaged_seconds=sum(row.engaged_seconds for row in rows),
        engaged_median=histograms.quantile(histogram, 0.5),
        engaged_p90=histograms.quantile(histogram, 0.9),
        scroll_percent=sum(row.scroll_percents for row in rows) / measured if measured else None,
        days=_points(rows, span),
        channels=named(histograms.add(row.mediums for row in rows)),
    )


def _rows(page_ids: Collection[int], span: rollups.Span, *, now: datetime) -> list[PageDay]:
    raw = rollups.raw_span(span, now=now)
    stored = PageDay.objects.filter(tracked_page__in=page_ids, day__gte=span.first, day__lt=raw.first)
    return [*stored, *rollups.page_days(raw, tracked_page__in=page_ids)]


def _points(rows: Iterable[PageDay], span: rollups.Span) -> list[Point]:
    by_day: dict[date, list[PageDay]] = {}
    for row in rows:
        by_day.setdefault(row.day, []).append(row)
    return [_point(day, by_day.get(day, [])) for day in span.days]


def _point(day: date, rows: Sequence[PageDay]) -> Point:
    histogram = histograms.add(row.engaged_histogram for row in rows)
    return Point(
        day=day,
        views=sum(row.all_views for row in rows),
        visits=sum(row.visits for row in rows),
        visitors=sum(row.visitors for row in rows),
        engaged_median=histograms.quantile(histogram, 0.5),
        engaged_p90=histograms.quantile(histogram, 0.9),
    )


def readers(
    page_ids: Collection[int],
    *,
    now: datetime,
    days: int = DEFAULT_PERIOD,
    limit: int = 20,
    with_leads: bool = True,
) -> list[Reader]:
    """Who viewed these tracked pages last, newest first, with all their views in the period.

    Three statements; only the newest thousand views are looked through.

    :param with_leads: False for somebody who may not see leads: people without a name only.
    """
    span = rollups.last_days(days, now=now)
    views = rollups.human_views(span, tracked_page__in=page_ids)
    if not with_leads:
        views = views.filter(visitor__lead__isnull=True)
    newest = views.order_by("-at", "-pk").values_list("visitor_id", flat=True)[:NEWEST_VIEWS]
    ids = list(dict.fromkeys(newest))[:limit]
    if not ids:
        return []
    totals = (
        views.filter(visitor_id__in=ids)
        .order_by()
        .values("visitor_id")
        .annotate(n=Count("pk"), seconds=Sum("engaged_seconds"), last_at=Max("at"))
    )
    people = Visitor.objects.select_related("lead").in_bulk(ids)
    found = [
        _reader(people[row["visitor_id"]], row["n"], row["seconds"], row["last_at"])
        for row in totals
        if row["visitor_id"] in people
    ]
    return sorted(found, key=lambda reader: reader.last_at, reverse=True)


def _reader(visitor: Visitor, views: int, seconds: float, last_at: datetime) -> Reader:
    lead = getattr(visitor, "lead", None)
    company = lead.company_name if lead else ""
    return Reader(visitor, str(lead or visitor), company, views, seconds, last_at)


def viewed_pages(*, now: datetime, days: int = DEFAULT_PERIOD) -> QuerySet[TrackedPage]:
    """The pages that were viewed in the period, with ``view_count``, ``visit_count`` and ``engaged_seconds``.

    From roll-ups alone: the current day is as old as its last count (a few minutes).
    """
    span = rollups.last_days(days, now=now)
    return TrackedPage.objects.filter(days__day__gte=span.first, days__day__lte=span.last).annotate(
        view_count=Sum(F("days__views") + F("days__anonymous_views")),
        visit_count=Sum("days__visits"),
        engaged_seconds=Sum("days__engaged_seconds"),
    )


def view_counts(
    wagtail_page_ids: Collection[int], *, now: datetime, days: int = DEFAULT_PERIOD
) -> dict[int, int]:
    """Views by id of the Wagtail page; pages without views are missing. One statement, from roll-ups
    alone."""
    span = rollups.last_days(days, now=now)
    rows = PageDay.objects.filter(
        tracked_page__page__in=wagtail_page_ids, day__gte=span.first, day__lte=span.last
    ).order_by()
    return dict(rows.values_list("tracked_page__page_id").annotate(n=Sum(F("views") + F("anonymous_views"))))


def decorate(pages: Iterable[TrackedPage], *, now: datetime, days: int = DEFAULT_PERIOD) -> list[TrackedPage]:
    """Add what a row of the list shows: engaged_median, engaged_p90, curve (views per day, oldest
    first). One statement."""
    listed: list[Any] = list(pages)
    span = rollups.last_days(days, now=now)
    by_page: dict[int, list[PageDay]] = {page.pk: [] for page in listed}
    stored = PageDay.objects.filter(tracked_page__in=by_page, day__gte=span.first, day__lte=span.last)
    for row in stored:
        by_page[row.tracked_page_id].append(row)
    for page in listed:
        points = _points(by_page[page.pk], span)
        histogram = histograms.add(row.engaged_histogram for row in by_page[page.pk])
        page.engaged_median = histograms.quantile(histogram, 0.5)
        page.engaged_p90 = histograms.quantile(histogram, 0.9)
        page.curve = [point.views for point in points]
    return listed
