"""Floods of messages that would each make a visitor."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings

from tests.web.test_hits import message, post, yes
from wagtail_ma.conf import conf
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.tracking import networks
from wagtail_ma.tracking.models import Network, PageCount, PageView
from wagtail_ma.web import hits
from wagtail_ma.web.limits import PerMinute, network_of

pytestmark = pytest.mark.django_db
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
OFFICE = {"REMOTE_ADDR": "8.8.8.8"}
LIMIT = 5


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(hits, "per_network", PerMinute(LIMIT))
    hits._warn_of_flood.cache_clear()
    networks.forget()
    yield
    networks.forget()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("8.8.8.8", "080808"),
        ("8.8.8.200", "080808"),
        ("::ffff:8.8.8.8", "080808"),
        ("2001:4860:4860:1::8888", "200148604860"),
        ("2001:4860:4860:1:2:3:4:5", "200148604860"),
        # Proxies that nobody named: all visitors look alike behind them.
        *((address, "") for address in ("10.0.0.1", "127.0.0.1", "fd00::1", "", "unix:", "not an address")),
    ],
)
def test_network_of__address__its_first_bytes(address: str, network: str) -> None:
    assert network_of({"REMOTE_ADDR": address}) == network


def test_network_of__without_an_address_or_behind_a_named_proxy() -> None:
    assert network_of({}) == ""
    forged = {"REMOTE_ADDR": "8.8.8.8", "HTTP_X_FORWARDED_FOR": "9.9.9.9"}
    assert network_of(forged) == "080808"
    with override_settings(WAGTAIL_MA={"TRUSTED_PROXIES": ["10.0.0.0/8"]}):
        told = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 9.9.9.9"}
        assert network_of(told) == "090909"


@pytest.mark.parametrize("kind", ["p", "e", "c"])
def test_messages_without_cookie__of_one_network__so_many_in_a_minute(
    home: Any, caplog: Any, kind: str
) -> None:
    rest = {"p": {}, "e": {"e": 9, "o": 9}, "c": {"i": str(uuid4()), "n": "x"}}[kind]
    for number in range(4 * LIMIT):
        sender = {"REMOTE_ADDR": f"8.8.8.{number}"}
        assert post(Client(), message(home, k=kind, **rest), **sender).status_code == 204
    assert Visitor.objects.count() == LIMIT
    assert caplog.text.count("TRUSTED_PROXIES") == 1
    assert "8.8.8" not in caplog.text and "080808" not in caplog.text
    # Others are not concerned, nor who is known already.
    post(Client(), message(home, k=kind, **rest), REMOTE_ADDR="8.8.9.1")
    assert Visitor.objects.count() == LIMIT + 1


def test_known_browser__behind_a_network_over_its_limit__is_recorded(home: Any, client: Client) -> None:
    post(client, message(home), **OFFICE)
    for _ in range(2 * LIMIT):
        post(Client(), message(home), **OFFICE)
    views = PageView.objects.count()
    post(client, message(home), **OFFICE)
    assert PageView.objects.count() == views + 1


def test_cookie_that_we_did_not_sign__counts_as_none(home: Any) -> None:
    for _ in range(2 * LIMIT):
        client = Client()
        client.cookies[conf.COOKIE_NAME] = str(uuid4())
        post(client, message(home), **OFFICE)
    assert Visitor.objects.count() == LIMIT


def test_refused__counted_up_to_the_limit(home: Any) -> None:
    for _ in range(2 * LIMIT):
        post(Client(), message(home), HTTP_DNT="1", **OFFICE)
    assert PageCount.objects.get().views == LIMIT


@pytest.mark.parametrize("address", ["", "10.1.2.3"])
def test_sender_without_an_address_of_its_own__no_limit(home: Any, address: str) -> None:
    for _ in range(3 * LIMIT):
        post(Client(), message(home), REMOTE_ADDR=address)
    assert Visitor.objects.count() == 3 * LIMIT


def test_consent__without_cookie_of_one_network__so_many_in_a_minute(home: Any) -> None:
    cookies = [post(Client(), yes(home), **OFFICE).cookies for _ in range(3 * LIMIT)]
    assert Identity.objects.count() == LIMIT
    assert [bool(cookie) for cookie in cookies] == [True] * LIMIT + [False] * 2 * LIMIT


def test_consent__of_one_browser_again_and_again__so_many_in_a_minute(
    home: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(client, yes(home))
    monkeypatch.setattr(hits, "per_browser", PerMinute(3))
    given = [bool(post(client, yes(home)).cookies) for _ in range(6)]
    assert given == [True] * 3 + [False] * 3


@pytest.mark.parametrize("who", ["program", "excluded network", "one of us"])
def test_consent__of_nobody_who_counts__makes_no_identity(home: Any, client: Client, who: str) -> None:
    extra = {}
    if who == "program":
        extra = {"HTTP_USER_AGENT": GOOGLEBOT}
    elif who == "excluded network":
        Network.objects.create(name="We", kind="own", ranges="203.0.113.0/24", is_excluded=True)
        extra = {"REMOTE_ADDR": "203.0.113.7"}
    else:
        client.force_login(User.objects.create_superuser("boss"))
    response = post(client, yes(home), **extra)
    assert (response.status_code, conf.COOKIE_NAME in response.cookies) == (204, False)
    assert not Visitor.objects.exists() and not Identity.objects.exists()


def test_consent__refused_by_nobody_who_counts__is_remembered_all_the_same(home: Any) -> None:
    for _ in range(2 * LIMIT):
        assert post(Client(), {"k": "k", "c": 0}, **OFFICE).cookies
