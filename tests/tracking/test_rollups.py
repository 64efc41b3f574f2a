"""Daily roll-ups: right, idempotent, resumable."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import browser, engagement_hit, page_hit
from tests.tracking.test_page_classes import child
from wagtail_ma import flow
from wagtail_ma.tracking import pages, rollups
from wagtail_ma.tracking.models import PageDay, PageView, SiteDay, Visit

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
# ``now`` is 10:00 in Tokyo on this day.
FIRST = date(2026, 3, 3)


@pytest.fixture(autouse=True)
def fresh_memory() -> Any:
    pages.forget()


def view(page: Any, at: datetime, identity: Any, seconds: float = 10, **fields: Any) -> Any:
    hit = page_hit(
        page,
        browser_key=identity.key,
        engaged_ms=round(seconds * 1000),
        visible_ms=round(seconds * 1000),
        **fields,
    )
    flow.record_hit(hit, now=at)
    return hit


def day_of(page: Any, day: date) -> PageDay:
    return PageDay.objects.get(tracked_page__page_id=page.pk, day=day)


def everything(model: Any) -> list[dict[str, Any]]:
    names = [field.attname for field in model._meta.fields if field.name not in ("id", "counted_at")]
    return sorted(model.objects.values(*names), key=str)


def test_roll_up__a_day__counts_views_visits_people_and_durations_without_bots(
    home: Any, now: datetime
) -> None:
    ann, bob, robot = browser(now), browser(now), browser(now)
    for minute, seconds in enumerate((4, 8, 40)):
        view(home, now + timedelta(minutes=minute), ann, seconds, scroll_percent=50)
    view(home, now + timedelta(hours=3), ann, 16, referrer="https://www.google.com/")
    view(home, now, bob, 2)
    view(home, now, robot, is_bot=True)
    rollups.roll_up(now=now + DAY)
    row = day_of(home, FIRST)
    assert (row.views, row.visits, row.visitors) == (5, 3, 2)
    assert (row.engaged_seconds, row.scroll_percents) == (70, 150)
    assert (row.engaged_median, row.engaged_p90) == (8, 40)
    site = SiteDay.objects.get(day=FIRST)
    assert (site.views, site.visits, site.visitors, site.new_visitors) == (5, 3, 2, 2)
    assert site.mediums == {"direct": 2, "organic": 1}
    assert site.engaged_histogram == row.engaged_histogram


def test_roll_up__returning_visitor__is_new_on_the_first_day_only(home: Any, now: datetime) -> None:
    ann = browser(now)
    view(home, now, ann)
    view(home, now + DAY, ann)
    rollups.roll_up(now=now + 3 * DAY, limit=10)
    days = SiteDay.objects.order_by("day").values_list("visitors", "new_visitors", "views")
    assert list(days) == [(1, 1, 1), (1, 0, 1), (0, 0, 0), (0, 0, 0)]


def test_roll_up__around_midnight__the_day_is_the_one_of_the_site(home: Any, now: datetime) -> None:
    # 23:59 and 00:01 in Tokyo: one visit, two days of views, and both 3 March in UTC.
    midnight = rollups.midnight(FIRST + DAY)
    ann = browser(now)
    view(home, midnight - timedelta(minutes=1), ann)
    view(home, midnight + timedelta(minutes=1), ann)
    rollups.roll_up(now=now + 2 * DAY, limit=10)
    assert [day_of(home, FIRST).views, day_of(home, FIRST + DAY).views] == [1, 1]
    assert [each.visits for each in SiteDay.objects.order_by("day")] == [1, 0, 0]


def test_roll_up__interrupted_after_each_day__ends_with_the_same_rows(home: Any, now: datetime) -> None:
    other = child(home, "other")
    for number in range(6):
        view(home if number % 2 else other, now + number * DAY, browser(now), number * 7)
    later = now + 20 * DAY
    assert rollups.roll_up(now=later, limit=100) == 21
    at_once = everything(PageDay), everything(SiteDay)
    SiteDay.objects.all().delete()
    PageDay.objects.all().delete()
    while rollups.roll_up(now=later, limit=1):
        pass
    assert (everything(PageDay), everything(SiteDay)) == at_once


def test_roll_up__late_message__is_counted_within_the_hour_and_not_after_the_day_is_settled(
    home: Any, now: datetime
) -> None:
    ann = browser(now)
    hit = view(home, now, ann, 3)
    night = rollups.midnight(FIRST + DAY) + timedelta(minutes=1)
    rollups.roll_up(now=night, limit=10)
    flow.record_hit(engagement_hit(hit.view_id, 90, page=home, browser_key=ann.key), now=night)
    rollups.roll_up(now=night + timedelta(minutes=30), limit=10)
    assert day_of(home, FIRST).engaged_seconds == 3
    rollups.roll_up(now=night + timedelta(hours=1), limit=10)
    assert day_of(home, FIRST).engaged_seconds == 90
    rollups.roll_up(now=night + 2 * DAY, limit=10)
    assert SiteDay.objects.get(day=FIRST).is_settled
    PageView.objects.update(engaged_seconds=1)
    rollups.roll_up(now=night + 3 * DAY, limit=10)
    assert day_of(home, FIRST).engaged_seconds == 90


def test_roll_up__today__is_counted_every_five_minutes_and_once_more_after_midnight(
    home: Any, now: datetime
) -> None:
    view(home, now, browser(now))
    assert rollups.roll_up(now=now) == 1
    view(home, now, browser(now))
    assert rollups.roll_up(now=now + timedelta(minutes=4)) == 0
    assert rollups.roll_up(now=now + timedelta(minutes=5)) == 1
    assert day_of(home, FIRST).views == 2
    midnight = rollups.midnight(FIRST + DAY)
    rollups.roll_up(now=midnight - timedelta(minutes=6))
    view(home, midnight - timedelta(minutes=2), browser(now))
    assert rollups.roll_up(now=midnight, limit=10) == 2
    assert day_of(home, FIRST).views == 3


def test_roll_up__nothing_due__costs_three_statements(home: Any, now: datetime) -> None:
    view(home, now, browser(now))
    rollups.roll_up(now=now + 10 * DAY, limit=100)
    with CaptureQueriesContext(connection) as queries:
        assert rollups.roll_up(now=now + 10 * DAY) == 0
    assert len(queries) == 3


def test_roll_up__empty_site__counts_nothing(now: datetime) -> None:
    assert rollups.roll_up(now=now) == 0
    assert rollups.first_open_day(now=now) == FIRST


def test_again__facts_added_to_the_past__are_counted(home: Any, now: datetime) -> None:
    view(home, now, browser(now))
    later = now + 5 * DAY
    rollups.roll_up(now=later, limit=100)
    # Before everything that was counted: found without a word.
    view(home, now - 2 * DAY, browser(now))
    assert rollups.roll_up(now=later, limit=100) == 2
    assert SiteDay.objects.get(day=FIRST - 2 * DAY).views == 1
    view(home, now, browser(now))
    rollups.again(FIRST, last=FIRST)
    assert rollups.first_open_day(now=later) == FIRST
    assert rollups.roll_up(now=later, limit=100) == 1
    assert day_of(home, FIRST).views == 2


def test_count__page_without_views_any_more__has_no_row(home: Any, now: datetime) -> None:
    view(home, now, browser(now))
    rollups.count(rollups.Span(FIRST, FIRST), now=now)
    Visit.objects.all().delete()
    rollups.count(rollups.Span(FIRST, FIRST), now=now)
    assert not PageDay.objects.exists()
    assert SiteDay.objects.get().views == 0


def test_page_days__one_page_and_several_days__equal_the_stored_ones(home: Any, now: datetime) -> None:
    other = child(home, "other")
    for number in range(4):
        view(home, now + number * DAY, browser(now), number)
        view(other, now + number * DAY, browser(now), number)
    rollups.roll_up(now=now + 4 * DAY, limit=10)
    tracked = day_of(home, FIRST).tracked_page
    raw = rollups.page_days(rollups.Span(FIRST, FIRST + 3 * DAY), tracked_page=tracked)
    stored = PageDay.objects.filter(tracked_page=tracked)
    shown = lambda rows: sorted((each.day, each.views, each.engaged_histogram) for each in rows)  # noqa: E731
    assert shown(raw) == shown(stored)
    assert len(raw) == 4


def test_page_days__visit_beyond_midnight__is_one_visit_of_the_day_it_began(home: Any, now: datetime) -> None:
    midnight = rollups.midnight(FIRST + DAY)
    ann = browser(now)
    view(home, midnight - timedelta(minutes=1), ann, referrer="https://www.google.com/")
    view(home, midnight + timedelta(minutes=1), ann)
    rollups.roll_up(now=now + 2 * DAY, limit=10)
    days = [day_of(home, FIRST), day_of(home, FIRST + DAY)]
    assert [(each.views, each.visits, each.mediums) for each in days] == [(1, 1, {"organic": 1}), (1, 0, {})]
