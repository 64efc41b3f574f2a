"""The browser cookie: a random key and when it was given, signed, and nothing else; and the one that keeps
a visitor's refusal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

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
# What the cookie of a refusal says: that the visitor has said no here, or has asked us not to be recorded.
REFUSED, ASKED = "no", "never"
# The life of a cookie begins anew with a message, but not with every one of a visit: when it has lived for a
# day, or for a tenth of its life.
RENEW_AFTER = timedelta(days=1)
RENEW_AFTER_SHARE = 0.1


class Cookie(NamedTuple):
    """What a browser's cookie says. ``key``: None without a cookie, or when we did not sign it."""

    key: str | None = None
    issued_at: datetime | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the key need not be in the database yet: messages are gathered, and it was drawn or
        looked up within the last hour (see drawn_keys.py)."""
        if self.issued_at is None or conf.RECORDING == "direct":
            return False
        age = (timezone.now() - self.issued_at).total_seconds()
        return -tokens.CLOCK_SKEW_SECONDS <= age <= drawn_keys.FRESH_SECONDS

    def says(self, key: str, *, now: datetime) -> bool:
        """Whether the browser has this key, and got it not long ago."""
        if self.key != key or self.issued_at is None:
            return False
        return now - self.issued_at < min(RENEW_AFTER, timedelta(days=conf.COOKIE_DAYS) * RENEW_AFTER_SHARE)


def browser_key(request: HttpRequest) -> str | None:
    """The key in the request's cookie; None without a cookie, or when we did not sign it."""
    return read(request).key


def read(request: HttpRequest) -> Cookie:
    """What the request's cookie says; nothing once the visitor has refused."""
    cookie = request.COOKIES.get(conf.COOKIE_NAME)
    if not cookie or has_refused(request):
        return Cookie()
    for purpose in (CONSENTED,) if _asks_for_consent() else (PURPOSE, CONSENTED):
        try:
            payload, issued_at = tokens.read(purpose, cookie)
        except tokens.BadToken:
            continue
        return (
            Cookie(payload.decode("ascii", "replace"), issued_at) if isinstance(payload, bytes) else Cookie()
        )
    return Cookie()


def set_browser_key(response: HttpResponseBase, key: str, *, request: HttpRequest) -> None:
    """Give the browser its key for another ``COOKIE_DAYS``, from now on."""
    response.cookies.load(giving(key, request=request))


def forget_key(response: HttpResponseBase, *, request: HttpRequest) -> None:
    """Take the key away from a browser that must not have one, if it has one."""
    put(response, forgetting(request=request))


def put(response: HttpResponseBase, headers: Iterable[str]) -> None:
    """Set cookies that are told as texts of ``Set-Cookie`` headers."""
    for header in headers:
        response.cookies.load(header)


def giving(key: str, *, request: HttpRequest) -> str:
    """The same as the text of a ``Set-Cookie`` header. (Each new visitor gets one, and the response's own
    ``set_cookie`` takes as long as all the rest of a message.)"""
    purpose = CONSENTED if _asks_for_consent() else PURPOSE
    value = tokens.dumps(purpose, key.encode("ascii"), now=timezone.now())
    return _keeping(conf.COOKIE_NAME, value, request=request)


def agreeing(key: str, *, request: HttpRequest) -> tuple[str, ...]:
    """``Set-Cookie`` headers for a visitor who agrees (again): the key, and an earlier refusal is no more."""
    given = giving(key, request=request)
    # (A refusal that came meanwhile, from another tab, stays.)
    return (given, _ending(refusal_name())) if has_refused(request) else (given,)


def refusing(*, request: HttpRequest, says: str = REFUSED) -> tuple[str, ...]:
    """``Set-Cookie`` headers that take the key away and keep the visitor's no, all that is kept of them.

    In a cookie of its own: the answer to an earlier message, or to one of another tab, may come later and
    bring a key. That counts for nothing beside the refusal, and must not take its place.
    """
    return _ending(conf.COOKIE_NAME), _keeping(refusal_name(), says, request=request)


def silencing(*, request: HttpRequest) -> tuple[str, ...]:
    """The same for a browser whose owner has asked us not to be recorded."""
    return refusing(request=request, says=ASKED)


def answering(key: str, *, is_silent: bool, request: HttpRequest) -> tuple[str, ...]:
    """``Set-Cookie`` headers for a browser that we know: its key, or a refusal where its owner is not
    recorded."""
    if is_silent:
        return silencing(request=request)
    return (giving(key, request=request),)


def allowing() -> tuple[str, ...]:
    """A ``Set-Cookie`` header that takes a refusal back."""
    return (_ending(refusal_name()),)


def forgetting(*, request: HttpRequest) -> tuple[str, ...]:
    """A ``Set-Cookie`` header that takes the key away; none if the browser has no key."""
    return (_ending(conf.COOKIE_NAME),) if request.COOKIES.get(conf.COOKIE_NAME) else ()


def refusal_name() -> str:
    """Name of the cookie that keeps a refusal."""
    return f"{conf.COOKIE_NAME}_no"


def has_refused(request: HttpRequest) -> bool:
    """Whether the visitor has said no."""
    return bool(request.COOKIES.get(refusal_name()))


def may_agree(request: HttpRequest) -> bool:
    """Whether a yes of this browser counts.

    Where consent is asked for, our script repeats a former yes in each new tab, and nobody has done
    anything. So it does not end a wish that the owner has told us themselves.
    """
    return not _asks_for_consent() or request.COOKIES.get(refusal_name()) != ASKED


def _ending(name: str) -> str:
    # (For names that begin so, browsers obey only headers that say it.)
    secure = "; Secure" if name.startswith(("__Host-", "__Secure-")) else ""
    return f"{name}=; Max-Age=0; Path=/; SameSite=Lax{secure}"


def _keeping(name: str, value: str, *, request: HttpRequest) -> str:
    # (Max-Age alone: every browser of today knows it.)
    secure = "; Secure" if request.is_secure() else ""
    seconds = conf.COOKIE_DAYS * SECONDS_PER_DAY
    return f"{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax{secure}"


def refuses_identifier(request: HttpRequest) -> bool:
    """Whether this browser must not be given (or recognised by) an identifier.

    True when it says so itself (Global Privacy Control, Do Not Track), when the visitor has said
    no, or when consent is asked for and has not been given: the cookie is only ever set after the
    consent.
    """
    if signals_refusal(request) or has_refused(request):
        return True
    return _asks_for_consent() and browser_key(request) is None


def signals_refusal(request: HttpRequest) -> bool:
    """Whether the browser itself says so, in each of its requests."""
    return request.META.get("HTTP_SEC_GPC") == "1" or request.META.get("HTTP_DNT") == "1"


def _asks_for_consent() -> bool:
    return conf.CONSENT == "opt_in"
