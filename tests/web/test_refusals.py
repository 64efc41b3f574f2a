"""A refusal wins: over answers to earlier messages that come after it, and over keys from before it."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse

from tests import factories
from tests.factories import CHROME
from tests.forms.test_form_page import send
from tests.web.test_hits import message, post, yes
from tests.web.test_server_side import get
from wagtail_ma.conf import conf
from wagtail_ma.people import cookies
from wagtail_ma.people.models import Identity, Lead, Visitor
from wagtail_ma.tracking.models import PageCount, PageView
from wagtail_ma.web import host

pytestmark = pytest.mark.django_db
NO = {"k": "k", "c": 0}
KEY, REFUSAL = "wagtail_ma", "wagtail_ma_no"
GPC = {"HTTP_SEC_GPC": "1"}


def held(client: Client) -> dict[str, str]:
    """The cookies that a browser would hold now: those of the answers so far, in their order."""
    return {name: each.value for name, each in client.cookies.items() if each.value}


def refused(client: Client) -> None:
    """The visitor has said no, and then came the answer to an earlier message, with a key."""
    post(client, NO)
    late = HttpResponse()
    cookies.set_browser_key(late, "k" * 22, request=RequestFactory().get("/"))
    client.cookies.update(late.cookies)
    assert held(client).keys() == {KEY, REFUSAL}


def is_taken_away(response: Any) -> bool:
    """Whether the answer takes the key away, and nothing else."""
    return [(name, each.value, each["max-age"]) for name, each in response.cookies.items()] == [
        (KEY, "", "0")
    ]


def test_refusal__kept_in_a_cookie_of_its_own(home: Any, client: Client) -> None:
    post(client, message(home))
    response = post(client, NO, secure=True)
    assert held(client) == {REFUSAL: "no"}
    cookie, key = response.cookies[REFUSAL], response.cookies[KEY]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (
        True,
        "Lax",
        "/",
        True,
    )
    assert int(cookie["max-age"]) == 400 * 86_400
    assert (key["path"], key["samesite"]) == ("/", "Lax")


def test_refusal__has_the_name_and_the_life_of_the_other_cookie(client: Client) -> None:
    with override_settings(WAGTAIL_MA={"COOKIE_NAME": "tick", "COOKIE_DAYS": 90}):
        cookie = post(client, NO).cookies["tick_no"]
    assert int(cookie["max-age"]) == 90 * 86_400


@pytest.mark.parametrize("consent", ["opt_out", "opt_in"])
def test_refusal__then_a_late_answer_to_a_view__counted_only(home: Any, client: Client, consent: str) -> None:
    with override_settings(WAGTAIL_MA={"CONSENT": consent}):
        post(client, yes(home))
        before = Visitor.objects.count()
        refused(client)
        first = post(client, message(home))
        assert is_taken_away(first)
        assert held(client) == {REFUSAL: "no"}
        assert not post(client, message(home)).cookies, "once is enough"
    assert (Visitor.objects.count(), PageView.objects.count()) == (before, 0)
    assert PageCount.objects.get().views == 2


def test_refusal__key_of_the_visitor_itself__not_recognised(home: Any, client: Client) -> None:
    post(client, message(home))
    key = client.cookies[KEY].value
    post(client, NO)
    client.cookies[KEY] = key
    post(client, message(home))
    assert (PageView.objects.count(), PageCount.objects.get().views) == (1, 1)


def test_refusal__then_allowed_again__refusal_gone(home: Any, client: Client) -> None:
    refused(client)
    response = post(client, yes(home))
    assert held(client).keys() == {KEY}
    assert response.cookies[REFUSAL]["max-age"] == "0"
    assert post(client, message(home)).status_code == 204
    assert (Visitor.objects.count(), PageView.objects.count()) == (1, 1)


def test_consent__answered_after_a_refusal_in_another_tab__refusal_stays(home: Any, client: Client) -> None:
    # (Asked before the browser had the refusal's cookie.)
    late = post(Client(), yes(home))
    assert REFUSAL not in late.cookies
    post(client, NO)
    client.cookies.update(late.cookies)
    post(client, message(home))
    assert held(client) == {REFUSAL: "no"}
    assert not PageView.objects.exists()


@pytest.mark.parametrize("signal", [GPC, {"HTTP_DNT": "1"}, {}])
def test_signal__browser_holds_a_key__taken_away_once(
    home: Any, client: Client, signal: dict[str, str]
) -> None:
    post(client, message(home))
    changes = {} if signal else {"g": True}
    assert is_taken_away(post(client, message(home, **changes), **signal))
    assert held(client) == {}
    assert not post(client, message(home, **changes), **signal).cookies
    assert (PageView.objects.count(), PageCount.objects.get().views) == (1, 2)


@pytest.mark.parametrize("changes", [{"g": 1}, {}])
def test_signal__consent_told_all_the_same__key_taken_away(
    home: Any, client: Client, changes: dict[str, int]
) -> None:
    post(client, message(home))
    assert is_taken_away(post(client, yes(home, **changes), **({} if changes else GPC)))


def test_opt_in__key_from_before_it__taken_away(home: Any, client: Client) -> None:
    post(client, message(home))
    with override_settings(WAGTAIL_MA={"CONSENT": "opt_in"}):
        assert is_taken_away(post(client, message(home)))
        assert not post(client, message(home)).cookies
        post(client, yes(home))
        post(client, message(home))
    assert held(client).keys() == {KEY}
    assert (PageView.objects.count(), Identity.objects.count()) == (2, 2)


@pytest.mark.parametrize("way", ["refusal", "signal", "opt_in"])
def test_server_mode__key_that_must_go__counted_only_and_taken_away(
    home: Any, client: Client, way: str
) -> None:
    settings = {"TRACKING": "server", "CONSENT": "opt_in" if way == "opt_in" else "opt_out"}
    headers = {"sec-gpc": "1"} if way == "signal" else {}
    with override_settings(WAGTAIL_MA={"TRACKING": "server"}):
        get(client)
    if way == "refusal":
        refused(client)
    with override_settings(WAGTAIL_MA=settings):
        response = get(client, **headers)
        assert is_taken_away(response)
        assert "private" in response["Cache-Control"]
        assert not get(client, **headers).cookies
    assert (PageView.objects.count(), PageCount.objects.get().views) == (1, 2)


@pytest.mark.parametrize("way", ["refusal", "signal"])
def test_form__key_that_must_go__lead_without_browser_and_key_taken_away(
    home: Any, site: Any, client: Client, way: str
) -> None:
    post(client, message(home))
    if way == "refusal":
        refused(client)
    browsers = Identity.objects.filter(kind="browser").count()
    response = send(
        client, factories.lead_form(), **({"headers": {"Sec-GPC": "1"}} if way == "signal" else {})
    )
    assert response.status_code == 303
    assert is_taken_away(response)
    assert Lead.objects.count() == 1
    assert Identity.objects.filter(kind="browser").count() == browsers
    assert not Identity.objects.filter(kind="browser", visitor__lead__isnull=False).exists()


def test_mail_link__after_a_refusal__nobody_is_tied_and_key_taken_away(client: Client) -> None:
    refused(client)
    response = client.post(
        reverse("wagtail_ma:mail_follow"), b"token", content_type="text/plain", HTTP_USER_AGENT=CHROME
    )
    assert response.status_code == 204
    assert is_taken_away(response)


@pytest.mark.parametrize("has_response", [True, False])
def test_own_views__after_a_refusal__lead_without_browser_and_key_taken_away(
    site: Any, client: Client, has_response: bool
) -> None:
    refused(client)
    request = RequestFactory().post("/", HTTP_USER_AGENT=CHROME)
    request.COOKIES.update(held(client))
    response = HttpResponse()

    def view(request: Any) -> HttpResponse:
        given = response if has_response else None
        assert host.identify_visitor(request, given, email="ann@example.com") is not None
        return response

    assert is_taken_away(host.IdentityMiddleware(view)(request))
    assert not Identity.objects.filter(kind="browser").exists()


def test_excluded_network__key_that_must_go__taken_away(home: Any, client: Client) -> None:
    from wagtail_ma.tracking import networks
    from wagtail_ma.tracking.models import Network

    post(client, message(home))
    Network.objects.create(name="We", kind="own", ranges="203.0.113.0/24", is_excluded=True)
    networks.forget()
    try:
        here = {"REMOTE_ADDR": "203.0.113.7"}
        assert not post(client, message(home), **here).cookies
        assert is_taken_away(post(client, message(home), **here, **GPC))
    finally:
        networks.forget()
    assert conf.COOKIE_NAME == KEY
