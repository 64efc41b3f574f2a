"""A lead form as a page of its own, and where all lead forms are posted. Needs no JavaScript."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import swapper
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from wagtail_ma.conf import conf
from wagtail_ma.core import tokens
from wagtail_ma.forms import downloads, gates, known, limits
from wagtail_ma.forms.models import LeadForm, LeadFormField, Submission
from wagtail_ma.forms.public_form import OWN_NAMES, STATE, PublicForm
from wagtail_ma.forms.state import FormState, new_state, read_state
from wagtail_ma.forms.submit import Submitted, TooMany, submit
from wagtail_ma.forms.translations import in_language
from wagtail_ma.jobs import queue
from wagtail_ma.people import browsers, cookies, visitors
from wagtail_ma.tracking.writing import Busy, write_facts

logger = logging.getLogger(__name__)

# A person waits for the answer, and an address lost is lost: longer than for a hit.
WAIT_MS = 8_000
SENT = "form_sent"
SENT_SECONDS = 3600
PAGE = "wagtail_ma/forms/form_page.html"
THANKS = "wagtail_ma/forms/thanks_page.html"


# No CSRF token: it would need a cookie and make each page with a form uncacheable. A cross-site
# post is told by its origin instead, and the form's own state is signed.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def form_page(request: HttpRequest, form_id: int) -> HttpResponse:
    """Show the form, take its answers, say thanks."""
    form = in_language(get_object_or_404(LeadForm, pk=form_id), translation.get_language())
    now = timezone.now()
    if request.method == "POST":
        response = _post(request, form, now=now)
    elif "sent" in request.GET:
        response = _thanks(request, form, request.GET["sent"], now=now)
    else:
        response = _show(request, form, _first_state(request, form, now=now))
    response.headers["Cache-Control"] = "private, no-store"
    # The address may carry a token: it must not travel on in a referrer.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _post(request: HttpRequest, form: LeadForm, *, now: datetime) -> HttpResponse:
    if _is_cross_site(request):
        problem = _("This form was sent from another web site. Please fill it in here.")
        return _show(request, form, _first_state(request, form, now=now), problem=problem, status=403)
    try:
        state = read_state(request.POST.get(STATE, ""), form_id=form.pk, now=now)
    except tokens.BadToken:
        problem = _("This form was open for too long. Please send it again.")
        state = _first_state(request, form, now=now)
        return _show(request, form, state, data=request.POST, problem=problem, status=422)
    with translation.override(state.language or translation.get_language()):
        return _post_with_state(request, form, state, now=now)


def _post_with_state(
    request: HttpRequest, form: LeadForm, state: FormState, *, now: datetime
) -> HttpResponse:
    form = in_language(form, translation.get_language())
    filled = PublicForm(form, data=request.POST, state=state.seal(), asked=state.asked)
    if filled.is_trapped:
        logger.info("form %s: a robot filled in the hidden field", form.pk)
        return _say_thanks(request, form, state, None)
    if not filled.is_valid() or filled.is_warning:
        return _render(request, form, state, filled, status=422)
    if (now - state.shown_at).total_seconds() < conf.FORM_MIN_SECONDS:
        problem = _("That was very quick. Please look at your entries once more and send them again.")
        return _render(request, form, state, filled, problem=problem, status=422)
    try:
        done, given = _take(request, form, state, filled.values(), now=now)
    except TooMany:
        problem = _("Too many forms have been sent. Please try again in an hour.")
        return _render(request, form, state, filled, problem=problem, status=429)
    except (Busy, DatabaseError):
        logger.exception("form %s could not be saved", form.pk)
        problem = _("Your entries could not be saved just now. Please send them again in a moment.")
        return _render(request, form, state, filled, problem=problem, status=503)
    response = _redirect_to_thanks(form, done, state, now=now)
    cookies.put(response, given)
    queue.wake()
    return response


def _take(
    request: HttpRequest, form: LeadForm, state: FormState, values: dict[str, Any], *, now: datetime
) -> tuple[Submitted, tuple[str, ...]]:
    """Save the answers; the outcome, and what the browser shall keep or give up (``Set-Cookie``)."""
    network = limits.network_of(request.META)
    with write_facts(wait_ms=WAIT_MS):
        browser = None
        if not cookies.refuses_identifier(request):
            cookie = cookies.read(request)
            browser = browsers.recognise(cookie.key, now=now, is_fresh=cookie.is_fresh)
        done = submit(
            form,
            values,
            browser_identity=browser,
            now=now,
            nonce=state.nonce,
            document_id=state.document_id or downloads.document_of(form),
            page_id=state.page_id,
            language=state.language,
            network=network,
        )
    if browser is None:
        return done, cookies.forgetting(request=request)
    key = done.identity.key if done.is_new_browser else browser.key
    is_silent = done.is_silent or browser.is_silent
    return done, cookies.answering(key, is_silent=is_silent, request=request)


def _first_state(request: HttpRequest, form: LeadForm, *, now: datetime) -> FormState:
    """The state of a form shown as a page; ``?document=7`` names a document that it is the gate of."""
    wanted = request.GET.get("document", "")
    document_id = None
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 19:
        gate = gates.gate_of(int(wanted))
        document_id = gate.document_id if gate is not None and gate.form_id == form.pk else None
    return new_state(
        form.pk,
        now=now,
        document_id=document_id,
        language=translation.get_language() or "",
        asked=known.next_questions(form, _known(request, form)),
    )


def _known(request: HttpRequest, form: LeadForm) -> dict[str, Any]:
    """What was typed in this browser before. A fault here only means that all is asked."""
    try:
        browser = visitors.current(request)
        return known.known_answers(form, browser)
    except DatabaseError:
        logger.exception("the answers known of a browser could not be read")
        return {}


def _initial(request: HttpRequest, form: LeadForm, data: Any) -> dict[str, Any]:
    """What the fields begin with: what was just typed, else what this browser is known to have
    typed, and hidden values from the address (``?campaign=spring``)."""
    hidden = {row.name for row in form.fields.all() if row.kind == LeadFormField.Kind.HIDDEN}
    given = {name: request.GET[name] for name in hidden if name in request.GET}
    if not data:
        return _known(request, form) | given
    lists = {name: data.getlist(name) for name in data if name not in OWN_NAMES}
    many = {row.name for row in form.fields.all() if row.kind == LeadFormField.Kind.CHECKBOXES}
    return {name: values if name in many else values[-1] for name, values in lists.items() if values}


def _show(
    request: HttpRequest,
    form: LeadForm,
    state: FormState,
    *,
    data: Any = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    filled = PublicForm(form, initial=_initial(request, form, data), state=state.seal(), asked=state.asked)
    return _render(request, form, state, filled, problem=problem, status=status)


def _render(
    request: HttpRequest,
    form: LeadForm,
    state: FormState,
    filled: PublicForm,
    *,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "lead_form": form,
        "form": filled,
        "action": reverse("wagtail_ma:form", args=[form.pk]),
        "problem": problem,
        "document": downloads.find_document(state.document_id),
        "return_page": _page(state.page_id),
    }
    return render(request, PAGE, context, status=status)


def _redirect_to_thanks(form: LeadForm, done: Submitted, state: FormState, *, now: datetime) -> HttpResponse:
    # 303: the answers are not sent again when the page is loaded anew.
    page = _thanks_page(form, state.language)
    if page is not None and not done.submission.document_id and not form.asks_confirmation:
        return HttpResponse(status=303, headers={"Location": page.url})
    token = tokens.dumps(SENT, (form.pk, done.submission.pk, state.page_id or 0, state.language), now=now)
    return HttpResponse(
        status=303, headers={"Location": f"{reverse('wagtail_ma:form', args=[form.pk])}?sent={token}"}
    )


def _thanks_page(form: LeadForm, language: str) -> Any | None:
    """The editor's own thank-you page, in the visitor's language if there is one."""
    if form.thanks_page_key is None:
        return None
    pages = swapper.load_model("wagtailcore", "Page").objects.live().public()
    found = list(pages.filter(translation_key=form.thanks_page_key).select_related("locale"))
    found.sort(key=lambda page: page.locale.language_code != language)
    return found[0] if found and found[0].url else None


def _thanks(request: HttpRequest, form: LeadForm, token: str, *, now: datetime) -> HttpResponse:
    try:
        payload = tokens.loads(SENT, token, now=now, max_age_seconds=SENT_SECONDS)
    except tokens.BadToken:
        return _show(request, form, _first_state(request, form, now=now))
    match payload:
        case (int(form_id), int(submission_id), int(page_id), str(language)) if form_id == form.pk:
            submission = Submission.objects.filter(pk=submission_id).first()
            state = new_state(form.pk, now=now, page_id=page_id or None, language=language)
            with translation.override(language or translation.get_language()):
                return _say_thanks(request, form, state, submission)
    return _show(request, form, _first_state(request, form, now=now))


def _say_thanks(
    request: HttpRequest, form: LeadForm, state: FormState, submission: Submission | None
) -> HttpResponse:
    """The thank-you page: tells nothing about the sender, starts the download asked for."""
    form = in_language(form, translation.get_language())
    document = downloads.find_document(submission.document_id) if submission else None
    is_accepted = submission is not None and submission.state == Submission.State.ACCEPTED
    context = {
        "lead_form": form,
        "document": document,
        "download_url": downloads.make_link(submission, now=timezone.now())
        if submission is not None and is_accepted and document is not None
        else "",
        # A dummy is told the same as somebody whose request is looked at by a person.
        "is_waiting": document is not None and not is_accepted,
        "is_refused": submission is not None and submission.state == Submission.State.REFUSED,
        "must_confirm": form.asks_confirmation,
        "thanks_page": _thanks_page(form, state.language) if submission is not None else None,
        "return_page": _page(state.page_id),
    }
    return render(request, THANKS, context)


def _page(page_id: int | None) -> Any | None:
    """The published page to go back to; it comes from the database, never from the address."""
    if not page_id:
        return None
    try:
        page = swapper.load_model("wagtailcore", "Page").objects.live().public().get(pk=page_id)
    except ObjectDoesNotExist:
        return None
    return page if page.url else None


def _is_cross_site(request: HttpRequest) -> bool:
    """Whether the browser says that another site sent this (very old browsers say nothing)."""
    # Asked first: it is right behind a proxy that changes the host, and on pages without referrer,
    # whose origin is "null".
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        return fetch_site == "cross-site"
    origin = request.headers.get("Origin")
    try:
        return origin is not None and urlsplit(origin).netloc != request.get_host()
    except ValueError:
        # (No browser sends such an origin.)
        return True
