"""The address that the tracker posts to."""

from __future__ import annotations

import logging
from functools import cache, lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, DataError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from wagtail_ma import flow
from wagtail_ma.conf import conf
from wagtail_ma.jobs import queue
from wagtail_ma.people import browsers, cookies
from wagtail_ma.people.cookies import Cookie
from wagtail_ma.tracking import networks, page_token, places, sites
from wagtail_ma.tracking.bots import is_bot
from wagtail_ma.tracking.hits import CONSENT, MAX_BYTES, BadHit, Sender, from_message, read
from wagtail_ma.tracking.writing import Busy, write_facts
from wagtail_ma.web import asynchronous
from wagtail_ma.web.limits import PerMinute, network_of

logger = logging.getLogger(__name__)

# sendBeacon and fetch send a text as text/plain, which needs no preflight.
CONTENT_TYPES = ("text/plain", "application/json")
# A person makes a few messages per minute, a page with many custom activities some dozens.
per_browser = PerMinute(3000)
# Messages without a key, each of which may make a visitor. Twenty a second: an office, or a street of mobile
# phones, in which a thousand people follow a mail's link in the same minute stays below; a loop, which
# makes that many in a second, does not. (Who has refused has no key either, and sends a few per minute.)
per_network = PerMinute(1200)


class HitPath:
    """Tells the path that the tracker posts to, for those who answer before Django asks its URLs."""

    def __init__(self) -> None:
        self._path: str | None = None

    def is_at(self, path_info: str) -> bool:
        """Whether a request with this path (below the script's name) is for :func:`hit`."""
        if self._path is None:
            self._path = self._find()
        return path_info == self._path

    def _find(self) -> str:
        try:
            # (``reverse`` puts the script's name in front, which ends with a slash.)
            return reverse("wagtail_ma:hit")[len(get_script_prefix()) - 1 :]
        except NoReverseMatch:
            logger.error("wagtail_ma.urls is not among the site's URLs: nothing is recorded")
            return "*"


class Answer(NamedTuple):
    """What is said to a message.

    :param reason: for the developer who reads it; empty where all is well.
    :param cookies: ``Set-Cookie`` headers.
    """

    status: int = 204
    reason: str = ""
    cookies: tuple[str, ...] = ()

    def headers(self) -> list[tuple[str, str]]:
        """All but the cookies."""
        again = [("Retry-After", "1")] if self.status == 503 else []
        return [("Content-Type", "text/plain"), ("Cache-Control", "no-store"), *again]

    def response(self) -> HttpResponse:
        """As the answer of a view."""
        response = HttpResponse(self.reason, status=self.status, headers=dict(self.headers()))
        cookies.put(response, self.cookies)
        # Django would log each "send again" as an error, and mail it to the site's administrators.
        response._has_been_logged = self.status == 503  # type: ignore[attr-defined]
        return response


@csrf_exempt
@require_POST
def hit(request: HttpRequest) -> HttpResponse:
    """The view: record one message of a browser."""
    asynchronous.notice.look(request)
    return answer(request).response()


def answer(request: HttpRequest) -> Answer:
    """Record one message of a browser.

    :returns: 204 recorded or silently dropped; 4xx malformed or from elsewhere; 503 the database
        cannot write now, send again. Never another error: a fault of ours is logged and answered 204.
    """
    try:
        return _answer(request)
    except BadHit as refusal:
        return Answer(refusal.status, str(refusal) if refusal.status >= 400 else "")
    except DataError:
        # What the database cannot store today it cannot store tomorrow: not to be sent again.
        logger.exception("a hit could not be recorded")
        return Answer()
    except DatabaseError:
        logger.exception("a hit could not be recorded")
    except Busy:
        pass
    except Exception:
        logger.exception("a hit could not be recorded")
        return Answer()
    return Answer(503)


