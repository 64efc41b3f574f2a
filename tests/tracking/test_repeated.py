"""Messages told again, late or wrongly; and pages that the token does not name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from wagtail.models import PageViewRestriction

from tests.factories import engagement_hit, page_hit
from tests.statements import counted
from tests.testapp.models import ContentPage
from tests.web.test_hits import message, post
from wagtail_ma import flow
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import batch, page_token, pages, sites, views
from wagtail_ma.tracking.hits import Heard
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


def lost(home: Any, seconds: float, *, begun: datetime | None, **fields: Any) -> Any:
    """What is told of a view whose first message never came; ``begun`` as its id says (None: not)."""
    return engagement_hit(uuid7(begun) if begun else uuid4(), seconds, page=home, **fields)


@pytest.mark.parametrize(
    ("seconds", "minutes_ago", "doubtful"),
    [
        (1200, 20, False),
        (1800, 90, False),
        (1200, 19, False),
        (1200, 18, True),
        (1800, 0, True),
        # A clock that is wrong tells nothing: in the future, or older than a message waits.
        (1200, -5, True),
        (1200, 25 * 60, True),
        (60, -5, False),
        (1800, None, True),
        (60, None, False),
    ],
)
@pytest.mark.parametrize("is_gathered", [False, True])
def test_total_of_an_unknown_view__kept_and_flagged_when_its_id_is_younger(
    home: Any, now: datetime, seconds: int, minutes_ago: int | None, doubtful: bool, is_gathered: bool
) -> None:
    begun = None if minutes_ago is None else now - timedelta(minutes=minutes_ago)
    hit = lost(home, seconds, begun=begun)
    if is_gathered:
        batch.write([Heard(hit, now)])
    else:
        flow.record_hit(hit, now=now)
    view = PageView.objects.get()
    assert (view.engaged_seconds, view.at) == (seconds, now - timedelta(seconds=seconds))
    assert view.is_doubtful is doubtful


@pytest.mark.parametrize("is_gathered", [False, True])
def test_visitor__with_many_doubtful_views_of_which_nothing_was_known__is_excluded(
    home: Any, now: datetime, is_gathered: bool
) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    for number in range(1, 6):
        hit = lost(home, 1800, begun=now, browser_key=key)
        if is_gathered:
            batch.write([Heard(hit, now)])
        else:
            flow.record_hit(hit, now=now)
        expected = views.DOUBTFUL if number > views.MAX_DOUBTFUL_VIEWS else ""
        assert Visitor.objects.get().excluded_reason == expected


def test_total_of_an_unknown_view__told_again_by_another_process__no_second_doubt(
    home: Any, now: datetime
) -> None:
    hit = lost(home, 1800, begun=now, browser_key="b", is_key_fresh=True)
    for _ in range(5):
        flow.record_hit(hit, now=now)
        batch.write([Heard(hit, now)])
    assert PageView.objects.get().is_doubtful
    assert Visitor.objects.get().excluded_reason == ""


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
    assert pushed(home, site, "/news/").page_id == home.pk
    assert pushed(home, site, "/products/news/").page_id == deeper.pk


@pytest.mark.parametrize("kind", ["invented", "unpublished", "private", "of another site"])
def test_history__no_public_page_there__counts_for_the_page_of_the_token(
    home: Any, site: Any, kind: str
) -> None:
    place = home
    if kind == "of another site":
        place = child(home.get_parent(), "other-root")
        site.__class__.objects.create(hostname="other.example", root_page=place)
    if kind != "invented":
        secret = child(place, "secret", live=kind != "unpublished")
        if kind == "private":
            PageViewRestriction.objects.create(page=secret, restriction_type="login")
    assert pushed(home, site, "/secret/").page_id == home.pk
    assert TrackedPage.objects.count() == 1


@pytest.mark.parametrize("path", ["/app/list/", "/app/" + "長" * 400, "/app/" + "é" * 120])
def test_history__named_by_a_token_before__found_by_its_address(home: Any, site: Any, path: str) -> None:
    token = page_token.read(page_token.make(PageRef(site.pk, None, path, "en")))
    assert token is not None
    loaded = _recorded(page_hit(home, url=f"http://localhost{quote(path)}"), token)
    assert loaded.key.startswith(f"url:{site.pk}:")
    assert pushed(home, site, quote(path)) == loaded
    assert pushed(home, site, "/app/other/").page_id == home.pk


def test_history__claimed_before_its_token_came__the_token_still_counts(home: Any, site: Any) -> None:
    claim = page_hit(home, url="http://localhost/app/", nav_type="s")
    at = datetime(2026, 3, 3, tzinfo=UTC)
    flow.record_hit(claim._replace(page=PageRef(site.pk, home.pk, "/", "en")), now=at)
    shown = page_hit(home, url="http://localhost/app/", nav_type="s")
    flow.record_hit(shown._replace(page=PageRef(site.pk, None, "/app/", "en")), now=at)
    assert TrackedPage.objects.get(views__view_id=shown.view_id).key == f"url:{site.pk}:/app/"


def test_history__two_tokens_claim_the_same__each_counts_for_its_own(home: Any, site: Any) -> None:
    news = child(home, "news")
    found = []
    for page in (home, news):
        hit = page_hit(page, url="http://localhost/never/", nav_type="s")
        ref = PageRef(site.pk, page.pk, "/somewhere/", "en")
        flow.record_hit(hit._replace(page=ref), now=datetime(2026, 3, 3, tzinfo=UTC))
        found.append(TrackedPage.objects.get(views__view_id=hit.view_id).page_id)
    assert found == [home.pk, news.pk]


@pytest.mark.parametrize("kind", ["p", "e", "c"])
@pytest.mark.parametrize("is_anonymous", [False, True])
def test_history__invented_paths_from_a_browser__make_no_page(
    home: Any, site: Any, client: Client, kind: str, is_anonymous: bool
) -> None:
    post(client, message(home))
    for number in range(20):
        rest = {"i": str(uuid4()), "n": "x"} if kind == "c" else {"e": 9, "o": 9}
        body = message(home, k=kind, y="s", u=f"http://testserver/never/{number}/<script>/", **rest)
        extra = {"HTTP_DNT": "1"} if is_anonymous else {}
        assert post(client, body, **extra).status_code == 204
    assert TrackedPage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_history__first_sight_of_an_address__costs_no_more_than_that_of_a_token_then_nothing(
    home: Any, site: Any, client: Client
) -> None:
    news = child(home, "news")
    own = page_token.make(PageRef(site.pk, news.pk, "/news/", "en"))
    before = page_token.make(PageRef(site.pk, home.pk, "/", "en"))

    def cost(token: str, path: str) -> int:
        body = message(home, t=token, y="s", u=f"http://testserver{path}")
        with counted() as statements:
            assert post(client, body).status_code == 204
        return len([sql for sql in statements if "django_q" not in sql])

    cost(own, "/news/")
    pages.forget()
    named = cost(own, "/news/")
    usual = cost(before, "/") and cost(before, "/")
    assert cost(before, "/news/") <= named
    assert cost(before, "/never/") <= 8
    assert cost(before, "/news/") == cost(before, "/never/") == usual


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
