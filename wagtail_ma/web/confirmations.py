"""The page with the button by which the sender of a form confirms the address."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from datetime import datetime

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from wagtail_ma.core import tokens
from wagtail_ma.forms import confirm as confirming
from wagtail_ma.forms.models import Submission
from wagtail_ma.jobs import queue
from wagtail_ma.people import visitors
from wagtail_ma.tracking.writing import Busy, write_facts

logger = logging.getLogger(__name__)

PAGE = "wagtail_ma/forms/confirm_page.html"
# A person waits for the answer.
WAIT_MS = 8_000


# By POST nothing but the signed token counts, and a foreign site gains nothing by sending it.
@csrf_exempt
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a button and changes nothing (mail scanners open links); POST confirms."""
    now = timezone.now()
    try:
        submission = confirming.look_up(token, now=now)
    except tokens.ExpiredToken:
        return _private(render(request, PAGE, {"state": "expired"}, status=410))
    except tokens.BadToken:
        return _private(render(request, PAGE, {"state": "invalid"}, status=403))
    known = submission.language and translation.check_for_language(submission.language)
    with translation.override(submission.language) if known else nullcontext():
        if request.method == "POST":
            return _private(_confirm(request, token, submission, now=now))
        state = "done" if submission.confirmed_at else "ready"
        return _private(render(request, PAGE, _context(submission, state)))


def _confirm(request: HttpRequest, token: str, submission: Submission, *, now: datetime) -> HttpResponse:
    try:
        browser = visitors.current(request)
        with write_facts(wait_ms=WAIT_MS):
            confirming.confirm(token, browser_id=browser.identity_id if browser else None, now=now)
        queue.wake()
    except (Busy, DatabaseError):
        logger.exception("submission %s could not be confirmed", submission.pk)
        return render(request, PAGE, _context(submission, "ready") | {"is_busy": True}, status=503)
    return render(request, PAGE, _context(submission, "done"))


def _context(submission: Submission, state: str) -> dict[str, object]:
    consent = submission.version.content["consent_text"] if submission.version else ""
    return {
        "state": state,
        "lead_form": submission.form,
        "consent_text": consent if submission.data.get("consent") else "",
        "form_url": reverse("wagtail_ma:form", args=[submission.form_id]) if submission.form_id else "",
    }


def _private(response: HttpResponse) -> HttpResponse:
    """Out of caches, search engines and referrers: the address stands for a person."""
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Referrer-Policy"] = "no-referrer"
    return response
