"""Live segments on pages, and variants for people who are not in a segment."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import CHROME, condition, make_browser, make_segment, make_view
from tests.personalisation.test_blocks import (
    body_of,
    client_of,
    enter,
    item,
    page,  # noqa: F401  (a fixture)
    personalised,
    put,
    text,
    variant,
)
from wagtail_ma.segments import refresh
from wagtail_ma.segments.models import Membership

pytestmark = pytest.mark.django_db


def excluding(words: str, *segments: Any) -> dict[str, Any]:
    chosen = [item(getattr(segment, "pk", segment)) for segment in segments]
    return item({"match": "none", "segments": chosen, "content": [text(words)]})


def ad() -> Any:
    return make_segment("Ad", condition("query_parameter", name="from", operator="equals", text="ad"))


def seen(page: Any, query: str = "", client: Client | None = None, **headers: str) -> str:  # noqa: F811
    sent = {"user-agent": CHROME, **headers}
    return (client or Client()).get(f"{page.url}{query}", headers=sent).content.decode()


def test_live__query_parameter__this_page_view_only(page: Any) -> None:  # noqa: F811
    put(page, personalised(variant("OFFER", ad())))
    assert "OFFER" in seen(page, "?x=1&from=AD&from=other")
    assert "DEFAULT" in seen(page, "?from=elsewhere")
    assert "DEFAULT" in seen(page)


def test_live__mixed_with_history__both_must_hold(page: Any, home: Any, now: Any) -> None:  # noqa: F811
    mixed = make_segment(
        "Readers by the ad",
        condition("query_parameter", name="from", operator="present"),
        condition("page_viewed", page=home.pk, number=1),
    )
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    put(page, personalised(variant("OFFER", mixed)))
    assert "OFFER" in seen(page, "?from=ad", client_of(browser))
    assert "DEFAULT" in seen(page, "", client_of(browser))
    assert "DEFAULT" in seen(page, "?from=ad")
    refresh.refresh_visitors([browser.visitor_id], now=now)
    refresh.refresh_segment(mixed, now=now)
    assert not Membership.objects.exists()


@pytest.mark.parametrize(
    "key, values, headers, expected",
    [
        ("device_now", {"device": "desktop"}, {}, True),
        ("device_now", {"device": "mobile"}, {"user-agent": ""}, False),
        ("language_now", {"language": "en"}, {"Accept-Language": "en-GB,ja;q=0.5"}, True),
        ("language_now", {"language": "ja"}, {"Accept-Language": "en-GB,ja;q=0.5"}, False),
        ("country_now", {"countries": "TW, JP"}, {"CF-IPCountry": "jp"}, True),
        ("country_now", {"countries": "TW, JP"}, {}, False),
        ("referrer_now", {"operator": "none"}, {}, True),
        ("referrer_now", {"operator": "site", "text": "example.com"}, {"Referer": "http://[x"}, False),
        ("logged_in", {"is": "no"}, {}, True),
    ],
)
def test_live__facts_of_the_request__from_its_headers(
    page: Any,  # noqa: F811
    key: str,
    values: Any,
    headers: Any,
    expected: bool,
) -> None:
    put(page, personalised(variant("OFFER", make_segment("Live", condition(key, **values)))))
    assert ("OFFER" in seen(page, **headers)) is expected


def test_live__logged_in__by_the_session(page: Any) -> None:  # noqa: F811
    from django.contrib.auth.models import User

    put(page, personalised(variant("OFFER", make_segment("Staff", condition("logged_in", **{"is": "yes"})))))
    client = Client()
    assert "DEFAULT" in body_of(client, page)
    client.force_login(User.objects.create_user("ann"))
    assert "OFFER" in body_of(client, page)


def test_live__many_on_one_page__two_statements_more(page: Any, now: Any) -> None:  # noqa: F811
    live = [
        make_segment(f"L{n}", condition("query_parameter", name=f"p{n}", operator="present"))
        for n in range(20)
    ]
    client = client_of(make_browser(now=now))
    put(page, text("plain"))
    body_of(client, page)
    with CaptureQueriesContext(connection) as plain:
        body_of(client, page)
    put(page, *(personalised(variant(f"FOR {segment.name}", segment)) for segment in live))
    assert "FOR L7" in seen(page, "?p7=x", client)
    with CaptureQueriesContext(connection) as captured:
        seen(page, "?p7=x", client)
    assert len(captured) <= len(plain) + 2


def test_live__rule_changed__next_page_view_knows(page: Any) -> None:  # noqa: F811
    segment = ad()
    put(page, personalised(variant("OFFER", segment)))
    assert "OFFER" in seen(page, "?from=ad")
    segment.rule = [condition("query_parameter", name="from", operator="equals", text="fair")]
    segment.save()
    assert "OFFER" not in seen(page, "?from=ad")
    assert "OFFER" in seen(page, "?from=fair")


def test_live__named_page_deleted__broken_and_nobodys(page: Any, home: Any, now: Any) -> None:  # noqa: F811
    from tests.testapp.models import ContentPage

    gone = home.add_child(instance=ContentPage(title="Gone", slug="gone"))
    never = condition("page_viewed", page=gone.pk, comparison="at_most", number=0)
    segment = make_segment("Live", never, condition("referrer_now", operator="none"))
    put(page, personalised(variant("OFFER", segment)))
    assert "OFFER" in seen(page)
    gone.delete()
    browser = make_browser(now=now)
    refresh.refresh_visitors([browser.visitor_id], now=now)
    segment.refresh_from_db()
    assert segment.broken_reason
    assert "DEFAULT" in seen(page)


def test_segment__no_longer_live__members_again(home: Any, now: Any) -> None:
    segment = ad()
    assert segment.is_live
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    segment.rule = [condition("page_viewed", page=home.pk, number=1)]
    segment.save()
    assert (segment.is_live, segment.version) == (False, "")
    refresh.refresh_segment(segment, now=now)
    assert Membership.objects.count() == 1
    segment.rule = [condition("referrer_now", operator="none")]
    segment.save()
    refresh.rule_changed(segment)
    assert Membership.objects.count() == 0


def test_excluding__members_and_others__the_others_see_it(page: Any, now: Any) -> None:  # noqa: F811
    readers, buyers = make_segment("Readers"), make_segment("Buyers")
    browser = make_browser(now=now)
    enter(browser, buyers, now=now)
    put(page, personalised(excluding("FOR OTHERS", readers, buyers)))
    assert "DEFAULT" in body_of(client_of(browser), page)
    assert "FOR OTHERS" in body_of(client_of(make_browser(now=now)), page)
    assert "FOR OTHERS" in body_of(Client(), page)


@pytest.mark.parametrize("segments", [[None], [99_999], []])
def test_excluding__deleted_segments__not_everybody(page: Any, segments: list[Any]) -> None:  # noqa: F811
    put(page, personalised(excluding("FOR OTHERS", *segments)))
    assert "DEFAULT" in body_of(Client(), page)


def test_excluding__preview_as_segment__as_a_member(page: Any) -> None:  # noqa: F811
    from wagtail_ma.personalisation import preview

    preview.install_on_all_pages()
    readers, buyers = make_segment("Readers"), make_segment("Buyers")
    put(page, personalised(excluding("FOR OTHERS", readers)))
    modes = {pk: f"{preview.PREFIX}{pk}" for pk in (readers.pk, buyers.pk)}
    assert "DEFAULT" in page.make_preview_request(preview_mode=modes[readers.pk]).rendered_content
    assert "FOR OTHERS" in page.make_preview_request(preview_mode=modes[buyers.pk]).rendered_content
    assert "FOR OTHERS" in page.make_preview_request().rendered_content
