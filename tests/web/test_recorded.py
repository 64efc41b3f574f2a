"""The page "what we record", the banner, and the block."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client, override_settings
from django.urls import reverse

import wagtail_ma
from wagtail_ma.blocks import RecordedBlock
from wagtail_ma.tracking import disclosure, networks
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
        ({"COOKIE_NAME": "tick", "COOKIE_DAYS": 90}, "“tick_no” remembers for 90 days", "wagtail_ma_no"),
        ({"CONSENT": "opt_in"}, "“wagtail_ma_no” remembers for 400 days", "“tick_no”"),
        ({"TRACKING": "server"}, "until the next page", "how far you scroll"),
        ({}, "/privacy/", "only after you have agreed"),
        ({"SELF_SERVICE": False}, "up to 30 minutes", "/privacy/"),
        ({}, "Nothing of this is handed to an outside service", "Other systems"),
        ({"WEBHOOK_SECRET": "x" * 16}, "Other systems", "Nothing of this is handed"),
        # Too short a key is none.
        ({"WEBHOOK_SECRET": "short"}, "Nothing of this is handed to an outside service", "Other systems"),
        ({}, "Of mails from us", "connected with your account"),
        ({"IDENTIFY_LOGINS": True}, "connected with your account", "after you have agreed"),
        ({"MAIL_SENDING": False}, "session storage: “ma”", "Of mails from us"),
        ({"TRACKING": "server"}, "storage: “ma_consent”", "session storage: “ma”"),
        ({"CONSENT": "opt_in"}, "This, too, only after you have agreed", "Your visits are recorded."),
        ({"ENGAGED_CAP_SECONDS": 7200}, "up to 120 minutes", "30 minutes"),
        ({}, "kept until you ask us to erase it", "unless you are a customer"),
        ({"LEAD_RETENTION_MONTHS": 36}, "heard of you for 36 months", "until you ask us to erase it"),
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
    assert "「wagtail_ma_no」に400日間残します" in html


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"WEBHOOK_SECRET": "x" * 16}, "外部のサービス"),
        ({"LEAD_RETENTION_MONTHS": 36}, "36か月"),
        ({"IDENTIFY_LOGINS": True}, "ログイン"),
        ({}, "セッションストレージ"),
    ],
)
def test_recorded__japanese__tells_settings_too(db: Any, client: Client, keys: Any, says: str) -> None:
    assert says in page(client, "?lang=ja", **keys)


def test_recorded__browser_storage__names_all_that_scripts_write(db: Any) -> None:
    """What is told is what the sources do: a new key must be told, too."""
    written = set()
    for path in (Path(wagtail_ma.__file__).parent / "static_src").glob("*.js"):
        source = path.read_text(encoding="utf8")
        written |= set(re.findall(r"(?:local|session)Storage(?:\.(\w+)|\[(\w+)\])", source))
        # (consent.js writes by names of its own: one store or the other, one key.)
        names = dict(re.findall(r'let (\w+) = "([\w]+)"', source))
        written |= {(names[key], "") for key in re.findall(r"window\[\w+\]\[(\w+)\]", source)}
        assert source.count("indexedDB") == 0, path
        if path.name not in ("tracker.js", "consent.js"):
            assert "Storage" not in source, path
    assert {"".join(names) for names in written} == {"ma", "ma_consent"}
    told = " ".join(item for section in disclosure.sections() for item in section.items)
    assert "“ma”" in told and "“ma_consent”" in told


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
