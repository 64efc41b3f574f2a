"""The page "what we record", the banner, and the block."""

from __future__ import annotations

from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client, override_settings
from django.urls import reverse

from wagtail_ma.blocks import RecordedBlock
from wagtail_ma.tracking import networks
from wagtail_ma.tracking.models import Network


def page(client: Client, query: str = "", **keys: Any) -> str:
    with override_settings(WAGTAIL_MA=keys):
        response = client.get(reverse("wagtail_ma:recorded") + query)
    assert response.status_code == 200
    return response.content.decode()


def tag(name: str, **context: Any) -> str:
    return Template(f"{{% load wagtail_ma_tags %}}{{% {name} %}}").render(Context(context))


@pytest.mark.parametrize(
    ("keys", "says", "says_not"),
    [
        ({}, "up to 30 minutes", "after you have agreed"),
        ({"CONSENT": "opt_in"}, "only after you have agreed", "Your visits are recorded."),
        ({"COUNTRY_HEADER": "CF-IPCountry"}, "country and region", "“tick”"),
        ({}, "deleted after 25 months", "country and region"),
        (
            {"RETENTION_MONTHS": 13, "COOKIE_NAME": "tick", "COOKIE_DAYS": 90},
            "deleted after 13 months",
            "400",
        ),
        ({"COOKIE_NAME": "tick", "COOKIE_DAYS": 90}, "“tick” with a random number", "400 days"),
        ({"TRACKING": "server"}, "until the next page", "how far you scroll"),
        ({}, "/privacy/", "only after you have agreed"),
        ({"SELF_SERVICE": False}, "up to 30 minutes", "/privacy/"),
    ],
)
def test_recorded__settings__told_as_they_are(
    db: Any, client: Client, keys: Any, says: str, says_not: str
) -> None:
    html = page(client, **keys)
    assert says in html
    assert says_not not in html


def test_recorded__networks_kept__guess_is_told(db: Any, client: Client) -> None:
    assert "organisation that we know" not in page(client)
    Network.objects.create(name="Example KK", ranges="203.0.113.0/24")
    networks.forget()
    html = page(client)
    assert "organisation that we know" in html
    assert "Example KK" not in html


def test_recorded__japanese__whole_page(db: Any, client: Client) -> None:
    html = page(client, "?lang=ja", CONSENT="opt_in")
    assert 'lang="ja"' in html
    for english in ("recorded", "cookie of", "Refuse", "months"):
        assert english not in html.split("<main")[1].replace("ma-recorded", "")
    assert "記録" in html


def test_recorded__nonsense_language__in_the_sites(db: Any, client: Client) -> None:
    assert "What we record" in page(client, "?lang=%00xx")


@pytest.mark.parametrize("consent", ["opt_out", "opt_in"])
def test_banner__any_visitor__the_same_hidden_and_without_inline_code(
    db: Any, rf: Any, settings: Any, consent: str, django_assert_num_queries: Any
) -> None:
    settings.WAGTAIL_MA = {"CONSENT": consent}
    tag("wagtail_ma_consent", request=rf.get("/"))
    with django_assert_num_queries(0):
        html = tag("wagtail_ma_consent", request=rf.get("/"))
    assert "data-ma-consent hidden" in html
    assert ("May we record" in html) == (consent == "opt_in") == ('data-asks="1"' in html)
    assert html.count("data-ma-choice") == 2
    assert "<style" not in html
    assert " style=" not in html


def test_banner__preview__nothing(db: Any, rf: Any) -> None:
    request = rf.get("/")
    request.is_preview = True
    assert tag("wagtail_ma_consent", request=request) == ""


def test_block__on_a_page__says_the_same(db: Any) -> None:
    assert "What is not recorded" in RecordedBlock().render(None)
    assert RecordedBlock().deconstruct()[0] == "wagtail.blocks.StaticBlock"
