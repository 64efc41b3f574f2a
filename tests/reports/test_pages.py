"""Reports of pages and of the site: roll-ups and raw rows together give what raw rows alone give."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import browser, page_hit
from wagtail_ma import flow
from wagtail_ma.people.identify import identify
from wagtail_ma.reports import pages as reports
from wagtail_ma.reports.overview import overview
from wagtail_ma.tracking import pages, rollups
from wagtail_ma.tracking.models import PageDay, SiteDay, TrackedPage

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
START_DAYS = 40


@pytest.fixture(autouse=True)
def fresh_memory() -> Any:
    pages.forget()


def view(page: Any, at: datetime, identity: Any, seconds: float = 10, **fields: Any) -> None:
    ms = round(seconds * 1000)
    hit = page_hit(page, browser_key=identity.key, engaged_ms=ms, visible_ms=ms, **fields)
    flow.record_hit(hit, now=at)


@pytest.fixture
def story(home: Any, now: datetime) -> tuple[TrackedPage, datetime]:
    """Ann looks every third day for 40 days, Bob once from a search engine, somebody anonymous
    twice; the last look is a minute ago."""
    end = now + START_DAYS * DAY
    ann, bob = browser(now), browser(now)
    for number in range(0, START_DAYS + 1, 3):
        view(home, now + number * DAY, ann, number, scroll_percent=50)
    view(home, end - 2 * DAY, bob, 60, scroll_percent=100, referrer="https://www.google.com/")
    view(home, end - 2 * DAY, browser(now), is_bot=True)
    for _time in range(2):
        flow.record_hit(page_hit(home, is_anonymous=True), now=end - DAY)
    view(home, end - timedelta(minutes=1), ann, 90)
    return TrackedPage.objects.get(), end


def test_page_report__period__adds_up_days_and_counts_people_once(story: Any) -> None:
    tracked, end = story
    report = reports.page_report([tracked.pk], now=end, days=7)
    # Days 34 to 40: Ann on 36, 39 and today, Bob on 38, twice somebody on 39.
    assert (report.views, report.anonymous_views) == (6, 2)
    assert (report.people, report.visits) == (2, 4)
    assert (report.engaged_seconds, report.engaged_median, report.engaged_p90) == (36 + 39 + 60 + 90, 39, 90)
    assert report.scroll_percent == (50 + 50 + 100 + 0) / 4
    assert report.channels == [("Direct", 3), ("Search", 1)]
    assert [day.views for day in report.days] == [0, 0, 1, 0, 1, 3, 1]
    assert [day.visitors for day in report.days] == [0, 0, 1, 0, 1, 1, 1]
    assert report.days[-1].engaged_median == 90
    site = overview(now=end, days=7)
    assert (site.engaged_median, site.engaged_p90) == (39, 90)


@pytest.mark.parametrize("counted_until", [None, 0, 5, 39, 40])
def test_reports__whatever_has_been_rolled_up__are_the_same(
    story: Any, now: datetime, counted_until: int | None
) -> None:
    tracked, end = story
    page_before, site_before = reports.page_report([tracked.pk], now=end), overview(now=end)
    if counted_until is not None:
        moment = min(now + counted_until * DAY + timedelta(hours=20), end)
        while rollups.roll_up(now=moment, limit=100):
            pass
        assert SiteDay.objects.exists()
    assert reports.page_report([tracked.pk], now=end) == page_before
    assert overview(now=end) == site_before
    assert site_before.views == page_before.views > 0


def test_overview__people__are_new_or_returning(home: Any, now: datetime) -> None:
    ann, bob = browser(now), browser(now)
    view(home, now, ann)
    later = now + 20 * DAY
    view(home, later, ann)
    carl = browser(later)
    view(home, later, carl)
    view(home, later + timedelta(hours=2), carl)
    assert bob is not None
    found = overview(now=later + timedelta(hours=3), days=7)
    assert (found.visitors, found.new_visitors, found.returning_visitors) == (2, 1, 1)
    assert (found.visits, found.views, found.channels) == (3, 3, [("Direct", 3)])
    assert [(page.title, count) for page, count in found.top_pages] == [("Home", 3)]
    assert overview(now=later + timedelta(hours=3), days=30).returning_visitors == 0


def test_overview__busy_day__is_as_old_as_its_last_count(
    home: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "BUSY_DAY", 2)
    view(home, now, browser(now))
    rollups.roll_up(now=now)
    view(home, now, browser(now))
    later = now + timedelta(minutes=5)
    # One view was no busy day: raw rows.
    assert overview(now=later).views == 2
    rollups.roll_up(now=later)
    view(home, now, browser(now))
    found = overview(now=later + timedelta(minutes=10))
    assert (found.views, found.visits, found.top_pages[0][1]) == (2, 2, 2)
    # The worker is down: raw rows again.
    assert overview(now=later + timedelta(minutes=11)).views == 3


def test_reports__long_history__cost_a_fixed_number_of_statements(story: Any) -> None:
    tracked, end = story
    counts = []
    for days in (7, 90):
        with CaptureQueriesContext(connection) as queries:
            reports.page_report([tracked.pk], now=end, days=days)
            reports.readers([tracked.pk], now=end, days=days)
            overview(now=end, days=days)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 26


def test_readers__newest_first__with_all_their_views_of_the_period(home: Any, now: datetime) -> None:
    ann, bob = browser(now), browser(now)
    view(home, now - 10 * DAY, ann, 100)
    view(home, now - 2 * DAY, ann, 5)
    view(home, now - DAY, bob, 7)
    view(home, now, ann, 6)
    identify(
        ann, email="ann@example.com", now=now, method="form", family_name="Ann", company_name="Sample Inc."
    )
    page_id = TrackedPage.objects.get().pk
    found = reports.readers([page_id], now=now, days=7)
    assert [(each.label, each.company, each.views, each.engaged_seconds) for each in found] == [
        ("Ann", "Sample Inc.", 2, 11),
        (str(bob.visitor), "", 1, 7),
    ]
    assert [each.label for each in reports.readers([page_id], now=now, days=7, limit=1)] == ["Ann"]
    assert reports.readers([], now=now) == []


def test_viewed_pages__period__sums_days_and_merges_durations(story: Any) -> None:
    tracked, end = story
    while rollups.roll_up(now=end, limit=100):
        pass
    [page] = reports.decorate(reports.viewed_pages(now=end, days=7), now=end, days=7)
    report = reports.page_report([tracked.pk], now=end, days=7)
    assert (page.view_count, page.visit_count, page.engaged_seconds) == (6, 4, report.engaged_seconds)
    assert (page.engaged_median, page.engaged_p90) == (report.engaged_median, report.engaged_p90)
    assert page.curve == [day.views for day in report.days]
    PageDay.objects.all().delete()
    assert not reports.viewed_pages(now=end, days=7).exists()


@pytest.mark.parametrize(
    ("asked", "days"), [("7", 7), ("90", 90), ("", 30), (None, 30), ("8", 30), ("7x", 30)]
)
def test_period__anything__is_one_of_the_three(asked: str | None, days: int) -> None:
    assert reports.period(asked) == days
