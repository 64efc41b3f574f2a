"""Public addresses in mails: a tracked link, and unsubscribing."""

from __future__ import annotations

import logging
from base64 import b64decode
from contextlib import nullcontext
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from wagtail_ma.core.tokens import BadToken
from wagtail_ma.jobs import queue
from wagtail_ma.messaging import clicks, opens, unsubscribing

logger = logging.getLogger(__name__)

# 43 bytes: GIF, one point, transparent.
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
    )
    try:
        clicked = clicks.record_click(token, now=timezone.now(), request_facts=facts)
        queue.wake()
    except BadToken:
        return _private(render(request, "wagtail_ma/mail/bad_link.html", status=403))
    except Exception:
        logger.exception("a click could not be followed")
        clicked = clicks.Clicked("", is_machine=False)
    return _private(HttpResponseRedirect(clicked.target_url or "/"))


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD"])
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """The picture of one transparent point, whatever the token is."""
    facts = clicks.RequestFacts(
        method=request.method or "GET", user_agent=request.headers.get("User-Agent", "")
    )
    try:
        opens.record_open(token, now=timezone.now(), request_facts=facts)
    except Exception:
        logger.exception("an open mail could not be noted")
    return _private(HttpResponse(PIXEL, content_type="image/gif"))


@csrf_exempt
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a button and changes nothing; POST (a click on it, or a mail program's one-click
    POST of RFC 8058: no cookie, no page, no redirect) unsubscribes."""
    try:
        if request.method == "POST":
            subscription = unsubscribing.unsubscribe(token, now=timezone.now())
        else:
            subscription = unsubscribing.look_up(token)
    except BadToken:
        return _private(render(request, "wagtail_ma/mail/bad_link.html", status=403))
    known = translation.check_for_language(subscription.language) and subscription.language
    with translation.override(subscription.language) if known else nullcontext():
        return _private(_page(request, subscription, is_done=request.method == "POST"))


def _page(request: HttpRequest, subscription: Any, *, is_done: bool) -> HttpResponse:
    context = {"subscription": subscription, "is_done": is_done}
    return render(request, "wagtail_ma/mail/unsubscribe.html", context)


def _purpose(request: HttpRequest) -> str:
    values = [request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz")]
    return " ".join(values).lower()


def _private(response: HttpResponse) -> HttpResponse:
    """Out of caches, search engines and referrers: the address names a person."""
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Referrer-Policy"] = "no-referrer"
    return response
