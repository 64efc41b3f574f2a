"""Offers of scenarios: marked in the page for whoever has them, in either mode."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from tests.factories import CHROME, make_browser, make_segment
from tests.personalisation.test_blocks import client_of, enter, item, page, personalised, put, variant  # noqa: F401
from tests.personalisation.test_slots import ask
from wagtail_ma.segments.models import Segment
from wagtail_ma.tracking import offer_token

pytestmark = pytest.mark.django_db

MARK = re.compile(r'<div class="ma-offer" data-ma-offer="([^"]+)">')


@pytest.fixture
def offer(now: Any) -> Any:
    segment, browser = make_segment("Secret estimates"), make_browser(now=now)
    Segment.objects.filter(pk=segment.pk).update(is_offer=True)
    enter(browser, segment, now=now)
    return segment, client_of(browser)


def html_of(client: Any, page: Any) -> str:  # noqa: F811
    return client.get(page.url, headers={"user-agent": CHROME}).content.decode()


def test_offer__server_mode__is_marked_for_whoever_has_it(page: Any, offer: Any, client: Any) -> None:  # noqa: F811
    segment, owner = offer
    shown = variant("FOR YOU", segment)
    put(page, personalised(shown), personalised(variant("FOR YOU", segment)))
    html = html_of(owner, page)
    tokens = MARK.findall(html)
    assert len(tokens) == 2
    assert offer_token.read(tokens[0]) == (page.pk, shown["id"])
    assert html.count("offers.js") == 1
    assert "Secret" not in html
    others = html_of(client, page)
    assert "ma-offer" not in others
    assert "offers.js" not in others


def test_offer__any_other_segment__is_not_marked(page: Any, offer: Any) -> None:  # noqa: F811
    segment, owner = offer
    Segment.objects.update(is_offer=False)
    put(page, personalised(variant("FOR YOU", segment)))
    assert "ma-offer" not in html_of(owner, page)


def test_offer__variant_for_those_not_in_it__is_not_marked(
    page: Any,  # noqa: F811
    offer: Any,
    client: Any,
) -> None:
    segment, _owner = offer
    shown = variant("FOR YOU", segment)
    shown["value"]["match"] = "none"
    put(page, personalised(shown))
    html = html_of(client, page)
    assert "FOR YOU" in html
    assert "ma-offer" not in html


def test_offer__marked__costs_no_statement(page: Any, offer: Any) -> None:  # noqa: F811
    segment, owner = offer
    put(page, personalised(variant("FOR YOU", segment)))
    html_of(owner, page)
    with CaptureQueriesContext(connection) as marked:
        assert "ma-offer" in html_of(owner, page)
    Segment.objects.update(is_offer=False)
    with CaptureQueriesContext(connection) as plain:
        html_of(owner, page)
    assert len(marked) == len(plain)


def test_offer__slot_mode__is_marked_in_the_answer_only(page: Any, offer: Any) -> None:  # noqa: F811
    segment, owner = offer
    shown = variant("FOR YOU", segment)
    put(page, {**personalised(shown), "id": "slot-1"})
    with override_settings(WAGTAIL_MA={"PERSONALISATION": "slots"}):
        html = html_of(owner, page)
        assert "ma-offer" not in html
        answer = ask(owner, html).json()
    (token,) = MARK.findall(answer["slot-1"])
    assert offer_token.read(token) == (page.pk, shown["id"])
    assert "offers.js" in answer["slot-1"]
