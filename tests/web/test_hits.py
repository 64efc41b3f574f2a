"""The address that the tracker posts to."""

from __future__ import annotations

import json
import random
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import DataError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import reverse

from tests.factories import CHROME
from wagtail_ma.conf import conf
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import page_token
from wagtail_ma.tracking.models import Activity, PageCount, PageView, TrackedPage, Visit
from wagtail_ma.tracking.page_token import PageRef
from wagtail_ma.web import hits

pytestmark = pytest.mark.django_db
FACTS = (Visitor, Identity, Visit, PageView, Activity, News, PageCount, TrackedPage)


def message(page: Any, **changes: Any) -> dict[str, Any]:
    token = page_token.make(PageRef(None, page.pk, "/", "en"))
    return {"k": "p", "v": str(uuid4()), "t": token, "u": "http://testserver/?a=1", "y": "n", **changes}


def yes(page: Any, **changes: Any) -> dict[str, Any]:
    return {"k": "k", "c": 1, "t": message(page)["t"], **changes}


def post(client: Client, body: Any, **extra: Any) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    options = {"content_type": "text/plain;charset=UTF-8", "HTTP_USER_AGENT": CHROME, **extra}
    return client.post(reverse("wagtail_ma:hit"), data, **options)


def row_count() -> int:
    return sum(model.objects.count() for model in FACTS)


def test_hit__page_view__204_row_and_cookie(home: Any, client: Client) -> None:
    response = post(client, message(home), HTTP_ORIGIN="http://testserver")
    assert (response.status_code, response.content) == (204, b"")
    cookie = response.cookies[conf.COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert int(cookie["max-age"]) <= 400 * 86_400
    assert not cookie["secure"]
    assert "Cookie" not in response.get("Vary", "")
    assert PageView.objects.get().tracked_page.page_id == home.pk
    again = post(client, message(home))
    assert again.status_code == 204 and not again.cookies, "it has its key since a moment ago"
    assert (Visitor.objects.count(), PageView.objects.count()) == (1, 2)


def test_hit__over_https__secure_cookie(home: Any, client: Client) -> None:
    assert post(client, message(home), secure=True).cookies[conf.COOKIE_NAME]["secure"]


def test_hit__cookie_that_we_did_not_sign__new_visitor(home: Any, client: Client) -> None:
    post(client, message(home))
    key = Identity.objects.get().key
    client.cookies[conf.COOKIE_NAME] = key
    post(client, message(home))
    assert Visitor.objects.count() == 2


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "options", "patch"])
def test_hit__not_posted__405(client: Client, method: str) -> None:
    assert getattr(client, method)(reverse("wagtail_ma:hit")).status_code == 405


@pytest.mark.parametrize(
    ("body", "extra", "status"),
    [
        (b"", {}, 415),
        (b" ", {}, 400),
        (b"\xff\xfe\x00", {}, 400),
        (b"null", {}, 400),
        (b'{"k":"z"}', {}, 400),
        (b"x" * 8193, {}, 413),
        (b'{"k":"p"}', {"content_type": "application/x-www-form-urlencoded"}, 415),
        (b'{"k":"p"}', {"content_type": "multipart/form-data; boundary=x"}, 415),
        (b'{"k":"p"}', {"HTTP_ORIGIN": "https://elsewhere.example"}, 403),
        (b'{"k":"p"}', {"HTTP_ORIGIN": "null"}, 403),
        (b'{"k":"p"}', {"HTTP_ORIGIN": "http://[::"}, 403),
        (b'{"k":"p"}', {"HTTP_SEC_FETCH_SITE": "cross-site"}, 403),
        (b'{"k":"k","c":2}', {}, 400),
        (b'{"k":"k","c":[]}', {}, 400),
    ],
)
def test_hit__malformed_or_foreign__refused_without_a_row(
    home: Any, client: Client, body: bytes, extra: dict[str, Any], status: int
) -> None:
    response = post(client, body, **extra)
    assert response.status_code == status
    assert row_count() == 0
    assert not response.cookies


