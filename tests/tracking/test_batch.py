"""Messages written together end in the same rows as messages written one by one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import engagement_hit, page_hit
from wagtail_ma import flow
from wagtail_ma.people import drawn_keys
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import batch
from wagtail_ma.tracking.hits import Heard, Hit
from wagtail_ma.tracking.models import Activity, PageView, TrackedPage, Visit

pytestmark = pytest.mark.django_db
IN_ONE_TRANSACTION = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
GOOGLE = "https://www.google.com/"


def rows() -> dict[str, Any]:
    """All that was recorded, without primary keys."""
    own = {identity.pk: identity.key for identity in Identity.objects.all()}
    visits = [
        (
            own[v.identity_id],
            v.started_at,
            v.last_at,
            v.medium,
            v.referrer_host,
            v.landing_id,
            v.views.count(),
        )
        for v in Visit.objects.all()
    ]
    seen = [
        (
            v.view_id.hex,
            own[v.visit.identity_id],
            v.at,
            v.engaged_seconds,
            v.visible_seconds,
            v.scroll_percent,
            v.is_doubtful,
        )
        for v in PageView.objects.select_related("visit")
    ]
    acts = [(a.source_key, own[a.identity_id], a.at, a.kind) for a in Activity.objects.all()]
    for view in PageView.objects.select_related("visit__identity"):
        assert view.visitor_id == view.visit.visitor_id == view.visit.identity.visitor_id
    return {
        "visits": sorted(visits),
        "views": sorted(seen),
        "acts": sorted(acts),
        "visitors": Visitor.objects.count(),
        "identities": sorted(own.values()),
        "with news": sorted({own_key(pk) for pk in News.objects.values_list("visitor_id", flat=True)}),
    }


def own_key(visitor_id: int) -> str:
    return Identity.objects.filter(visitor_id=visitor_id).order_by("key").values_list("key", flat=True)[0]


def wipe() -> None:
    for model in (Activity, PageView, Visit, News, Identity, Visitor):
        model.objects.all().delete()


def fresh(hit: Hit, at: datetime) -> Hit:
    """As ``flow.receive`` hands it on: with the key that the browser is given."""
    key = hit.browser_key or drawn_keys.draw(hit.view_id, now=at)
    is_first = hit.browser_key is None and hit.kind == "p"
    return hit._replace(browser_key=key, is_key_fresh=True, is_first=is_first)


@st.composite
def stories(draw: Any) -> list[tuple[int, str, int, int, int, bool]]:
    """(seconds later, kind, browser, view, seconds too many, is repeated) of messages of two browsers."""
    return draw(
        st.lists(
            st.tuples(
                st.sampled_from([0, 1, 5, 40, 600, 1799, 1800, 2500]),
                st.sampled_from("ppeeec"),
                st.integers(0, 1),
                st.integers(0, 2),
                # A total may claim more than there was time for.
                st.sampled_from([0, 0, 0, 3, 64, 66, 1800]),
                st.booleans(),
            ),
            min_size=1,
            max_size=14,
        )
    )


def told(story: list[tuple[int, str, int, int, int, bool]], start: datetime, home: Any) -> list[Heard]:
    """The messages: a view may be read of which nobody has heard, and totals may be claims."""
    at, heard, opened, met = start, [], {}, set()
    for number, (pause, kind, browser, view, too_many, is_repeated) in enumerate(story):
        # No two at the very same moment: which of them began the visit could not be told later.
        at += timedelta(seconds=pause, microseconds=1)
        view_id = UUID(int=(browser * 10 + view + 1))
        if kind == "p" and view_id in opened:
            view_id = UUID(int=1000 + number)
        opened_at = opened.setdefault(view_id, at)
        common = {"browser_key": f"browser-{browser}", "is_key_fresh": True, "url": "http://localhost/?q=1"}
        if kind == "e":
            seconds = min((at - opened_at).total_seconds() + too_many, 1800)
            hit = engagement_hit(view_id, seconds, page=home, scroll_percent=number, **common)
        elif kind == "c":
            hit = page_hit(
                home, kind="c", view_id=view_id, event_id=UUID(int=number), name="video_play", **common
            )
        else:
            referrer = GOOGLE if number % 2 else ""
            # (As if its key had been drawn for it; it may be told again when it is known.)
            hit = page_hit(home, view_id=view_id, referrer=referrer, is_first=browser not in met, **common)
        met.add(browser)
        heard += [Heard(hit, at)] * (2 if is_repeated else 1)
    return heard


@IN_ONE_TRANSACTION
@given(story=stories(), cuts=st.lists(st.integers(1, 5), max_size=10))
def test_batches__of_any_size__same_rows_as_one_by_one(
    home: Any, now: datetime, story: list[Any], cuts: list[int]
) -> None:
    heard = told(story, now, home)
    wipe()
    for each in heard:
        flow.record_hit(each.hit, now=each.at)
    expected = rows()
    wipe()
    rest = heard
    for cut in cuts:
        some, rest = rest[:cut], rest[cut:]
        if some:
            batch.write(some)
    if rest:
        batch.write(rest)
    assert rows() == expected


@IN_ONE_TRANSACTION
@given(story=stories(), gathered=st.lists(st.booleans(), min_size=28, max_size=28))
def test_gathered_and_direct__mixed_in_any_way__same_rows_as_one_by_one(
    home: Any, now: datetime, story: list[Any], gathered: list[bool]
) -> None:
    heard = told(story, now, home)
    wipe()
    for each in heard:
        flow.record_hit(each.hit, now=each.at)
    expected = rows()
    wipe()
    waiting: list[Heard] = []
    for each, is_gathered in zip(heard, gathered, strict=False):
        # What is gathered waits for half a second, and not for another moment of the story.
        if waiting and waiting[0].at != each.at:
            batch.write(waiting)
            waiting = []
        if is_gathered:
            waiting.append(each)
        else:
            flow.record_hit(each.hit, now=each.at)
    if waiting:
        batch.write(waiting)
    assert rows() == expected


@IN_ONE_TRANSACTION
@given(story=stories(), again=st.lists(st.integers(0, 13), max_size=6))
def test_batch__written_again_in_part__doubles_nothing(
    home: Any, now: datetime, story: list[Any], again: list[int]
) -> None:
    heard = told(story, now, home)
    wipe()
    batch.write(heard)
    expected = rows()
    batch.write(heard)
    assert rows() == expected
    for number in again:
        if heard[number:]:
            batch.write(heard[number:])
    assert rows() == expected


def test_batch__written_after_a_later_message__visit_begins_with_the_earlier(
    home: Any, now: datetime
) -> None:
    first = page_hit(home, browser_key="b", is_key_fresh=True, referrer=GOOGLE)
    flow.record_hit(page_hit(browser_key="b", is_key_fresh=True), now=now + timedelta(seconds=5))
    batch.write([Heard(first, now)])
    visit = Visit.objects.get()
    assert (visit.started_at, visit.last_at) == (now, now + timedelta(seconds=5))
    assert (visit.medium, visit.landing.page_id, visit.views.count()) == ("organic", home.pk, 2)


def test_batch__totals_before_their_first_message__same_view(home: Any, now: datetime) -> None:
    view_id = uuid4()
    key = {"browser_key": "b", "is_key_fresh": True}
    totals = Heard(engagement_hit(view_id, 5, page=home, **key), now + timedelta(seconds=6))
    first = Heard(page_hit(home, view_id=view_id, referrer=GOOGLE, **key), now)
    for order in ([totals, first], [first, totals]):
        wipe()
        for each in order:
            batch.write([each])
        view = PageView.objects.select_related("visit").get()
        assert (view.at, view.engaged_seconds, view.visit.started_at) == (now, 5, now)
        assert view.visit.medium == "organic"


def test_batch__500_hits_of_100_browsers__few_statements(home: Any, now: datetime) -> None:
    heard = [Heard(fresh(page_hit(home, browser_key=f"b{number % 100}"), now), now) for number in range(500)]
    batch.write(heard[:1])
    with CaptureQueriesContext(connection) as captured:
        batch.write(heard)
    assert (Visitor.objects.count(), Visit.objects.count(), PageView.objects.count()) == (100, 100, 500)
    assert News.objects.count() == 101
    statements = [row["sql"] for row in captured if "SAVEPOINT" not in row["sql"]]
    # On SQLite each row is one; on PostgreSQL they are one for all.
    assert len(statements) <= (20 if connection.vendor == "postgresql" else 700)


def test_key_neither_fresh_nor_known__is_not_adopted(home: Any, now: datetime) -> None:
    batch.write([Heard(page_hit(home, browser_key="made-up"), now)])
    assert not Identity.objects.filter(key="made-up").exists()
    assert (Visitor.objects.count(), PageView.objects.count()) == (1, 1)


def test_message_without_cookie_of_a_known_view__its_key_belongs_to_the_same_person(
    home: Any, now: datetime
) -> None:
    hit = page_hit(home)
    flow.record_hit(hit, now=now)
    again = fresh(hit, now + timedelta(seconds=2))
    batch.write([Heard(again, now + timedelta(seconds=2))])
    assert (Visitor.objects.count(), Visit.objects.count(), PageView.objects.count()) == (1, 1, 1)
    assert Identity.objects.filter(key=again.browser_key).count() == 1


def test_first_message_sent_again__same_key_in_every_process(home: Any, now: datetime) -> None:
    hit = page_hit(home)
    batch.write([Heard(fresh(hit, now), now)])
    batch.write([Heard(fresh(hit, now), now + timedelta(seconds=1))])
    assert (Visitor.objects.count(), Identity.objects.count(), Visit.objects.count()) == (1, 1, 1)


def test_batch__one_hit_that_cannot_be_written__loses_nobody_else(
    home: Any, now: datetime, caplog: Any
) -> None:
    # Longer than its column; no message of a browser can be.
    bad = page_hit(home, kind="c", event_id=uuid4(), name="x" * 80, browser_key="bad", is_key_fresh=True)
    if connection.vendor == "sqlite":
        bad = bad._replace(data={"x": {1, 2}})
    good = [Heard(fresh(page_hit(home), now), now) for _ in range(3)]
    batch.write_all([good[0], Heard(bad, now), *good[1:]])
    assert (PageView.objects.count(), Activity.objects.count()) == (3, 0)
    assert "a hit could not be recorded" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_batch__page_deleted_meanwhile__recorded_anew(home: Any, now: datetime) -> None:
    batch.write_all([Heard(fresh(page_hit(home), now), now)])
    TrackedPage.objects.all().delete()
    batch.write_all([Heard(fresh(page_hit(home), now), now)])
    assert PageView.objects.get().tracked_page.page_id == home.pk


def test_bots_of_the_server_side__one_identity(home: Any, now: datetime) -> None:
    hits = [page_hit(home, log_key="bot", is_bot=True, source="server") for _ in range(3)]
    batch.write([Heard(hit, now) for hit in hits])
    assert (Identity.objects.get().kind, Visit.objects.get().is_bot) == ("log", True)
    assert PageView.objects.count() == 3


def test_doubtful_totals__marked_as_directly(home: Any, now: datetime) -> None:
    hit = fresh(page_hit(home), now)
    claim = engagement_hit(hit.view_id, 900, page=home, browser_key=hit.browser_key, is_key_fresh=True)
    batch.write([Heard(hit, now), Heard(claim, now + timedelta(seconds=1))])
    view = PageView.objects.get()
    assert (view.engaged_seconds, view.is_doubtful) == (6, True)
