"""The numbers of the overview: a period of the site, and what waits in the background.

What adds up comes from the daily roll-ups and, for the current day, from raw rows; distinct people
are counted from the visits of the period.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, F, Q, Sum

from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import Lead, News
from wagtail_ma.reports.channels import named
from wagtail_ma.scenarios.models import Enrolment
from wagtail_ma.tracking import histograms, rollups
from wagtail_ma.tracking.models import Activity, PageDay, SiteDay, TrackedPage, Visit

TOP_PAGES = 10


@dataclass(frozen=True)
class Day:
    """One day of the chart (site time zone)."""

    day: date
    visits: int = 0
    visitors: int = 0
    views: int = 0


@dataclass(frozen=True)
class Overview:
    """Counts of a period; bots are left out.

    ``visitors`` are distinct people, ``new_visitors`` those of them who came for the first time.
    ``engaged_median`` and ``engaged_p90`` (the 90th percentile) are in seconds per view,
    ``engaged_seconds`` is all reading together.
    """

    visits: int
    visitors: int
    new_visitors: int
    views: int
    engaged_seconds: float
    engaged_median: float | None
    engaged_p90: float | None
    leads: int
    downloads: int
    mails_sent: int
    mail_clicks: int
    in_scenarios: int
    days: list[Day]
    channels: list[tuple[str, int]]
    top_pages: list[tuple[TrackedPage, int]]

    @property
    def returning_visitors(self) -> int:
        """People who had been here before the period."""
        return max(0, self.visitors - self.new_visitors)


def overview(*, now: datetime, days: int = 30) -> Overview:
    """The numbers of the last ``days`` days, the current one included; a fixed number of statements."""
    span = rollups.last_days(days, now=now)
    raw = rollups.raw_span(span, now=now, may_lag=True)
    raw_pages = rollups.page_days(raw)
    by_day = {day.day: day for day in SiteDay.objects.filter(day__gte=span.first, day__lt=raw.first)}
    by_day |= rollups.site_days(raw, raw_pages)
    counted = [by_day[day] for day in span.days if day in by_day]
    visits = Visit.objects.filter(started_at__gte=span.start, started_at__lte=now, is_bot=False)
    engaged = histograms.add(day.engaged_histogram for day in counted)
    return Overview(
        visits=sum(day.visits for day in counted),
        # As a sub-query: the database counts a hashed set faster than it sorts for COUNT(DISTINCT).
        visitors=visits.order_by().values("visitor_id").distinct().count(),
        new_visitors=sum(day.new_visitors for day in counted),
        views=sum(day.all_views for day in counted),
        engaged_seconds=sum(day.engaged_seconds for day in counted),
        engaged_median=histograms.quantile(engaged, 0.5),
        engaged_p90=histograms.quantile(engaged, 0.9),
        days=[_day(by_day.get(day), day) for day in span.days],
        channels=named(histograms.add(day.mediums for day in counted)),
        top_pages=_top_pages(span, raw, raw_pages),
        **_acts(span.start, now),
    )


def _acts(since: datetime, now: datetime) -> dict[str, int]:
    period = {"at__gte": since, "at__lte": now}
    activities = Activity.objects.filter(kind__in=("download", "mail_click"), **period).aggregate(
        downloads=Count("pk", filter=Q(kind="download")),
        clicks=Count("pk", filter=Q(kind="mail_click")),
    )
    return {
        "leads": Lead.objects.filter(created_at__gte=since, created_at__lte=now).count(),
        "downloads": activities["downloads"],
        "mail_clicks": activities["clicks"],
        "mails_sent": Delivery.objects.filter(state="sent", sent_at__gte=since, sent_at__lte=now).count(),
        "in_scenarios": Enrolment.objects.filter(status="active").count(),
    }


def _day(counted: SiteDay | None, day: date) -> Day:
    if counted is None:
        return Day(day)
    return Day(day, counted.visits, counted.visitors, counted.all_views)


def _top_pages(
    span: rollups.Span, raw: rollups.Span, raw_pages: list[PageDay]
) -> list[tuple[TrackedPage, int]]:
    stored = PageDay.objects.filter(day__gte=span.first, day__lt=raw.first).order_by()
    rows = stored.values_list("tracked_page_id").annotate(n=Sum(F("views") + F("anonymous_views")))
    views = dict(rows)
    for page in raw_pages:
        views[page.tracked_page_id] = views.get(page.tracked_page_id, 0) + page.all_views
    top = sorted(views.items(), key=lambda item: (-item[1], item[0]))[:TOP_PAGES]
    pages = TrackedPage.objects.in_bulk([pk for pk, _count in top])
    return [(pages[pk], count) for pk, count in top if pk in pages]


def waiting_news(*, now: datetime) -> tuple[int, int]:
    """How many news wait to be looked at, and how many visitors are set aside after an error."""
    counts = News.objects.aggregate(
        waiting=Count("pk", filter=Q(at__lte=now)), failed=Count("pk", filter=Q(attempts__gt=0))
    )
    return counts["waiting"], counts["failed"]