def test_hit__address_on_a_foreign_host__400(home: Any, client: Client) -> None:
    assert post(client, message(home, u="https://elsewhere.example/")).status_code == 400
    assert row_count() == 0


@pytest.mark.parametrize("path", ["/%00", "/a%0ab/", "/%1f?x=1"])
@pytest.mark.parametrize("way", ["n", "s"])
def test_hit__address_that_hides_what_no_database_stores__400(
    home: Any, client: Client, path: str, way: str
) -> None:
    assert post(client, message(home, u=f"http://testserver{path}", y=way)).status_code == 400
    assert post(client, message(home, u="http://testserver/?q=%00&utm_source=a%00", y=way)).status_code == 204
    assert PageView.objects.count() == 1


def test_hit__what_the_database_cannot_store__logged_and_not_asked_for_again(
    home: Any, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def refuse(*_args: Any, **_options: Any) -> Any:
        raise DataError("not a text")

    monkeypatch.setattr("wagtail_ma.flow.receive", refuse)
    assert post(client, message(home)).status_code == 204
    assert "could not be recorded" in caplog.text


def test_hit__unknown_host_header__400(home: Any, client: Client) -> None:
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        assert post(client, message(home), HTTP_HOST="elsewhere.example").status_code == 400
    assert row_count() == 0


def test_hit__forged_page_token__204_without_a_row(home: Any, client: Client) -> None:
    assert post(client, message(home, t="forged")).status_code == 204
    assert row_count() == 0


@pytest.mark.parametrize("page_id", [10**6, 2**70])
def test_hit__unknown_page__recorded_by_address(home: Any, client: Client, page_id: int) -> None:
    token = page_token.make(PageRef(None, page_id, "/gone/", "en"))
    assert post(client, message(home, t=token)).status_code == 204
    assert TrackedPage.objects.get().key == "url:0:/gone/"


def test_hit__ten_thousand_malformed__never_5xx_and_never_a_row(home: Any, client: Client) -> None:
    choose = random.Random(20260303)
    good = [
        message(home),
        message(home, k="e", q=1, e=5000, o=5000, s=10),
        message(home, k="c", i=str(uuid4()), n="x", d={"a": 1}),
        yes(home),
    ]
    junk = [None, [], {}, "", "?x", -1, 1e99, "\x00", "\ud800", "a" * 3000, 1.5, ["p"], {"k": "p"}, 2**80]
    needed = {"p": "kvtu", "e": "kvtu", "c": "kvtin", "k": "kct"}
    seen: dict[int, int] = {}
    for number in range(10_000):
        base = dict(choose.choice(good))
        way = number % 4
        if way == 0:
            body = json.dumps({**base, choose.choice(needed[base["k"]]): choose.choice(junk)}).encode()
        elif way == 1:
            del base[choose.choice(needed[base["k"]])]
            body = json.dumps(base).encode()
        elif way == 2:
            text = json.dumps(base).encode()
            body = text[: choose.randrange(len(text))]
        else:
            body = choose.randbytes(choose.randrange(200))
        status = post(client, body).status_code
        seen[status] = seen.get(status, 0) + 1
    assert set(seen) <= {204, 400, 415}, seen
    assert seen[400] > 9_000, seen
    assert row_count() == 0


def test_hit__staff__not_recorded_unless_asked_for(home: Any, client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    assert post(client, message(home)).status_code == 204
    assert row_count() == 0
    with override_settings(WAGTAIL_MA={"TRACK_STAFF": True}):
        post(client, message(home))
    assert PageView.objects.count() == 1


def test_hit__member_without_admin_access__recorded(home: Any, client: Client) -> None:
    client.force_login(User.objects.create_user("member"))
    post(client, message(home))
    assert PageView.objects.count() == 1


@pytest.mark.parametrize("signal", [{"HTTP_SEC_GPC": "1"}, {"HTTP_DNT": "1"}, {"g": 1}])
def test_hit__privacy_signal__counted_without_identity_or_cookie(
    home: Any, client: Client, signal: dict[str, Any]
) -> None:
    in_message = {"g": 1} if "g" in signal else {}
    headers = {} if in_message else signal
    response = post(client, message(home, **in_message), **headers)
    assert response.status_code == 204
    assert not [c for c in response.cookies.values() if c.value]
    assert (Visitor.objects.count(), PageCount.objects.get().views) == (0, 1)


def test_hit__opt_in__only_counted_until_consent(home: Any, client: Client) -> None:
    with override_settings(WAGTAIL_MA={"CONSENT": "opt_in"}):
        post(client, message(home))
        assert (Visitor.objects.count(), PageCount.objects.get().views) == (0, 1)
        assert post(client, yes(home)).cookies[conf.COOKIE_NAME].value
        post(client, message(home))
    assert (Visitor.objects.count(), PageView.objects.count(), PageCount.objects.get().views) == (1, 1, 1)


def test_consent__withdrawn__key_gone_and_recording_stops(home: Any, client: Client) -> None:
    post(client, message(home))
    response = post(client, {"k": "k", "c": 0})
    assert response.cookies[f"{conf.COOKIE_NAME}_no"].value == "no"
    assert not response.cookies[conf.COOKIE_NAME].value
    post(client, message(home))
    assert (PageView.objects.count(), PageCount.objects.get().views) == (1, 1)
    given = post(client, yes(home)).cookies
    assert given[conf.COOKIE_NAME].value and not given[f"{conf.COOKIE_NAME}_no"].value
    post(client, message(home))
    assert PageView.objects.count() == 2


@pytest.mark.parametrize("token", [None, "", "forged", 7])
def test_consent__without_a_page_of_ours__makes_nobody(home: Any, client: Client, token: Any) -> None:
    response = post(client, yes(home, t=token))
    assert (response.status_code, dict(response.cookies)) == (204, {})
    assert row_count() == 0


def test_consent__given_with_privacy_signal__no_cookie(home: Any, client: Client) -> None:
    assert not post(client, yes(home, g=1)).cookies
    assert not post(client, yes(home), HTTP_SEC_GPC="1").cookies
    assert row_count() == 0


def test_hit__loop_of_one_browser__dropped_over_the_limit(
    home: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(client, message(home))
    monkeypatch.setattr(hits, "per_browser", hits.PerMinute(3))
    for _ in range(10):
        assert post(client, message(home)).status_code == 204
    assert PageView.objects.count() == 4


def test_hit__fault_of_ours__logged_and_204(home: Any, client: Client, caplog: Any) -> None:
    class Broken:
        def is_over(self, key: str) -> bool:
            raise RuntimeError("broken on purpose")

    post(client, message(home))
    original, hits.per_browser = hits.per_browser, Broken()  # type: ignore[assignment]
    try:
        assert post(client, message(home)).status_code == 204
    finally:
        hits.per_browser = original
    assert "broken on purpose" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_hit__statements__at_most_eight_with_begin_and_commit(home: Any, client: Client) -> None:
    post(Client(), message(home))
    view = message(home)
    known = message(home)
    steps = {
        "new visitor": view,
        "known visitor": known,
        "engagement": {**known, "k": "e", "e": 3000, "o": 3000, "s": 5, "q": 1},
        "engagement again": {**known, "k": "e", "e": 3000, "o": 3000, "s": 5, "q": 1},
        "activity": message(home, k="c", i=str(uuid4()), n="video_play"),
        "engagement of a lost view": message(home, k="e", e=3000, o=3000, s=5, q=1),
    }
    counts = {}
    for name, body in steps.items():
        with CaptureQueriesContext(connection) as statements:
            assert post(client, body).status_code == 204
        # The wake-up of the worker is sent once in some seconds, not with each hit.
        ours = [row["sql"] for row in statements if "django_q" not in row["sql"]]
        counts[name] = len(ours)
    assert max(counts.values()) <= 8, counts
    assert counts["engagement again"] <= 4, counts
