"""Hits become facts: identity, visit, view."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import engagement_hit, page_hit
from wagtail_ma import flow
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import activities
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import Activity, PageCount, PageView, TrackedPage, Visit

pytestmark = pytest.mark.django_db
IN_ONE_TRANSACTION = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def rows() -> list[dict[str, Any]]:
    views = PageView.objects.order_by("view_id").values()
    return [{k: v for k, v in row.items() if k != "id" and not k.endswith("_id")} for row in views]


def wipe() -> None:
    for model in (Activity, PageView, Visit, News, Identity, Visitor):
        model.objects.all().delete()


def test_record__first_hit__visitor_identity_visit_view_and_news(home: Any, now: datetime) -> None:
    hit = page_hit(home, url="http://localhost/?a=1&b=2", language="ja", referrer="https://www.google.com/")
    key = flow.record_hit(hit, now=now).browser_key
    identity = Identity.objects.get(key=key)
    visit = Visit.objects.get()
    view = PageView.objects.get()
    assert (visit.identity, visit.visitor, visit.started_at, visit.last_at) == (
        identity,
        identity.visitor,
        now,
        now,
    )
    assert (visit.medium, visit.source, visit.referrer_host) == ("organic", "google", "www.google.com")
    assert (visit.device, visit.language, visit.is_bot) == ("desktop", "ja", False)
    assert (view.view_id, view.at, view.visit) == (hit.view_id, now, visit)
    assert (view.visit.identity, view.visitor) == (identity, identity.visitor)
    assert (view.tracked_page.page_id, view.tracked_page.title) == (home.pk, "Home")
    assert list(News.objects.values_list("visitor_id", flat=True)) == [identity.visitor_id]


def test_record__five_reloads__five_views_in_one_visit(home: Any, now: datetime) -> None:
    key = None
    for minute in range(5):
        key = flow.record_hit(
            page_hit(home, browser_key=key), now=now + timedelta(minutes=minute)
        ).browser_key
    assert (Visitor.objects.count(), Visit.objects.count(), PageView.objects.count()) == (1, 1, 5)


def test_record__unknown_key__is_not_adopted(home: Any, now: datetime) -> None:
    key = flow.record_hit(page_hit(home, browser_key="made-up"), now=now).browser_key
    assert key != "made-up"
    assert not Identity.objects.filter(key="made-up").exists()


@pytest.mark.parametrize(("idle_seconds", "visits"), [(1799, 1), (1800, 2), (1801, 2)])
def test_visit__idle_time__ends_after_thirty_minutes(
    home: Any, now: datetime, idle_seconds: int, visits: int
) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    flow.record_hit(page_hit(home, browser_key=key), now=now + timedelta(seconds=idle_seconds))
    assert Visit.objects.count() == visits


def test_visit__midnight_and_another_campaign__do_not_split_it(home: Any) -> None:
    # 23:50 in Tokyo.
    start = datetime.fromisoformat("2026-03-03T23:50:00+09:00")
    key = None
    for minute in range(0, 21, 5):
        hit = page_hit(home, browser_key=key, url=f"http://localhost/?utm_source=s{minute}&utm_medium=cpc")
        key = flow.record_hit(hit, now=start + timedelta(minutes=minute)).browser_key
    visit = Visit.objects.get()
    assert (visit.source, visit.medium) == ("s0", "paid")
    assert visit.last_at - visit.started_at == timedelta(minutes=20)


@IN_ONE_TRANSACTION
@given(gaps=st.lists(st.integers(0, 5400), min_size=1, max_size=12))
def test_visit__any_pauses__as_many_as_pauses_of_thirty_minutes(
    home: Any, now: datetime, gaps: list[int]
) -> None:
    wipe()
    key = None
    moment = now
    for gap in gaps:
        moment += timedelta(seconds=gap)
        key = flow.record_hit(page_hit(home, browser_key=key), now=moment).browser_key
    assert Visit.objects.count() == 1 + sum(gap >= 1800 for gap in gaps[1:])
    assert PageView.objects.count() == len(gaps)
    for visit in Visit.objects.all():
        times = sorted(view.at for view in visit.views.all())
        assert (visit.started_at, visit.last_at) == (times[0], times[-1])


def test_engagement__known_view__keeps_the_largest_totals(home: Any, now: datetime) -> None:
    hit = page_hit(home)
    key = flow.record_hit(hit, now=now).browser_key
    for seconds, scroll in ((5, 10), (20, 60), (12, 30)):
        later = engagement_hit(hit.view_id, seconds, browser_key=key, scroll_percent=scroll)
        flow.record_hit(later, now=now + timedelta(seconds=30))
    view = PageView.objects.get()
    assert (view.engaged_seconds, view.visible_seconds, view.scroll_percent) == (20, 20, 60)


def test_engagement__prolongs_the_open_visit_only(home: Any, now: datetime) -> None:
    hit = page_hit(home)
    flow.record_hit(hit, now=now)
    flow.record_hit(engagement_hit(hit.view_id, 60), now=now + timedelta(minutes=20))
    assert Visit.objects.get().last_at == now + timedelta(minutes=20)
    flow.record_hit(engagement_hit(hit.view_id, 90), now=now + timedelta(minutes=60))
    assert Visit.objects.get().last_at == now + timedelta(minutes=20)
    assert PageView.objects.get().engaged_seconds == 90


def test_engagement__more_than_the_page_was_open__bounded(home: Any, now: datetime) -> None:
    hit = page_hit(home)
    flow.record_hit(hit, now=now)
    flow.record_hit(engagement_hit(hit.view_id, 3600), now=now + timedelta(seconds=1))
    assert PageView.objects.get().engaged_seconds == 6


def test_engagement__beyond_the_cap__thirty_minutes(home: Any, now: datetime) -> None:
    hit = page_hit(home)
    flow.record_hit(hit, now=now)
    flow.record_hit(engagement_hit(hit.view_id, 7200), now=now + timedelta(hours=2))
    assert PageView.objects.get().engaged_seconds == 1800


def test_engagement__first_message_lost__makes_the_view(home: Any, now: datetime) -> None:
    view_id = uuid4()
    hit = engagement_hit(view_id, 20, page=home, url="http://localhost/?utm_source=x")
    assert flow.record_hit(hit, now=now).browser_key is not None
    view = PageView.objects.get()
    assert (view.at, view.engaged_seconds) == (now - timedelta(seconds=20), 20)
    assert (view.visit.started_at, view.visit.last_at, view.visit.source) == (view.at, now, "x")
    flow.record_hit(engagement_hit(view_id, 50, page=home), now=now + timedelta(seconds=30))
    assert PageView.objects.get().engaged_seconds == 50


def test_engagement__first_message_arrives_later__tells_the_referrer(home: Any, now: datetime) -> None:
    view_id = uuid4()
    key = flow.record_hit(engagement_hit(view_id, 5, page=home), now=now).browser_key
    assert Visit.objects.get().medium == "direct"
    late = page_hit(home, view_id=view_id, browser_key=key, referrer="https://www.bing.com/")
    flow.record_hit(late, now=now + timedelta(seconds=1))
    assert (Visit.objects.get().medium, PageView.objects.get().engaged_seconds) == ("organic", 5)


def test_engagement__later_view_with_referrer__does_not_explain_the_visit(home: Any, now: datetime) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    later = page_hit(home, browser_key=key, referrer="https://www.bing.com/")
    for _ in range(2):
        flow.record_hit(later, now=now + timedelta(minutes=1))
    assert Visit.objects.get().medium == "direct"


def test_messages__doubled_and_in_any_order__same_row(home: Any, now: datetime) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    view_id = uuid4()
    url = "http://localhost/?q=1"
    messages = [
        page_hit(home, view_id=view_id, browser_key=key, url=url),
        *(
            engagement_hit(view_id, s, page=home, browser_key=key, url=url, scroll_percent=s)
            for s in (5, 20, 35)
        ),
    ]
    expected = None
    for order in [messages, *random.Random(1).sample(list(permutations(messages)), 10)]:
        PageView.objects.filter(view_id=view_id).delete()
        for number, message in enumerate((*order, *order, *reversed(order))):
            flow.record_hit(message, now=now + timedelta(seconds=40 * number))
        view = PageView.objects.get(view_id=view_id)
        found = (view.engaged_seconds, view.visible_seconds, view.scroll_percent)
        expected = expected or found
        assert found == expected == (35, 35, 35)
    assert PageView.objects.count() == 2
    assert Visit.objects.count() == 1


@IN_ONE_TRANSACTION
@given(
    totals=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 3600)), min_size=1, max_size=8),
)
def test_engagement__any_totals_at_any_time__grows_within_bounds(
    home: Any, now: datetime, totals: list[tuple[int, int]]
) -> None:
    wipe()
    hit = page_hit(home)
    flow.record_hit(hit, now=now)
    best = 0.0
    for elapsed, engaged in totals:
        flow.record_hit(engagement_hit(hit.view_id, engaged), now=now + timedelta(seconds=elapsed))
        best = max(best, min(engaged, elapsed + 5, 1800))
        assert PageView.objects.get().engaged_seconds == best


def test_engagement__of_a_known_view__news_when_it_grew(home: Any, now: datetime) -> None:
    hit = page_hit(home)
    flow.record_hit(hit, now=now)
    later = engagement_hit(hit.view_id, 20)
    for expected in (2, 2):
        flow.record_hit(later, now=now + timedelta(seconds=30))
        assert News.objects.count() == expected


def test_activity__sent_twice__one_row(home: Any, now: datetime) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    act = page_hit(home, kind="c", browser_key=key, event_id=uuid4(), name="form_start", data={"form": 7})
    for _ in range(2):
        flow.record_hit(act, now=now)
    row = Activity.objects.get()
    assert (row.kind, row.object_kind, row.object_key, row.data) == ("form_start", "form", "7", {"form": 7})
    assert (row.visit, row.tracked_page.page_id) == (Visit.objects.get(), home.pk)


def test_activity_add__same_source_key__same_row(home: Any, now: datetime) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    identity = Identity.objects.get(key=key)
    News.objects.all().delete()
    made = [
        activities.add(
            identity, kind="download", now=now, source_key="d:1", object_kind="document", object_key="7"
        )
        for _ in range(2)
    ]
    assert made[0].pk == made[1].pk == Activity.objects.get().pk
    assert News.objects.count() == 1


def test_messages_without_cookie__of_a_known_view__belong_to_its_browser(home: Any, now: datetime) -> None:
    hit = page_hit(home)
    key = flow.record_hit(hit, now=now).browser_key
    # The answer got lost, and the cookie with it.
    assert flow.record_hit(hit, now=now + timedelta(seconds=2)).browser_key == key
    act = page_hit(home, kind="c", view_id=hit.view_id, event_id=uuid4(), name="video_play")
    assert flow.record_hit(act, now=now + timedelta(seconds=9)).browser_key == key
    assert (Visitor.objects.count(), Visit.objects.count(), PageView.objects.count()) == (1, 1, 1)
    assert Activity.objects.get().identity.key == key


def test_message_without_cookie__of_an_old_view__hands_out_no_key(home: Any, now: datetime) -> None:
    hit = page_hit(home)
    key = flow.record_hit(hit, now=now).browser_key
    assert flow.record_hit(hit, now=now + timedelta(minutes=31)).browser_key != key


def test_bot__recorded_and_marked(home: Any, now: datetime) -> None:
    flow.record_hit(page_hit(home, is_bot=True), now=now)
    assert Visit.objects.get().is_bot


def test_anonymous__counted_once_per_view_without_any_identity(home: Any, now: datetime) -> None:
    hit = page_hit(home, is_anonymous=True)
    for _ in range(2):
        assert flow.record_hit(hit, now=now).browser_key is None
    flow.record_hit(page_hit(home, is_anonymous=True), now=now)
    flow.record_hit(page_hit(home, is_anonymous=True, is_bot=True), now=now)
    flow.record_hit(engagement_hit(hit.view_id, 9, page=home, is_anonymous=True), now=now)
    count = PageCount.objects.get()
    # 10:00 in Tokyo.
    assert (count.views, str(count.day)) == (2, "2026-03-03")
    assert not Visitor.objects.exists() and not PageView.objects.exists()


def test_hit__built_with_nothing_but_kind_view_and_url__recorded(now: datetime) -> None:
    flow.record_hit(Hit(kind="p", view_id=uuid4(), url="https://example.com/shop/?x=1"), now=now)
    page = TrackedPage.objects.get()
    assert (page.key, page.url, page.site_id) == ("url:0:/shop/", "https://example.com/shop/", None)
