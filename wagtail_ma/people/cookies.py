"""The browser cookie: a signed random key and nothing else."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from wagtail_ma.conf import conf
from wagtail_ma.core import tokens

PURPOSE = "browser"
SECONDS_PER_DAY = 86_400
# What the cookie says instead of a key once the visitor has said no.
REFUSED = "no"


def browser_key(request: HttpRequest) -> str | None:
    """The key in the request's cookie; None without a cookie, or when we did not sign it."""
    cookie = request.COOKIES.get(conf.COOKIE_NAME)
    if not cookie:
        return None
    try:
        payload = tokens.loads(PURPOSE, cookie, now=timezone.now())
    except tokens.BadToken:
        return None
    return payload.decode("ascii", "replace") if isinstance(payload, bytes) else None


def set_browser_key(response: HttpResponseBase, key: str, *, request: HttpRequest) -> None:
    """Give the browser its key for another ``COOKIE_DAYS`` (its life begins anew each time)."""
    response.set_cookie(
        conf.COOKIE_NAME,
        tokens.dumps(PURPOSE, key.encode("ascii")),
        max_age=conf.COOKIE_DAYS * SECONDS_PER_DAY,
        path="/",
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def set_refused(response: HttpResponseBase, *, request: HttpRequest) -> None:
    """Replace the key by the visitor's no, which is all that is kept of them."""
    response.set_cookie(
        conf.COOKIE_NAME,
        REFUSED,
        max_age=conf.COOKIE_DAYS * SECONDS_PER_DAY,
        path="/",
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def refuses_identifier(request: HttpRequest) -> bool:
    """Whether this browser must not be given (or recognised by) an identifier.

    True when it says so itself (Global Privacy Control, Do Not Track), when the visitor has said
    no, or when consent is asked for and has not been given: the cookie is only ever set after the
    consent.
    """
    if request.headers.get("Sec-GPC") == "1" or request.headers.get("DNT") == "1":
        return True
    if request.COOKIES.get(conf.COOKIE_NAME) == REFUSED:
        return True
    return conf.CONSENT == "opt-in" and browser_key(request) is None
