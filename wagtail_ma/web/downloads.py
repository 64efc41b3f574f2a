"""The gate in front of documents, and the links that open it."""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from wagtail.documents.views.serve import serve

from wagtail_ma.core import tokens
from wagtail_ma.forms import downloads, gates
from wagtail_ma.forms.models import Submission
from wagtail_ma.jobs import queue
from wagtail_ma.people import visitors

logger = logging.getLogger(__name__)

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)-")
LET_THROUGH = "_wagtail_ma_let_through"
LINK_PAGE = "wagtail_ma/forms/download_page.html"


def gate(document: Any, request: HttpRequest) -> HttpResponse | None:
    """Hook ``before_serve_document``: lead to the form whoever has not sent it.

    Let through: links of ours, the browser that sent the form for this document, and people who
    may enter the Wagtail admin.

    :returns: the redirect to the form; None lets the document out.
    """
    if getattr(request, LET_THROUGH, None) == document.pk:
        return None
    try:
        barrier = gates.gate_of(document.pk)
    except Exception:
        logger.exception("could not tell whether document %s is gated", document.pk)
        return None
    if barrier is None or _is_staff(request):
        return None
    try:
        if _passes(document, request, barrier, now=timezone.now()):
            return None
    except Exception:
        logger.exception("could not tell whether this browser may have document %s", document.pk)
    return _to_form(barrier)


# By POST nothing but the signed token counts, and a foreign site gains nothing by sending it.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def download(request: HttpRequest, token: str) -> HttpResponseBase:
    """Hand out a document by signed link.

    A link that came by mail shows a button first: mail scanners open links, they do not press
    buttons. The link of the thank-you page serves at once, in the browser that sent the form.
    """
    now = timezone.now()
    try:
        ticket = downloads.read_link(token, now=now)
    except tokens.ExpiredToken:
        return _refuse(request, downloads.likely_gate(token), is_expired=True)
    except tokens.BadToken:
        return _refuse(request, downloads.likely_gate(token))
    document = downloads.find_document(ticket.document_id)
    if document is None:
        return _refuse(request, None)
    if ticket.is_by_mail and request.method != "POST":
        return _private(render(request, LINK_PAGE, {"document": document, "state": "ready"}))
    if not ticket.is_by_mail and _is_other_browser(request, ticket.submission):
        return _refuse(request, gates.gate_of(document.pk))
    if request.method != "HEAD":
        _record(request, document, ticket.submission, now=now)
    setattr(request, LET_THROUGH, document.pk)
    if request.method == "POST":
        # Wagtail's view answers GET (conditional requests); the button was only our proof.
        request.method = "GET"
    response = serve(request, document.pk, document.filename)
    if response.status_code == 200:
        response.headers["Content-Disposition"] = content_disposition_header(True, document.filename) or ""
    return _private(response)


def _passes(document: Any, request: HttpRequest, barrier: gates.Gate, *, now: datetime) -> bool:
    browser = visitors.current(request)
    submission = downloads.passport(document.pk, browser, now=now)
    submission = submission or downloads.known_sender(barrier, browser)
    if submission is None:
        return False
    if request.method == "GET":
        _record(request, document, submission, now=now)
    return True


def _record(request: HttpRequest, document: Any, submission: Submission, *, now: datetime) -> None:
    """Note the download; the visitor gets the document even when this fails."""
    is_continued = _is_continued(request)
    try:
        downloads.record(document.pk, submission, title=document.title, now=now, is_continued=is_continued)
        queue.wake()
    except Exception:
        logger.exception("download of document %s was not recorded", document.pk)


def _is_continued(request: HttpRequest) -> bool:
    """Whether a part of the file is asked for that does not begin at its first byte (RFC 9110, 14.2)."""
    wanted = _RANGE.match(request.headers.get("Range", ""))
    return wanted is not None and (wanted[1] == "" or wanted[1].strip("0") != "")


def _is_staff(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_active and user.has_perm("wagtailadmin.access_admin"))


def _is_other_browser(request: HttpRequest, submission: Submission) -> bool:
    """Whether the link of the thank-you page has been handed on. A browser without our cookie may
    have refused it: that is no crime."""
    browser = visitors.current(request)
    return (
        browser is not None
        and submission.browser_id is not None
        and browser.identity_id != submission.browser_id
    )


def _to_form(barrier: gates.Gate) -> HttpResponse:
    response = HttpResponseRedirect(_form_url(barrier))
    _private(response)
    return response


def _form_url(barrier: gates.Gate) -> str:
    return f"{reverse('wagtail_ma:form', args=[barrier.form_id])}?document={barrier.document_id}"


def _refuse(
    request: HttpRequest, barrier: gates.Gate | None, *, is_expired: bool = False
) -> HttpResponseBase:
    """A page that says what is wrong with the link, and offers the form again.

    Not 404: on a site with languages in its addresses Django would take that for a page to be
    looked for in the visitor's language, and redirect there.
    """
    context = {
        "state": "expired" if is_expired else "invalid",
        "form_url": _form_url(barrier) if barrier else "",
    }
    return _private(render(request, LINK_PAGE, context, status=410 if is_expired else 403))


def _private(response: HttpResponseBase) -> HttpResponseBase:
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