def _answer(request: HttpRequest) -> Answer:
    hosts = _our_hosts(request)
    _refuse_strangers(request, hosts)
    message = read(_body(request))
    if message["k"] == CONSENT:
        return _consent(request, message)
    refuses = cookies.refuses_identifier(request)
    cookie = Cookie() if refuses else cookies.read(request)
    sender = Sender(
        browser_key=cookie.key,
        user_agent=request.META.get("HTTP_USER_AGENT", ""),
        hosts=hosts,
        is_anonymous=refuses,
        is_key_fresh=cookie.is_fresh,
        place=places.of_request(request.META),
    )
    found = from_message(message, sender=sender)
    if found.page is not None and sites.is_of_another(found.page.site_id, found.url):
        raise BadHit("page token of another site", 204)
    if _is_unwanted(request, cookie, sender.place):
        return Answer(cookies=cookies.forgetting(request=request)) if found.is_anonymous else Answer()
    now = timezone.now()
    recorded = flow.receive(found, now=now)
    queue.wake()
    if recorded.is_silent:
        return Answer(cookies=cookies.silencing(request=request))
    if recorded.browser_key is not None:
        if recorded.is_fresh or not cookie.says(recorded.browser_key, now=now):
            return Answer(cookies=(cookies.giving(recorded.browser_key, request=request),))
    elif found.is_anonymous:
        # A key from before the refusal, or brought by an answer that the refusal has overtaken.
        return Answer(cookies=cookies.forgetting(request=request))
    return Answer()


def _consent(request: HttpRequest, message: dict[str, Any]) -> Answer:
    """``ma.consent(true)`` gives the browser its key, ``ma.consent(false)`` takes it away."""
    if message.get("c") not in (0, 1):
        raise BadHit("c is neither 1 nor 0")
    if message["c"] and (not isinstance(message.get("t"), str) or page_token.read(message["t"]) is None):
        # Without a page of ours nobody makes visitors.
        raise BadHit("bad page token", 204)
    if not message["c"]:
        return Answer(cookies=cookies.refusing(request=request))
    if message.get("g") or cookies.signals_refusal(request):
        return Answer(cookies=cookies.forgetting(request=request))
    if not cookies.may_agree(request):
        return Answer()
    cookie = cookies.read(request)
    if is_bot(request.META.get("HTTP_USER_AGENT", "")) or _is_unwanted(
        request, cookie, places.of_request(request.META)
    ):
        return Answer()
    with write_facts():
        identity = browsers.recognise(cookie.key, now=timezone.now(), is_fresh=cookie.is_fresh)
    if identity.is_silent:
        return Answer(cookies=cookies.silencing(request=request))
    return Answer(cookies=cookies.agreeing(identity.key, request=request))


def _our_hosts(request: HttpRequest) -> frozenset[str]:
    """The host of this request and those of all sites (behind a proxy they may differ)."""
    try:
        host = request.get_host()
    except DisallowedHost as error:
        raise BadHit("unknown host") from error
    ours, name = sites.hosts(), _name(f"//{host}")
    return ours if name in ours else ours | {name}


def _refuse_strangers(request: HttpRequest, hosts: frozenset[str]) -> None:
    if request.META.get("HTTP_SEC_FETCH_SITE", "same-origin") == "cross-site":
        raise BadHit("from another site", 403)
    origin = request.META.get("HTTP_ORIGIN")
    if origin is not None and _name(origin) not in hosts:
        raise BadHit("from another site", 403)


@lru_cache(maxsize=256)
def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _body(request: HttpRequest) -> bytes:
    """The message, of which no more than the limit is ever read."""
    if request.content_type not in CONTENT_TYPES:
        raise BadHit("send text/plain", 415)
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
            raise BadHit("too long", 413)
        return request.read(MAX_BYTES + 1)
    except (ValueError, UnreadablePostError) as error:
        raise BadHit("the message could not be read") from error


def _is_unwanted(request: HttpRequest, cookie: Cookie, place: places.Place) -> bool:
    """Whether nothing is to be recorded of this sender: more than a person does, a network that editors
    have excluded, one of us."""
    return _is_over_limit(request, cookie) or networks.is_excluded(place.network_id) or is_staff(request)


def _is_over_limit(request: HttpRequest, cookie: Cookie) -> bool:
    if cookie.key is not None:
        return per_browser.is_over(cookie.key)
    network = network_of(request.META)
    if not network or not per_network.is_over(network):
        return False
    _warn_of_flood()
    return True


@cache
def _warn_of_flood() -> None:
    """Once per process. (The network is not named: addresses are kept nowhere.)"""
    logger.warning(
        "New browsers of one network send more than %d messages a minute; the rest is dropped. If that is a "
        "proxy of yours, name it in WAGTAIL_MA['TRUSTED_PROXIES'].",
        per_network.limit,
    )


def is_staff(request: HttpRequest) -> bool:
    """Whether this is one of us: somebody who may enter the Wagtail admin.

    A visitor without a session costs nothing here and leaves the session untouched.
    """
    if conf.TRACK_STAFF or not getattr(getattr(request, "session", None), "session_key", None):
        return False
    user = getattr(request, "user", None)
    return user is not None and user.is_authenticated and user.has_perm("wagtailadmin.access_admin")
