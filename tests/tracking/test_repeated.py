"""Messages told again, late or wrongly; and pages that the token does not name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import engagement_hit, page_hit
from tests.testapp.models import ContentPage
from tests.web.test_hits import message, post
from wagtail_ma import flow
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import page_token, pages, sites, views
from wagtail_ma.tracking.models import Activity, PageView, TrackedPage, Visit
from wagtail_ma.tracking.page_token import PageRef

pytestmark = pytest.mark.django_db
FACTS = (Visitor, Identity, Visit, PageView, Activity, News)


def uuid7(moment: datetime) -> UUID:
    """A view's id as a browser with this time makes it."""
    random = uuid4().int & ((1 << 62) - 1)
    return UUID(int=round(moment.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | random)


def everything() -> list[list[dict[str, Any]]]:
    return [list(model.objects.order_by("pk").values()) for model in FACTS]


@pytest.mark.parametrize("later", [timedelta(minutes=5), timedelta(minutes=45), timedelta(days=2)])
def test_messages__repeated_later__neither_prolong_nor_begin_a_visit(
    home: Any, now: datetime, later: timedelta
) -> None:
    hit = page_hit(home, referrer="https://www.bing.com/")
    key = flow.record_hit(hit, now=now).browser_key
    known = {"browser_key": key, "view_id": hit.view_id}
    messages = [
        page_hit(home, referrer=hit.referrer, **known),
        engagement_hit(hit.view_id, 30, page=home, browser_key=key),
        page_hit(home, kind="c", event_id=uuid4(), name="video_play", **known),
    ]
    for hit in messages:
        flow.record_hit(hit, now=now + timedelta(seconds=40))
    before = everything()
    for hit in [*messages, *reversed(messages)]:
        flow.record_hit(hit, now=now + later)
    assert everything() == before


def test_page_message__after_its_total_and_repeated__explains_the_visit_once(
    home: Any, now: datetime
) -> None:
    view_id = uuid4()
    key = flow.record_hit(engagement_hit(view_id, 5, page=home), now=now).browser_key
    late = page_hit(home, view_id=view_id, browser_key=key, referrer="http://localhost/before/")
    flow.record_hit(late, now=now + timedelta(seconds=1))
    before = everything()
    flow.record_hit(late, now=now + timedelta(minutes=20))
    assert everything() == before


@pytest.mark.django_db(transaction=True)
def test_total__unchanged__writes_nothing(home: Any, now: datetime) -> None:
    hit = page_hit(home)
    flow.record_hit(hit, now=now)
    total = engagement_hit(hit.view_id, 20, page=home)
    flow.record_hit(total, now=now + timedelta(seconds=20))
    with CaptureQueriesContext(connection) as statements:
        flow.record_hit(total, now=now + timedelta(seconds=50))
    assert [row["sql"] for row in statements if row["sql"].startswith(("UPDATE", "INSERT"))] == []
    assert len(statements) <= 3


def test_total__first_message_came_late__not_cut(home: Any, now: datetime) -> None:
    hit = page_hit(home, view_id=uuid7(now - timedelta(minutes=10)))
    flow.record_hit(hit, now=now)
    flow.record_hit(engagement_hit(hit.view_id, 590), now=now + timedelta(seconds=1))
    view = PageView.objects.get()
    assert (view.engaged_seconds, view.is_doubtful, view.at) == (590, False, now)


@pytest.mark.parametrize("hours", [2, -25])
def test_total__clock_of_the_browser_far_off__cut_as_ever(home: Any, now: datetime, hours: int) -> None:
    hit = page_hit(home, view_id=uuid7(now + timedelta(hours=hours)))
    flow.record_hit(hit, now=now)
    flow.record_hit(engagement_hit(hit.view_id, 590), now=now + timedelta(seconds=1))
    assert PageView.objects.get().engaged_seconds == 6


@pytest.mark.parametrize(("seconds", "doubtful"), [(6, False), (65, False), (67, True), (1800, True)])
def test_total__impossible__flagged_when_it_is_far_too_much(
    home: Any, now: datetime, seconds: int, doubtful: bool
) -> None:
    hit = page_hit(home)
    flow.record_hit(hit, now=now)
    flow.record_hit(engagement_hit(hit.view_id, seconds), now=now + timedelta(seconds=1))
    assert PageView.objects.get().is_doubtful is doubtful
    # An honest total later does not clear it.
    flow.record_hit(engagement_hit(hit.view_id, 30), now=now + timedelta(seconds=40))
    assert PageView.objects.get().is_doubtful is doubtful


def test_visitor__with_many_doubtful_views__is_excluded(home: Any, now: datetime) -> None:
    key = None
    for number in range(1, 6):
        hit = page_hit(home, browser_key=key)
        key = flow.record_hit(hit, now=now).browser_key or key
        flow.record_hit(engagement_hit(hit.view_id, 1800), now=now + timedelta(seconds=1))
        expected = views.DOUBTFUL if number > views.MAX_DOUBTFUL_VIEWS else ""
        assert Visitor.objects.get().excluded_reason == expected


def child(home: Any, slug: str, **fields: Any) -> Any:
    page = ContentPage(title=slug.title(), slug=slug, **fields)
    home.add_child(instance=page)
    return page


def pushed(home: Any, site: Any, path: str) -> TrackedPage:
    """The page of a view after a history navigation, with the token of the page before."""
    ref = PageRef(site.pk, home.pk, "/", "en")
    hit = page_hit(home, url=f"http://localhost{path}", nav_type="s")
    return _recorded(hit, ref)


def _recorded(hit: Any, ref: PageRef) -> TrackedPage:

    pages.forget()
    flow.record_hit(hit._replace(page=ref), now=datetime(2026, 3, 3, tzinfo=UTC))
    return TrackedPage.objects.get(views__view_id=hit.view_id)


def test_history__old_token__page_found_by_address(home: Any, site: Any) -> None:
    page = child(home, "news")
    assert pushed(home, site, "/news/?x=1").page_id == page.pk
    assert pushed(home, site, "/news").page_id == page.pk
    assert pushed(home, site, "/").page_id == home.pk


def test_history__page_of_another_place_with_the_same_slug__not_taken(home: Any, site: Any) -> None:
    deeper = child(child(home, "products"), "news")
    assert pushed(home, site, "/news/").key == f"url:{site.pk}:/news/"
    assert pushed(home, site, "/products/news/").page_id == deeper.pk


def test_history__page_not_published__recorded_by_address_alone(home: Any, site: Any) -> None:
    child(home, "draft", live=False)
    found = pushed(home, site, "/draft/")
    assert (found.key, found.page_id, found.title) == (f"url:{site.pk}:/draft/", None, "")


def test_history__manual_view_or_load__token_is_right(home: Any, site: Any) -> None:
    child(home, "news")
    ref = PageRef(site.pk, home.pk, "/", "en")
    for way in ("m", "n"):
        hit = page_hit(home, url="http://localhost/news/", nav_type=way)
        assert _recorded(hit, ref).page_id == home.pk


@pytest.mark.parametrize(("host", "expected"), [("localhost", 0), ("other.example", 1)])
def test_token__of_another_site__dropped_where_that_is_not(
    home: Any, site: Any, client: Client, host: str, expected: int
) -> None:
    other = site.__class__.objects.create(hostname="other.example", root_page=home)
    token = page_token.make(PageRef(other.pk, None, "/", "en"))
    body = message(home, t=token, u=f"http://{host}/")
    assert post(client, body, HTTP_HOST=host).status_code == 204
    assert PageView.objects.count() == expected


def test_token__of_the_default_site_on_an_unknown_host__accepted(home: Any, site: Any) -> None:
    assert not sites.is_of_another(site.pk, "http://anything.example/")
    assert not sites.is_of_another(site.pk, "http://LOCALHOST:8000/")
    assert not sites.is_of_another(None, "http://localhost/")
    assert sites.is_of_another(site.pk + 1, "http://localhost/")
