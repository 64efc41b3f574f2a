"""The browser cookie: a signed random key and nothing else."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from wagtail_ma.conf import conf
from wagtail_ma.core import tokens
from wagtail_ma.people import drawn_keys

PURPOSE = "browser"
# Where consent is asked for, a key counts only if it was given after the consent: those from before
# the site began to ask are none.
CONSENTED = "browser with consent"
SECONDS_PER_DAY = 86_400
# What the cookie says instead of a key once the visitor has said no.
REFUSED = "no"


def browser_key(request: HttpRequest) -> str | None:
    """The key in the request's cookie; None without a cookie, or when we did not sign it."""
    return read(request)[0]


def is_fresh(request: HttpRequest) -> bool:
    """Whether the key in the cookie was drawn or looked up within the last hour by a process that
    gathers messages: it need not be in the database yet (see drawn_keys.py)."""
    return read(request)[1]


def read(request: HttpRequest) -> tuple[str | None, bool]:
    """:func:`browser_key` and :func:`is_fresh`."""
    cookie = request.COOKIES.get(conf.COOKIE_NAME)
    if not cookie:
        return None, False
    for purpose in (CONSENTED,) if _asks_for_consent() else (PURPOSE, CONSENTED):
        try:
            payload, issued_at = tokens.read(purpose, cookie)
        except tokens.BadToken:
            continue
        # (Other keys carry no date.)
        if not isinstance(payload, bytes):
            return None, False
        return payload.decode("ascii", "replace"), issued_at is not None and _is_recent(issued_at)
    return None, False


def _is_recent(moment: datetime) -> bool:
    age = (timezone.now() - moment).total_seconds()
    return conf.RECORDING != "direct" and -tokens.CLOCK_SKEW_SECONDS <= age <= drawn_keys.FRESH_SECONDS


def set_browser_key(
    response: HttpResponseBase, key: str, *, request: HttpRequest, is_fresh: bool = False
) -> None:
    """Give the browser its key for another ``COOKIE_DAYS`` (its life begins anew each time).

    :param is_fresh: it was drawn or looked up just now; the cookie says so for an hour.
    """
    purpose = CONSENTED if _asks_for_consent() else PURPOSE
    response.set_cookie(
        conf.COOKIE_NAME,
        tokens.dumps(purpose, key.encode("ascii"), now=timezone.now() if is_fresh else None),
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
    if request.META.get("HTTP_SEC_GPC") == "1" or request.META.get("HTTP_DNT") == "1":
        return True
    if request.COOKIES.get(conf.COOKIE_NAME) == REFUSED:
        return True
    return _asks_for_consent() and browser_key(request) is None


def _asks_for_consent() -> bool:
    return conf.CONSENT == "opt_in"
