"""Public addresses in mails: a tracked link, and unsubscribing."""

from __future__ import annotations

import logging
from base64 import b64decode
from contextlib import nullcontext
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from wagtail_ma.conf import conf
from wagtail_ma.core.tokens import BadToken
from wagtail_ma.jobs import queue
from wagtail_ma.messaging import clicks, opens, tagging, unsubscribing
from wagtail_ma.messaging.models_of_sending import MailPace
from wagtail_ma.people import cookies
from wagtail_ma.tracking import sites
from wagtail_ma.tracking.bots import is_bot

logger = logging.getLogger(__name__)

MAX_TOKEN = 500
# 42 bytes: GIF, one point, transparent.
PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD"])
def click(request: HttpRequest, token: str) -> HttpResponse:
    """Lead the reader of a mail on. The target comes from the database, never from the request."""
    facts = clicks.RequestFacts(
        method=request.method or "GET",
        user_agent=request.headers.get("User-Agent", ""),
        is_prefetch="prefetch" in _purpose(request),
        address=request.META.get("REMOTE_ADDR", ""),
    )
    try:
        clicked = clicks.record_click(token, now=timezone.now(), request_facts=facts)
        queue.wake()
    except BadToken:
        return _private(render(request, "wagtail_ma/mail/bad_link.html", status=403))
    except Exception:
        logger.exception("a click could not be followed")
        clicked = clicks.Clicked("", is_machine=False)
    if (
        clicked.click_id is not None
        and _is_own(clicked.target_url)
        and not cookies.refuses_identifier(request)
    ):
        return _private(_page_between(request, clicked.target_url, clicked.click_id))
    return _private(HttpResponseRedirect(clicked.target_url or "/"))


@csrf_exempt
@login_not_required
@never_cache
@require_http_methods(["POST"])
def follow(request: HttpRequest) -> HttpResponse:
    """The script of the page between says that a person is there: the browser is tied to the reader.
    (By POST nothing but the signed token counts; another site cannot read one.)"""
    response = HttpResponse(status=204)
    if is_bot(request.headers.get("User-Agent", "")):
        return _private(response)
    if cookies.refuses_identifier(request):
        cookies.forget_key(response, request=request)
        return _private(response)
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return _private(response)
    try:
        token = request.read(MAX_TOKEN + 1).decode("ascii", "replace")
        cookie = cookies.read(request)
        browser = tagging.bind(token, cookie.key, now=timezone.now(), is_key_fresh=cookie.is_fresh)
        if browser is not None:
            given = cookies.answering(browser.key, is_silent=browser.is_silent, request=request)
            cookies.put(response, given)
            queue.wake()
    except BadToken:
        pass
    except Exception:
        logger.exception("a reader could not be recognised")
    return _private(response)


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD"])
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """The picture of one transparent point, whatever the token is."""
    agent = request.headers.get("User-Agent", "")
    try:
        opens.record_open(token, method=request.method or "", user_agent=agent, now=timezone.now())
    except Exception:
        logger.exception("an open mail could not be noted")
    return _private(HttpResponse(PIXEL, content_type="image/gif"))


@csrf_exempt
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows buttons and changes nothing; POST (a click on it, or a mail program's one-click
    POST of RFC 8058: no cookie, no page, no redirect) unsubscribes, unless it names something else."""
    try:
        subscription, done = _act(request, token)
    except BadToken:
        return _private(render(request, "wagtail_ma/mail/bad_link.html", status=403))
    known = translation.check_for_language(subscription.language) and subscription.language
    with translation.override(subscription.language) if known else nullcontext():
        return _private(_page(request, subscription, done=done))


def _act(request: HttpRequest, token: str) -> tuple[unsubscribing.Subscribed, str]:
    now, posted = timezone.now(), request.POST
    if request.method != "POST":
        return unsubscribing.look_up(token, now=now), ""
    if "choose" in posted:
        wanted = [int(value) for value in posted.getlist("topic") if value.isdecimal()][:1000]
        pace = posted.get("pace", "")[:4]
        days = int(pace) if pace.isdecimal() else None
        return unsubscribing.choose(token, wanted, pace_days=days, now=now), "chosen"
    if "again" in posted:
        return unsubscribing.subscribe_again(token, now=now), "again"
    if "tell" in posted:
        return unsubscribing.say_why(token, posted.get("why", ""), now=now), "told"
    return unsubscribing.unsubscribe(token, now=now), "unsubscribed"


def _page(request: HttpRequest, subscription: unsubscribing.Subscribed, *, done: str) -> HttpResponse:
    paces = [(0, _("As often as there is something")), *MailPace.Days.choices]
    context = {
        "subscription": subscription,
        "done": done,
        "paces": paces,
        "reasons": unsubscribing.Why.choices,
    }
    return render(request, "wagtail_ma/mail/unsubscribe.html", context)


def _page_between(request: HttpRequest, target: str, click_id: int) -> HttpResponse:
    context = {
        "target": target,
        "token": tagging.token_for(click_id, now=timezone.now()),
        "action": reverse("wagtail_ma:mail_follow"),
    }
    return render(request, "wagtail_ma/mail/follow.html", context)


def _is_own(url: str) -> bool:
    """Whether a link leads to this site: the browser must not be told to another's."""
    own = sites.hosts() | {urlsplit(conf.BASE_URL).hostname or ""}
    return urlsplit(url).hostname in own


def _purpose(request: HttpRequest) -> str:
    values = [request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz")]
    return " ".join(values).lower()


def _private(response: HttpResponse) -> HttpResponse:
    """Out of caches, search engines and referrers: the address names a person."""
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Referrer-Policy"] = "no-referrer"
    return response
