"""Hits that are answered before Django's own handling of a request begins."""

from __future__ import annotations

import io
import json
import random
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest
from django.test import Client, override_settings
from django.urls import reverse

from tests.factories import CHROME
from wagtail_ma.conf import conf
from wagtail_ma.people.models import Identity
from wagtail_ma.tracking import page_token
from wagtail_ma.tracking.models import PageView
from wagtail_ma.tracking.page_token import PageRef
from wagtail_ma.web.wsgi import answer_hits_first

pytestmark = pytest.mark.django_db
AGENT = {"user-agent": CHROME}
Told = tuple[str, list[tuple[str, str]], bytes]


class Site:
    """The wrapped application, and which requests came through to Django."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        # How often the database connection was looked at.
        self.tidied: list[int] = []
        handler = WSGIHandler()

        def django(environ: dict[str, Any], start_response: Any) -> Any:
            self.passed.append(environ["PATH_INFO"])
            return handler(environ, start_response)

        self.application = answer_hits_first(django)

    path = "/ma/e/"

    def ask(self, body: bytes, **changes: Any) -> Told:
        """What is answered to a message; ``None`` leaves a variable of the environment out."""
        usual = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": self.path,
            "QUERY_STRING": "",
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "HTTP_HOST": "testserver",
            "HTTP_USER_AGENT": CHROME,
            "CONTENT_TYPE": "text/plain;charset=UTF-8",
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "192.0.2.1",
            "wsgi.input": io.BytesIO(body),
            "wsgi.url_scheme": "http",
            "wsgi.errors": io.StringIO(),
        }
        environ = {name: value for name, value in {**usual, **changes}.items() if value is not None}
        told: list[Any] = []
        answer = self.application(environ, lambda status, headers: told.extend((status, headers)))
        content = b"".join(answer)
        if close := getattr(answer, "close", None):
            close()
        return told[0], told[1], content


@pytest.fixture(name="served")
def _served(monkeypatch: pytest.MonkeyPatch) -> Site:
    served = Site()
    # (It would close the connection, with the test's transaction in it.)
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: served.tidied.append(1))
    return served


def message(home: Any, **changes: Any) -> bytes:
    token = page_token.make(PageRef(None, home.pk, "/", "en"))
    body = {"k": "p", "v": str(uuid4()), "t": token, "u": "http://testserver/", **changes}
    return json.dumps(body).encode()


def cookie_of(told: Told) -> str:
    return dict(told[1]).get("Set-Cookie", "")


def test_view__recorded__cookie_as_the_view_of_django_gives_it(
    home: Any, served: Site, client: Client
) -> None:
    told = served.ask(message(home))
    assert (told[0], told[2], served.passed) == ("204 No Content", b"", [])
    key = Identity.objects.get().key
    assert dict(told[1])["Cache-Control"] == "no-store"
    answer = client.post(reverse("wagtail_ma:hit"), message(home), content_type="text/plain", headers=AGENT)
    (morsel,) = answer.cookies.values()
    attributes = {part.strip().partition("=")[0].lower() for part in cookie_of(told).split(";")[1:]}
    assert attributes == {name for name, value in morsel.items() if value}
    assert dict(told[1]).keys() - {"Set-Cookie"} <= {name for name, _value in answer.items()}
    again = served.ask(message(home), HTTP_COOKIE=cookie_of(told).partition(";")[0])
    assert not cookie_of(again), "it has its key since a moment ago"
    assert PageView.objects.filter(visit__identity__key=key).count() == 2


def test_view__over_https__secure_cookie(home: Any, served: Site) -> None:
    assert "; Secure" in cookie_of(served.ask(message(home), **{"wsgi.url_scheme": "https"}))
    assert "; Secure" not in cookie_of(served.ask(message(home)))
    with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        assert "; Secure" in cookie_of(served.ask(message(home), HTTP_X_FORWARDED_PROTO="https"))


def test_refusal__cookie_says_no__then_only_counted(home: Any, served: Site) -> None:
    told = served.ask(b'{"k":"k","c":0}')
    key, refusal = [value for name, value in told[1] if name == "Set-Cookie"]
    assert key.startswith(f"{conf.COOKIE_NAME}=; Max-Age=0; Path=/;")
    assert refusal.startswith(f"{conf.COOKIE_NAME}_no=no; Max-Age=")
    no = f"{conf.COOKIE_NAME}_no=no"
    assert not cookie_of(served.ask(message(home), HTTP_COOKIE=no))
    late = served.ask(message(home), HTTP_COOKIE=f"{no}; {conf.COOKIE_NAME}=key")
    assert cookie_of(late).startswith(f"{conf.COOKIE_NAME}=; Max-Age=0;")
    assert not PageView.objects.exists()


@pytest.mark.parametrize(
    ("body", "changes", "status"),
    [
        (b"{", {}, 400),
        (b"", {}, 400),
        (b"{}", {"CONTENT_LENGTH": None}, 400),
        (b"{}", {"CONTENT_LENGTH": "many"}, 400),
        (b"{}", {"CONTENT_LENGTH": "-1"}, 400),
        (b"{}", {"CONTENT_LENGTH": "999999"}, 413),
        (b"{}", {"CONTENT_TYPE": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {"CONTENT_TYPE": None}, 415),
        (b"{}", {"HTTP_ORIGIN": "https://x.example"}, 403),
        (b"{}", {"HTTP_HOST": "elsewhere.example"}, 400),
        (b"{}", {"HTTP_HOST": "a b\xff"}, 400),
    ],
)
def test_malformed_or_foreign__refused_in_words(
    home: Any, served: Site, body: bytes, changes: dict[str, Any], status: int
) -> None:
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        told = served.ask(body, **changes)
    assert told[0].startswith(f"{status} ") and told[2]
    assert not PageView.objects.exists() and not served.passed


@pytest.mark.parametrize("length", ["8192", "-1", "many"])
def test_body__no_more_is_read_than_is_allowed(home: Any, served: Site, length: str) -> None:
    class Endless(io.BytesIO):
        """A body that never ends, as that of a connection that stays open."""

        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None and 0 <= size < 20_000
            self.taken += size
            return b"x" * size

    endless = Endless()
    assert served.ask(b"", CONTENT_LENGTH=length, **{"wsgi.input": endless})[0].startswith("400")
    assert endless.taken <= 8192


def test_ten_thousand_hostile_requests__never_5xx_and_never_a_row(home: Any, served: Site) -> None:
    choose = random.Random(20260303)
    names = ("CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_HOST", "HTTP_ORIGIN", "HTTP_COOKIE", "REMOTE_ADDR")
    junk = (
        None,
        "",
        "\xff",
        "x" * 5000,
        "a=b; wagtail_ma=\xe3\x81",
        "-1",
        "text/plain",
        "[::",
        "//",
        "0",
        "é;;=",
    )
    good = message(home)
    for _ in range(10_000):
        body = (
            good[: choose.randrange(len(good))]
            if choose.random() < 0.5
            else choose.randbytes(choose.randrange(60))
        )
        changes = {choose.choice(names): choose.choice(junk) for _ in range(choose.randrange(3))}
        told = served.ask(body, **changes)
        assert told[0][:1] in "24", told
    assert not PageView.objects.exists() and not Identity.objects.exists()


def test_with_a_session__or_for_another_address__django_answers(
    home: Any, served: Site, client: Client
) -> None:
    client.force_login(get_user_model().objects.create_superuser("boss"))
    session = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    assert served.ask(message(home), HTTP_COOKIE=session)[0].startswith("204")
    assert not PageView.objects.exists(), "staff are not recorded"
    assert served.ask(b"", REQUEST_METHOD="GET", PATH_INFO="/nothing/")[0].startswith("404")
    assert served.ask(b"", REQUEST_METHOD="GET")[0].startswith("405")
    assert served.passed == [served.path, "/nothing/", served.path]


def test_site_without_our_urls__django_answers(served: Site) -> None:
    with override_settings(ROOT_URLCONF="tests.web.test_wsgi"):
        assert served.ask(b"{}")[0].startswith("404")


urlpatterns: list[Any] = []


def test_below_a_script_name__recorded(home: Any, served: Site) -> None:
    assert served.ask(message(home), SCRIPT_NAME="/below")[0].startswith("204")
    assert PageView.objects.exists() and not served.passed


def test_database_connection__tidied_at_both_ends(home: Any, served: Site) -> None:
    served.ask(message(home))
    assert len(served.tidied) == 2


def test_fault_of_ours__logged_and_204(home: Any, served: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(request: HttpRequest) -> bool:
        raise RuntimeError("broken")

    monkeypatch.setattr("wagtail_ma.web.hits.is_staff", broken)
    assert served.ask(message(home))[0].startswith("204")
