"""Slot mode: pages that everybody shares, and one request that tells what this visitor sees."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.models import PageViewRestriction, Site

from tests.factories import CHROME, condition, make_browser, make_segment
from tests.personalisation.test_blocks import (
    client_of,
    enter,
    page,  # noqa: F401  (a fixture)
    personalised,
    put,
    text,
    variant,
)
from tests.personalisation.test_http import CACHED
from wagtail_ma.conf import conf
from wagtail_ma.personalisation.places import places
from wagtail_ma.tracking import page_token
from wagtail_ma.tracking.page_token import PageRef

pytestmark = pytest.mark.django_db

SLOTS = {"PERSONALISATION": "slots"}
SLOT = re.compile(r'<div data-ma-slot="([^"]+)" data-ma-page="([^"]+)">')


@pytest.fixture(autouse=True)
def slot_mode() -> Any:
    with override_settings(WAGTAIL_MA=SLOTS):
        yield


def block(block_id: str, *variants: Any, default: str = "DEFAULT") -> dict[str, Any]:
    return {**personalised(*variants, default=default), "id": block_id}


def html_of(client: Client, page: Any, **options: Any) -> str:  # noqa: F811
    response = client.get(page.url, headers={"user-agent": CHROME}, **options)
    assert response.status_code == 200
    return response.content.decode()


def ask(client: Client, html: str, *, ids: list[str] | None = None, **message: Any) -> Any:
    """What the script does: the answer for the slots in the page."""
    found = SLOT.findall(html)
    token = found[0][1] if found else message.pop("t")
    body = {
        "t": token,
        "u": "http://localhost/",
        "r": "",
        "b": ids or [each for each, _t in found],
        **message,
    }
    headers = {"user-agent": CHROME}
    return client.post(reverse("wagtail_ma:slots"), json.dumps(body), "text/plain", headers=headers)


@pytest.fixture
def member(now: Any) -> tuple[Any, Client]:
    segment, browser = make_segment("Readers"), make_browser(now=now)
    enter(browser, segment, now=now)
    return segment, client_of(browser)


def test_page__slot_mode__default_for_everybody_and_cacheable(page: Any, member: Any) -> None:  # noqa: F811
    segment, client = member
    put(page, text("plain"))
    with CaptureQueriesContext(connection) as plain:
        client.get(page.url)
    put(page, block("a1", variant("OFFER", segment)))
    client.get(page.url)
    with CaptureQueriesContext(connection) as captured:
        response = client.get(page.url)
    html = response.content.decode()
    assert "DEFAULT" in html and "OFFER" not in html
    assert [found for found, _token in SLOT.findall(html)] == ["a1"]
    assert html == html_of(Client(), page)
    assert len(captured) <= len(plain)
    assert "Cache-Control" not in response
    assert "Cookie" not in response.get("Vary", "")
    assert response.cookies == {}


def test_page__two_slots__script_and_style_once(page: Any, member: Any) -> None:  # noqa: F811
    segment, client = member
    put(page, block("a1", variant("OFFER", segment)), block("a2", variant("OTHER", segment)))
    html = html_of(client, page)
    assert html.count("slots.js") == html.count("slots.css") == 1
    put(page, block("a1"))
    assert "slots" not in html_of(client, page)


def test_endpoint__member__variant_and_stranger_null(page: Any, member: Any) -> None:  # noqa: F811
    segment, client = member
    put(page, block("a1", variant("OFFER", segment)), block("a2", variant("OTHER", make_segment("Nobody"))))
    html = html_of(client, page)
    response = ask(client, html)
    answer = response.json()
    assert "OFFER" in answer["a1"] and "DEFAULT" not in answer["a1"]
    assert answer["a2"] is None
    assert ask(Client(), html).json() == {"a1": None, "a2": None}
    assert "no-store" in response["Cache-Control"] and "private" in response["Cache-Control"]
    assert response.cookies == {}


def test_endpoint__many_blocks__two_statements_for_the_visitor(page: Any, member: Any) -> None:  # noqa: F811
    segment, client = member
    live = make_segment("Ad", condition("query_parameter", name="utm_source", operator="equals", text="ad"))
    put(page, *(block(f"b{n}", variant("AD", live), variant("OFFER", segment)) for n in range(20)))
    html = html_of(client, page)
    ask(client, html)
    with CaptureQueriesContext(connection) as captured:
        answer = ask(client, html, u="http://localhost/offer/?utm_source=AD").json()
    assert set(map(bool, answer.values())) == {True}
    assert "AD" in answer["b0"]
    ours = [row["sql"] for row in captured if "wagtail_ma_" in row["sql"]]
    assert len(ours) == 2
    assert not [sql for sql in ours if not sql.lstrip("(").startswith("SELECT")]


def test_endpoint__referrer_and_path__those_of_the_page(page: Any) -> None:  # noqa: F811
    seen = []
    from wagtail import hooks

    def look(page: Any, request: Any, args: Any, kwargs: Any) -> None:
        seen.append((request.path, request.method, request.GET.get("a"), request.headers.get("Referer")))

    came = make_segment("From there", condition("referrer_now", operator="site", text="example.com"))
    put(page, block("a1", variant("HELLO", came)))
    html = html_of(Client(), page)
    with hooks.register_temporarily("before_serve_page", look):
        answer = ask(Client(), html, u=f"http://localhost{page.url}?a=b", r="https://www.example.com/x")
    assert "HELLO" in answer.json()["a1"]
    assert seen == [(page.get_url_parts()[2], "GET", "b", "https://www.example.com/x")]


def test_endpoint__bad_ids_and_tokens__same_shape_and_status(page: Any, member: Any) -> None:  # noqa: F811
    segment, client = member
    put(page, block("a1", variant("OFFER", segment)))
    html = html_of(client, page)
    token = SLOT.findall(html)[0][1]
    assert set(ask(client, html, ids=["a1", "zz", ""]).json()) == {"a1", "zz", ""}
    site = Site.objects.get(is_default_site=True)
    refs = [
        PageRef(site.pk, 10**6, page.url, "en"),
        PageRef(site.pk + 1, page.pk, page.url, "en"),
        PageRef(site.pk, None, page.url, "en"),
    ]
    for bad in ["", "x", token[:-2], None, 5, *(page_token.make(ref) for ref in refs)]:
        response = ask(client, html, t=bad)
        assert (response.status_code, response.json()) == (200, {"a1": None})


def test_endpoint__more_than_twenty__the_first_twenty(page: Any, member: Any) -> None:  # noqa: F811
    segment, client = member
    put(page, *(block(f"b{n}", variant("OFFER", segment)) for n in range(25)))
    answer = ask(client, html_of(client, page)).json()
    assert len(answer) == 25
    assert sum(html is not None for html in answer.values()) == 20


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"b": "a1"}', '{"b": [1]}', "x" * 9000, "\ud800"])
def test_endpoint__no_message__400(body: str) -> None:
    raw = body.encode("utf-8", "surrogatepass")
    assert Client().post(reverse("wagtail_ma:slots"), raw, "text/plain").status_code == 400


def test_endpoint__get__refused() -> None:
    assert Client().get(reverse("wagtail_ma:slots")).status_code == 405


def test_endpoint__program_or_other_site__default(page: Any, member: Any) -> None:  # noqa: F811
    segment, client = member
    put(page, block("a1", variant("OFFER", segment)))
    token = SLOT.findall(html_of(client, page))[0][1]
    body = json.dumps({"t": token, "u": "", "r": "", "b": ["a1"]})
    for headers in ({"user-agent": "Googlebot/2.1"}, {"user-agent": CHROME, "Sec-Fetch-Site": "cross-site"}):
        answer = client.post(reverse("wagtail_ma:slots"), body, "text/plain", headers=headers)
        assert answer.json() == {"a1": None}


def test_endpoint__page_unpublished_or_private__nothing_told(page: Any, member: Any) -> None:  # noqa: F811
    segment, client = member
    put(page, block("a1", variant("OFFER", segment)))
    html = html_of(client, page)
    restriction = PageViewRestriction.objects.create(page=page, restriction_type="login")
    assert ask(client, html).json() == {"a1": None}
    restriction.delete()
    assert ask(client, html).json()["a1"]
    page.unpublish()
    assert ask(client, html).json() == {"a1": None}


def test_endpoint__hook_of_the_host_refuses__nothing_told(page: Any, member: Any) -> None:  # noqa: F811
    from django.http import HttpResponse
    from wagtail import hooks

    segment, client = member
    put(page, block("a1", variant("OFFER", segment)))
    html = html_of(client, page)

    def refuse(page: Any, request: Any, args: Any, kwargs: Any) -> HttpResponse:
        return HttpResponse(status=403)

    with hooks.register_temporarily("before_serve_page", refuse):
        assert ask(client, html).json() == {"a1": None}


def test_endpoint__draft__live_revision_counts(page: Any, member: Any) -> None:  # noqa: F811
    segment, client = member
    put(page, block("a1", variant("OFFER", segment)))
    html = html_of(client, page)
    page.body = page.body.stream_block.to_python([block("a1", variant("DRAFT", segment))])
    page.save_revision()
    assert "OFFER" in ask(client, html).json()["a1"]


def test_preview__slot_mode__no_slot(page: Any, member: Any) -> None:  # noqa: F811
    segment, _client = member
    put(page, block("a1", variant("OFFER", segment)))
    html = page.make_preview_request().rendered_content
    assert "DEFAULT" in html and "data-ma-slot" not in html


def test_nested__outer_and_inner__each_a_slot_or_part_of_the_variant(home: Any, member: Any) -> None:
    segment, client = member
    inner = block("inner", variant("INNER OFFER", segment), default="INNER DEFAULT")
    value = {"variants": [], "default": [inner]}
    from tests.testapp.models import ContentPage

    stream = ContentPage._meta.get_field("body").stream_block
    nested = stream.child_blocks["personalised"]
    found = ContentPage(title="x", slug="x")
    found.body = [
        {"type": "personalised", "value": {**value, "variants": [variant("V", segment)]}, "id": "outer"}
    ]
    # The inner kind is not allowed here: unknown kinds are passed over.
    assert [place.id for place in places(found)] == ["outer"]
    assert nested is places(found)[0].block


def test_if_segment__slot_mode__still_chosen_by_the_server(page: Any, member: Any) -> None:  # noqa: F811
    from django.template import Context, Template
    from django.test import RequestFactory

    from wagtail_ma.personalisation import http

    _segment, client = member
    request = RequestFactory().get("/")
    request.COOKIES[conf.COOKIE_NAME] = client.cookies[conf.COOKIE_NAME].value
    source = '{% load wagtail_ma_tags %}{% if_segment "Readers" %}IN{% end_if_segment %}'
    assert Template(source).render(Context({"request": request})) == "IN"
    assert http.is_marked(request)


def test_block__not_of_the_page_being_served__chosen_by_the_server(page: Any, member: Any) -> None:  # noqa: F811
    # As in a snippet: nobody could find it again by the page.
    from django.test import RequestFactory

    from wagtail_ma.personalisation import http

    segment, client = member
    put(page, text("plain"))
    request = RequestFactory().get("/")
    request.COOKIES[conf.COOKIE_NAME] = client.cookies[conf.COOKIE_NAME].value
    http.begin(request, page)
    stream = page.body.stream_block
    value = stream.to_python([block("a1", variant("OFFER", segment))])
    html = stream.render(value, context={"request": request})
    assert "OFFER" in html and "data-ma-slot" not in html
    assert http.is_marked(request)


@pytest.mark.parametrize("mode", ["server", "slots", "auto"])
def test_cache_middleware__visitors_interleaved__nobody_sees_anothers(page: Any, now: Any, mode: str) -> None:  # noqa: F811
    clients, expected = [], []
    variants = []
    for number in range(3):
        segment, browser = make_segment(f"Segment {number}"), make_browser(now=now)
        enter(browser, segment, now=now)
        clients.append(client_of(browser))
        expected.append(f"ONLY-{number}-SEES-THIS")
        variants.append(variant(expected[-1], segment))
    clients.append(Client())
    expected.append("DEFAULT")
    put(page, block("a1", *variants))
    cache.clear()
    with override_settings(MIDDLEWARE=CACHED, WAGTAIL_MA={"PERSONALISATION": mode}):
        for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
            for number in order:
                html = html_of(clients[number], page)
                answers = ask(clients[number], html).json() if SLOT.search(html) else {}
                shown = answers.get("a1") or html
                assert expected[number] in shown
                others = [words for words in expected if words != expected[number]]
                assert not [words for words in others[:-1] if words in shown + html]
        is_cached = "Expires" in clients[0].get(page.url, headers={"user-agent": CHROME})
    cache.clear()
    assert is_cached == (mode != "server")


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({}, False),
        ({"MIDDLEWARE": CACHED}, True),
        ({"MIDDLEWARE": CACHED, "WAGTAIL_MA": {"PERSONALISATION": "server"}}, False),
        ({"WAGTAIL_MA": SLOTS}, True),
    ],
)
def test_mode__settings__slots_where_pages_are_cached(settings: Any, expected: bool) -> None:
    with override_settings(**{"WAGTAIL_MA": {}, **settings}):
        assert conf.uses_slots() is expected
