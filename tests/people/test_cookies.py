"""The browser cookie, and who stands behind a request."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import RequestFactory

from tests import factories
from wagtail_ma.core import tokens
from wagtail_ma.people import browsers, cookies, visitors
from wagtail_ma.people.models import Identity


def answered(key, *, secure=False):
    """The cookie that a response carries."""
    response = HttpResponse()
    cookies.set_browser_key(response, key, request=RequestFactory().get("/", secure=secure))
    return response.cookies["wagtail_ma"]


def asking(cookie=None, **headers):
    request = RequestFactory().get("/", headers=headers)
    if cookie is not None:
        request.COOKIES["wagtail_ma"] = cookie
    return request


def test_cookie__set_and_read__same_key_and_strict_attributes():
    morsel = answered("abc", secure=True)
    assert cookies.browser_key(asking(morsel.value)) == "abc"
    assert morsel["httponly"] and morsel["secure"]
    assert (morsel["samesite"], morsel["path"], int(morsel["max-age"])) == ("Lax", "/", 400 * 86_400)


def test_cookie__plain_http__not_marked_secure():
    assert not answered("abc")["secure"]


@pytest.mark.parametrize("value", ["", "abc", "é", "A" * 9000, tokens.dumps("page", b"abc")])
def test_cookie__not_signed_by_us_for_this__no_key(value):
    assert cookies.browser_key(asking(value)) is None


def test_cookie__signed_with_an_older_secret__still_read(settings):
    settings.WAGTAIL_MA = {"SECRETS": ["old"]}
    value = answered("abc").value
    settings.WAGTAIL_MA = {"SECRETS": ["new", "old"]}
    assert cookies.browser_key(asking(value)) == "abc"
    settings.WAGTAIL_MA = {"SECRETS": ["new"]}
    assert cookies.browser_key(asking(value)) is None


@pytest.mark.parametrize(
    ("consent", "headers", "has_cookie", "refuses"),
    [
        ("opt_out", {}, False, False),
        ("opt_out", {"DNT": "1"}, True, True),
        ("opt_out", {"Sec-GPC": "1"}, True, True),
        ("opt_out", {"DNT": "0"}, False, False),
        ("opt_in", {}, False, True),
        ("opt_in", {}, True, False),
        ("opt_in", {"Sec-GPC": "1"}, True, True),
    ],
)
def test_refuses_identifier__consent_and_headers__honoured(settings, consent, headers, has_cookie, refuses):
    settings.WAGTAIL_MA = {"CONSENT": consent}
    cookie = answered("abc").value if has_cookie else None
    assert cookies.refuses_identifier(asking(cookie, **headers)) is refuses


def test_cookie__from_before_consent_was_asked_for__counts_no_more(settings):
    before = answered("abc").value
    settings.WAGTAIL_MA = {"CONSENT": "opt_in"}
    assert cookies.browser_key(asking(before)) is None
    assert cookies.refuses_identifier(asking(before))
    given = answered("abc").value
    assert cookies.browser_key(asking(given)) == "abc"
    settings.WAGTAIL_MA = {"CONSENT": "opt_out"}
    assert cookies.browser_key(asking(given)) == "abc"


def test_refusal__beside_a_key__there_is_no_key():
    request = asking(answered("abc").value)
    request.COOKIES["wagtail_ma_no"] = "no"
    assert cookies.browser_key(request) is None
    assert cookies.refuses_identifier(request)
    assert cookies.forgetting(request=request) and not cookies.forgetting(request=asking())


@pytest.mark.parametrize(
    ("days", "other", "says"), [(0, False, True), (0.9, False, True), (1.1, False, False), (0, True, False)]
)
def test_cookie__says_a_key_for_a_day__then_given_anew(now, days, other, says):
    value = tokens.dumps(cookies.PURPOSE, b"abc", now=now)
    cookie = cookies.read(asking(value))
    assert cookie.says("other" if other else "abc", now=now + timedelta(days=days)) is says
    undated = cookies.read(asking(tokens.dumps(cookies.PURPOSE, b"abc")))
    assert undated.key == "abc" and not undated.says("abc", now=now)


def test_cookie__of_a_day__renewed_long_before_its_end(settings, now):
    settings.WAGTAIL_MA = {"COOKIE_DAYS": 1}
    cookie = cookies.read(asking(tokens.dumps(cookies.PURPOSE, b"abc", now=now)))
    assert cookie.says("abc", now=now + timedelta(hours=2))
    assert not cookie.says("abc", now=now + timedelta(hours=3))


@pytest.mark.django_db
def test_recognise__unknown_key__never_adopted(now):
    with transaction.atomic():
        identity = browsers.recognise("invented-by-somebody", now=now)
    assert identity.key != "invented-by-somebody"
    assert not Identity.objects.filter(key="invented-by-somebody").exists()


@pytest.mark.django_db
def test_recognise__key_of_an_email_identity__not_a_browser(now):
    from wagtail_ma.people.identify import identify

    identify(None, email="ann@example.com", now=now, method="import")
    with transaction.atomic():
        assert browsers.recognise("ann@example.com", now=now).kind == Identity.Kind.BROWSER
    assert Identity.objects.filter(kind="browser").exclude(key="ann@example.com").count() == 1


@pytest.mark.parametrize("name", ["__Host-ma", "__Secure-ma"])
def test_forgetting__name_that_browsers_guard__says_secure(rf, settings, name):
    """Else they ignore the header, and the key stays."""
    settings.WAGTAIL_MA = {"COOKIE_NAME": name}
    request = rf.get("/", secure=True)
    request.COOKIES = {name: "x", cookies.refusal_name(): "no"}
    for header in (*cookies.forgetting(request=request), *cookies.agreeing("key", request=request)):
        assert header.endswith("; Secure"), header
    settings.WAGTAIL_MA = {}
    assert "Secure" not in cookies.forgetting(request=rf.get("/", HTTP_COOKIE="wagtail_ma=x"))[0]


@pytest.mark.django_db
def test_current__known_browser__one_statement_per_request(now, django_assert_num_queries):
    identity = factories.browser(now)
    request = asking(answered(identity.key).value)
    with django_assert_num_queries(1):
        found = visitors.current(request)
        assert visitors.current(request) == found
    assert (found.identity_id, found.visitor_id) == (identity.pk, identity.visitor_id)


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, {"DNT": "1"}])
def test_current__no_cookie_or_refusal__no_statement(now, django_assert_num_queries, headers):
    cookie = answered(factories.browser(now).key).value if headers else None
    with django_assert_num_queries(0):
        assert visitors.current(asking(cookie, **headers)) is None
