"""Whatever is sent to the public addresses: no error page, nothing in the log of errors, no row."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
from django.db.models import Model
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.web.test_hits import message, yes
from tests.web.test_wsgi import Site, _served  # noqa: F401  (a fixture)
from wagtail_ma import models
from wagtail_ma.conf import conf
from wagtail_ma.core import tokens
from wagtail_ma.forms.models import GatedDocument
from wagtail_ma.people.models import Identity
from wagtail_ma.tracking import page_token
from wagtail_ma.tracking.page_token import PageRef

pytestmark = pytest.mark.django_db
FORM, TEXT = "application/x-www-form-urlencoded", "text/plain"
TYPES = (
    *(FORM, TEXT, "application/json", "multipart/form-data; boundary=x", "multipart/form-data", "x", ""),
    *("text/plain; charset=utf-7", "application/x-www-form-urlencoded; charset=klingon", "a" * 300, "/;=;"),
)
# As text, the way a server hands it on: each character is one byte.
HOSTILE = (
    *(
        "",
        " ",
        "\x00",
        "\xff\xfe",
        "\r\nX: y",
        "=;;==,",
        '"\\',
        "%00%ff",
        "a" * 5_000,
        "-1",
        "9" * 400,
        "1e999",
    ),
    *(
        "null",
        "http://[::",
        "//",
        "javascript:alert(1)",
        "../../etc/passwd",
        "{{ 7*7 }}",
        "' OR 1=1 --",
        "\x1b[31m",
    ),
    *("\xe3\x81\x82", "é", "::1%eth0", "256.256.256.256", "unix:", "1.2.3.4, 5.6.7.8, x", "[::1]:99999"),
)
HEADERS = (
    *("USER_AGENT", "REFERER", "ORIGIN", "ACCEPT_LANGUAGE", "X_FORWARDED_FOR", "X_FORWARDED_PROTO", "DNT"),
    *(
        "SEC_FETCH_SITE",
        "SEC_GPC",
        "SEC_PURPOSE",
        "IF_NONE_MATCH",
        "RANGE",
        "CF_IPCOUNTRY",
        "X_REQUESTED_WITH",
    ),
)
JUNK = (
    *(None, [], {}, "", "?x", -1, 1e99, "\x00", "\ud800", "a" * 3000, ["p"], {"k": "p"}, 2**80, [[[]]], 0.5),
    *("http://[::", "é" * 50, {"": ""}, [None], "\r\n", False),
)


@pytest.fixture(autouse=True)
def _nothing_goes_wrong(caplog: Any) -> Iterator[None]:
    # (Django says of each refusal that it was one, and of each foreign host as if it was an error.)
    caplog.set_level(logging.ERROR)
    caplog.set_level(logging.CRITICAL, "django.security")
    caplog.set_level(logging.ERROR, "django.request")
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        yield
    ours = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert ours == [], [record.getMessage() for record in ours][:5]


@pytest.fixture(name="choose")
def _choose() -> random.Random:
    return random.Random(20261129)


def row_count() -> int:
    found = [model for model in vars(models).values() if isinstance(model, type) and issubclass(model, Model)]
    return sum(model.objects.count() for model in set(found) if not model._meta.abstract)


def headers(choose: random.Random) -> dict[str, str]:
    """Some headers and cookies as no browser sends them."""
    names = choose.sample(HEADERS, choose.randrange(5))
    found = {f"HTTP_{name}": choose.choice(HOSTILE) for name in names}
    if choose.random() < 0.7:
        cookie = choose.choice([conf.COOKIE_NAME, "sessionid", "", "x", "ma\x00"])
        found["HTTP_COOKIE"] = f"{cookie}={choose.choice(HOSTILE)}"
    if choose.random() < 0.2:
        found["REMOTE_ADDR"] = choose.choice(HOSTILE)
    if choose.random() < 0.1:
        found["HTTP_HOST"] = choose.choice(HOSTILE)
    return found


def spoiled(choose: random.Random, good: dict[str, Any], needed: str) -> bytes:
    """A message that is none any more."""
    base = dict(good)
    way, name = choose.randrange(4), choose.choice(needed)
    if way == 0:
        return json.dumps({**base, name: choose.choice(JUNK)}).encode()
    if way == 1:
        del base[name]
        return json.dumps(base).encode()
    text = json.dumps(base).encode()
    if way == 2:
        return text[: choose.randrange(len(text))]
    return choose.choice(
        [b"[" * 8_000, b'{"k":' * 1_500, b"9" * 8_000, choose.randbytes(choose.randrange(200))]
    )


def tracked(page: Any) -> list[tuple[dict[str, Any], str]]:
    """One good message of each kind, and what it cannot do without."""
    return [
        (message(page), "kvtu"),
        (message(page, k="e", q=1, e=5000, o=5000, s=10), "kvtu"),
        (message(page, k="c", i=str(uuid4()), n="x", d={"a": 1}), "kvtin"),
        (yes(page), "kct"),
    ]


@pytest.mark.parametrize("way", ["django", "wsgi"])
def test_hit__spoiled_messages_under_hostile_headers__no_row(
    home: Any, choose: random.Random, served: Site, way: str
) -> None:
    good, seen, before = tracked(home), Counter(), row_count()
    proxied = {"TRUSTED_PROXIES": ["127.0.0.1", "unix"], "COUNTRY_HEADER": "CF-IPCountry"}
    client = Client(raise_request_exception=False)
    for number in range(4_000):
        body = spoiled(choose, *good[number % 4])
        extra = {**headers(choose), "CONTENT_TYPE": choose.choice([TEXT, TEXT, TEXT, *TYPES])}
        with override_settings(WAGTAIL_MA=proxied if number % 2 else {}):
            if way == "wsgi":
                seen[int(served.ask(body, **extra)[0].split()[0])] += 1
            else:
                seen[post(client, reverse("wagtail_ma:hit"), body, extra)] += 1
    assert set(seen) <= {204, 400, 403, 413, 415}, seen
    assert row_count() == before


def post(client: Client, path: str, body: bytes, extra: dict[str, str]) -> int:
    given = dict(extra)
    # (Cookies of the client would be put in their place.)
    return client.generic("POST", path, body, given.pop("CONTENT_TYPE", TEXT), **given).status_code


def test_hit__good_messages_under_hostile_headers__no_key_of_theirs_is_adopted(
    home: Any, choose: random.Random
) -> None:
    client, seen = Client(raise_request_exception=False), Counter()
    for number in range(1_000):
        good, _needed = tracked(home)[number % 4]
        seen[post(client, reverse("wagtail_ma:hit"), json.dumps(good).encode(), headers(choose))] += 1
        client.cookies.clear()
    assert set(seen) <= {204, 400, 403}, seen
    assert seen[204] > 500
    assert set(Identity.objects.values_list("key", flat=True)).isdisjoint(map(str, HOSTILE))


def test_slots__anything__an_answer_and_no_row(home: Any, choose: random.Random) -> None:
    token = page_token.make(PageRef(None, home.pk, "/", "en"))
    good = {"t": token, "u": "http://testserver/?a=1", "r": "", "b": ["x", "y"]}
    client, seen, before = Client(raise_request_exception=False), Counter(), row_count()
    path = reverse("wagtail_ma:slots")
    for _ in range(3_000):
        seen[post(client, path, spoiled(choose, good, "turb"), headers(choose))] += 1
    assert set(seen) <= {200, 400}, seen
    assert min(seen.values()) > 500
    assert row_count() == before


def test_mail_follow__anything__204_and_no_row(home: Any, choose: random.Random) -> None:
    client, before = Client(raise_request_exception=False), row_count()
    path, good = reverse("wagtail_ma:mail_follow"), forged(choose, "mail_click", (1, 2))
    for _ in range(3_000):
        body = choose.choice([next(good).encode(), choose.randbytes(choose.randrange(2_000)), b""])
        extra = {**headers(choose), "CONTENT_TYPE": choose.choice(TYPES)}
        assert post(client, path, body, extra) in (204, 400)
    assert row_count() == before


def forged(choose: random.Random, purpose: str, payload: Any) -> Iterator[str]:
    """Tokens that are none: changed, cut, for another purpose, of another installation."""
    now = timezone.now()
    good = tokens.dumps(purpose, payload, now=now)
    while True:
        place = choose.randrange(len(good) - 1)
        yield choose.choice(
            [
                good[:place] + chr(choose.randrange(33, 127)).replace(good[place], "*") + good[place + 1 :],
                good[:place],
                tokens.dumps("something else", payload, now=now),
                tokens.dumps(purpose, payload, now=now, secrets=[b"of somebody else"]),
                choose.choice(HOSTILE),
                "".join(chr(choose.randrange(0x20, 0x2FFF)) for _ in range(choose.randrange(1, 80))),
            ]
        )


@pytest.mark.parametrize(
    ("view", "purpose"),
    [
        ("privacy_mine", "own data"),
        ("form_confirm", "form_confirm"),
        ("download", "download"),
        ("mail_click", "mail_click"),
        ("mail_open", "mail_open"),
        ("mail_unsubscribe", "mail_unsubscribe"),
        ("mail_archive", "archive"),
    ],
)
def test_links__forged_tokens__refused_and_no_row(
    home: Any, choose: random.Random, view: str, purpose: str
) -> None:
    factories.make_lead(now=timezone.now())
    client, seen, before = Client(raise_request_exception=False), Counter(), row_count()
    start = reverse(f"wagtail_ma:{view}", args=["TOKEN"])
    given = forged(choose, purpose, (Identity.objects.get(kind="email").pk, "ann@example.com"))
    for number in range(1_000):
        path = start.replace("TOKEN", quote(next(given), safe="") or "x")
        if number % 2:
            seen[
                post(client, path, fields(choose, ["do", "sure", "topic", "pace", "why"]), form(choose))
            ] += 1
        else:
            seen[client.get(path, **headers(choose)).status_code] += 1
    # (Paths with a slash in them are nobody's; the picture of a mail is shown whatever is asked for.)
    usual = {301, 400, 403, 404, 405} | ({200} if view == "mail_open" else set())
    assert set(seen) <= usual, seen
    assert row_count() == before


def form(choose: random.Random) -> dict[str, str]:
    return {**headers(choose), "CONTENT_TYPE": choose.choice([FORM, FORM, *TYPES])}


def fields(choose: random.Random, names: list[str]) -> bytes:
    """A form's data, or what is none."""
    if choose.random() < 0.2:
        return choose.randbytes(choose.randrange(400))
    chosen = [(choose.choice(names), choose.choice(HOSTILE)) for _ in range(choose.randrange(8))]
    return urlencode(chosen, encoding="latin-1").encode()


