"""TRACKING = "server": pages that are sent are recorded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.test import Client, RequestFactory, override_settings

from tests.factories import CHROME
from wagtail_ma import flow
from wagtail_ma.conf import conf
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.tracking.models import PageCount, PageView, Visit
from wagtail_ma.web import server_side

pytestmark = pytest.mark.django_db
SERVER = override_settings(WAGTAIL_MA={"TRACKING": "server"})
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.fixture(autouse=True)
def server_mode() -> Any:
    with SERVER:
        yield


def get(client: Client, path: str = "/", **headers: str) -> Any:
    return client.get(path, headers={"user-agent": CHROME, **headers})


def test_page__viewed__recorded_with_cookie_and_private(home: Any, client: Client) -> None:
    response = get(
        client,
        "/?utm_source=x&utm_medium=email",
        referer="https://a.example/",
        **{"accept-language": "ja,en"},
    )
    assert response.status_code == 200
    cookie = response.cookies[conf.COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert "private" in response["Cache-Control"]
    view = PageView.objects.get()
    assert (view.source, view.tracked_page.page_id) == ("server", home.pk)
    visit = Visit.objects.get()
    assert (visit.medium, visit.referrer_host, visit.language, visit.is_bot) == (
        "email",
        "a.example",
        "ja",
        False,
    )
    get(client)
    assert (Visitor.objects.count(), Visit.objects.count(), PageView.objects.count()) == (1, 1, 2)


def test_page__tag__prints_no_script(home: Any, client: Client) -> None:
    assert b"<script" not in get(client).content
    with override_settings(WAGTAIL_MA={}):
        assert b"tracker.js" in get(client).content


def test_page__script_mode__neither_recorded_nor_changed(home: Any, client: Client) -> None:
    with override_settings(WAGTAIL_MA={}):
        response = get(client)
    assert not PageView.objects.exists()
    assert not response.cookies
    assert "Cache-Control" not in response


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"x-moz": "prefetch"},
        {"sec-fetch-dest": "iframe"},
        {"sec-fetch-dest": "image"},
    ],
)
def test_page__not_asked_to_be_looked_at__not_recorded(
    home: Any, client: Client, headers: dict[str, str]
) -> None:
    response = get(client, **headers)
    assert not PageView.objects.exists()
    assert not response.cookies


@pytest.mark.parametrize("method", ["head", "post"])
def test_page__other_method__not_recorded(home: Any, client: Client, method: str) -> None:
    getattr(client, method)("/", headers={"user-agent": CHROME})
    assert not PageView.objects.exists()


def test_page__missing__not_recorded(home: Any, client: Client) -> None:
    assert get(client, "/nowhere/").status_code == 404
    assert not PageView.objects.exists()


@pytest.mark.parametrize("headers", [{"dnt": "1"}, {"sec-gpc": "1"}])
def test_page__privacy_signal__counted_without_cookie(
    home: Any, client: Client, headers: dict[str, str]
) -> None:
    response = get(client, **headers)
    assert (Visitor.objects.count(), PageCount.objects.get().views) == (0, 1)
    assert not response.cookies
    assert "private" in response["Cache-Control"]


def test_page__opt_in_without_consent__counted_only(home: Any, client: Client) -> None:
    with override_settings(WAGTAIL_MA={"TRACKING": "server", "CONSENT": "opt_in"}):
        assert not get(client).cookies
    assert (Visitor.objects.count(), PageCount.objects.get().views) == (0, 1)


def test_page__staff__not_recorded(home: Any, client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    get(client)
    assert not PageView.objects.exists()


def test_page__head__not_recorded(home: Any, client: Client) -> None:
    assert client.head(home.url, headers={"user-agent": CHROME}).status_code == 200
    assert not PageView.objects.exists()


def test_page__preview__not_recorded(home: Any, admin_client: Client, rf: RequestFactory) -> None:
    request = home.make_preview_request(extra_request_attrs={"user_agent": CHROME})
    assert request.status_code == 200
    assert not PageView.objects.exists()


def test_page__bot__flagged_one_visitor_and_no_cookie(home: Any, client: Client) -> None:
    for _ in range(3):
        response = get(client, **{"user-agent": BOT})
    assert (Visitor.objects.count(), PageView.objects.count()) == (1, 3)
    assert Visit.objects.get().is_bot
    assert Identity.objects.get().kind == "log"
    assert not response.cookies


def test_page__two_in_a_visit__time_of_the_first_is_estimated(
    home: Any, client: Client, rf: RequestFactory, now: datetime
) -> None:
    key = None
    for seconds in (0, 35, 95):
        request = rf.get("/", headers={"user-agent": CHROME})
        hit = server_side._hit(home, request)
        hit = hit._replace(browser_key=key)
        key = flow.record_hit(hit, now=now + timedelta(seconds=seconds)).browser_key
    assert list(PageView.objects.order_by("at").values_list("engaged_seconds", flat=True)) == [35, 60, 0]


@pytest.mark.parametrize("error", [DatabaseError("gone"), RuntimeError("ours"), server_side.Busy("locked")])
def test_page__recording_fails__page_is_served_and_logged(
    home: Any, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: Any, error: Exception
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(flow, "record_hit", fail)
    assert get(client).status_code == 200
    assert "not be recorded" in caplog.text or "was not recorded" in caplog.text


@pytest.mark.parametrize(
    ("response", "views"),
    [
        (HttpResponse("<p>"), 1),
        (HttpResponse("<p>", status=500), 0),
        (HttpResponse("{}", content_type="application/json"), 0),
        (HttpResponse(b"%PDF", content_type="application/pdf"), 0),
    ],
)
def test_answer__of_another_kind__only_pages_count(
    home: Any, rf: RequestFactory, response: HttpResponse, views: int
) -> None:
    request = rf.get("/", headers={"user-agent": CHROME})
    assert server_side.record_when_rendered(home, request, response) is response
    assert PageView.objects.count() == views


def test_answer__template_not_rendered_yet__recorded_afterwards(home: Any, rf: RequestFactory) -> None:
    request = rf.get("/", headers={"user-agent": CHROME})
    response = TemplateResponse(request, "testapp/content_page.html", {"page": home})
    server_side.record_when_rendered(home, request, response)
    assert not PageView.objects.exists()
    response.render()
    assert PageView.objects.count() == 1
    assert conf.COOKIE_NAME in response.cookies