def test_privacy__anything_asked__no_error_and_no_row(home: Any, choose: random.Random) -> None:
    factories.make_lead(now=timezone.now())
    client, seen, before = Client(raise_request_exception=False), Counter(), row_count()
    for _ in range(1_500):
        seen[post(client, reverse("wagtail_ma:privacy"), fields(choose, ["email", "x"]), form(choose))] += 1
    assert set(seen) <= {400, 422, 429}, seen
    assert seen[422] > 500
    assert row_count() == before


def test_form__anything_sent__no_error_and_no_row(home: Any, choose: random.Random) -> None:
    lead_form = factories.lead_form("family_name", "email", "phone", "message", consent_text="Yes")
    GatedDocument.objects.create(document_id=factories.document().pk, form=lead_form)
    names = ["family_name", "email", "phone", "message", "consent", "ma_state", "ma_homepage", "ma_warned"]
    client, seen, before = Client(raise_request_exception=False), Counter(), row_count()
    path = reverse("wagtail_ma:form", args=[lead_form.pk])
    for _ in range(1_000):
        query = urlencode({choose.choice(["sent", "document", "next", "x"]): choose.choice(HOSTILE)})
        seen[post(client, f"{path}?{query}", fields(choose, names), form(choose))] += 1
        if choose.random() < 0.2:
            seen[client.get(f"{path}?{query}", **headers(choose)).status_code] += 1
    assert set(seen) <= {200, 400, 403, 422}, seen
    assert row_count() == before
    assert not client.cookies or conf.COOKIE_NAME not in client.cookies


@pytest.mark.parametrize("number", [0, 2**31, 2**63, 2**70, 10**300])
def test_form__with_any_number__404(home: Any, client: Client, number: int) -> None:
    assert client.get(f"/ma/form/{number}/").status_code == 404
    assert client.post(f"/ma/form/{number}/", {}).status_code == 404
