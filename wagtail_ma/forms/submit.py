"""A form was sent: who it was, what they said, what they get."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.forms import (
    confirm,
    downloads,
    dummies,
    gates,
    lead_fields,
    limits,
    mails,
    translations,
    versions,
)
from wagtail_ma.forms.models import LeadForm, LeadFormField, Submission
from wagtail_ma.forms.public_form import CONSENT
from wagtail_ma.messaging import consents, transactional
from wagtail_ma.people import browsers
from wagtail_ma.people.identify import Identified, identify_browser
from wagtail_ma.people.lead_values import FIELDS
from wagtail_ma.people.models import Identity, Lead
from wagtail_ma.tracking import activities, visits

KIND = "form_submit"
EMAIL = LeadFormField.MapsTo.EMAIL.value
State = Submission.State


class TooMany(MarketingError):
    """The network or the address has sent too many forms within the hour."""


@dataclass(frozen=True)
class Submitted:
    """The outcome. ``identity`` is where the facts went; when ``is_new_browser``, the cookie must
    be changed to its key; when ``is_silent``, the browser is not to be recorded. ``is_repeat``: it had
    been sent before, nothing was done. ``lead`` is None when the answers were set aside as dummies."""

    submission: Submission
    lead: Lead | None
    identity: Identity
    is_new_browser: bool = False
    is_repeat: bool = False
    is_silent: bool = False


def submit(
    form: LeadForm,
    values: Mapping[str, Any],
    *,
    browser_identity: Identity | None,
    now: datetime,
    nonce: str,
    document_id: int | None = None,
    page_id: int | None = None,
    language: str = "",
    network: str = "",
) -> Submitted:
    """Take the answers of one person; one transaction, harmless when repeated.

    :param values: validated answers by the names of the questions (``PublicForm.values()``), with
        ``email``, and ``consent`` when it was asked for.
    :param browser_identity: from ``browsers.recognise``; None when the browser must not be known.
    :param nonce: of the showing of the form; the same answers with it again are the same act.
    :param document_id: the document asked for.
    :param page_id: the page the form stood on, kept as evidence.
    :param network: from ``limits.network_of``.
    :raises TooMany: see :mod:`wagtail_ma.forms.limits`.
    :raises ValueError: the address is not one.
    """
    # What its sender saw is what was agreed to.
    form = translations.in_language(form, language)
    key = _key(form, nonce, values)
    with transaction.atomic():
        if repeated := _repeated(key):
            return repeated
        if limits.is_exceeded(network=network, email=values[EMAIL], now=now):
            raise TooMany
        submission = Submission(
            form=form,
            version=versions.current_version(form, now=now),
            browser=browser_identity,
            data={name: value for name, value in values.items() if value not in ("", None, [])},
            document_id=document_id,
            page_id=page_id,
            language=language,
            at=now,
            nonce=key,
            network=network,
        )
        who = _identify(submission, browser_identity, now=now)
        try:
            with transaction.atomic():
                submission.save()
        except IntegrityError:
            # The same act, sent twice at once.
            repeated = _repeated(key)
            if repeated is None:
                raise
            return repeated
        if who is None:
            return Submitted(submission, None, submission.identity)
        follow_up(submission, who, now=now)
    return Submitted(
        submission, who.lead, who.identity, is_new_browser=who.is_new_browser, is_silent=who.is_silent
    )


def _identify(submission: Submission, browser: Identity | None, *, now: datetime) -> Identified | None:
    """Name the sender and say what becomes of the submission; None when it is set aside."""
    if dummies.looks_like_dummy(submission.data):
        submission.state = State.SUSPECT
        # Nobody is named: the fact stays with the browser, or with one that nobody has.
        submission.identity = browser or browsers.recognise(None, now=now)
        submission.visitor_id = submission.identity.visitor_id
        return None
    who = identify_sender(submission, browser, now=now)
    submission.identity = who.identity
    submission.visitor_id = who.identity.visitor_id
    if who.is_new_browser:
        submission.browser = who.identity
    submission.state = gates.verdict(submission.document_id, submission.data[EMAIL], who.lead)
    return who


def identify_sender(submission: Submission, browser: Identity | None, *, now: datetime) -> Identified:
    """Tie the typed address, and what was typed about its owner, to a browser."""
    data = submission.data
    evidence = {
        "form": submission.form_id,
        "page": submission.page_id,
        "document": submission.document_id,
    }
    return identify_browser(
        browser,
        email=data[EMAIL],
        now=now,
        method="form",
        evidence={name: value for name, value in evidence.items() if value},
        language=submission.language,
        **{name: data[name] for name in FIELDS if data.get(name)},
        **lead_fields.answers(data),
    )


def follow_up(submission: Submission, who: Identified, *, now: datetime) -> None:
    """What a new submission entails: consent, the act on the timeline, mails, the document."""
    form = submission.form
    if form is None:
        return
    _ask_or_record_consent(submission, who, now=now)
    page = {"page": submission.page_id} if submission.page_id else {}
    activities.add(
        who.identity,
        kind=KIND,
        now=now,
        source_key=f"submission:{submission.pk}",
        visit=visits.open_visit(who.identity, now=now),
        object_kind="form",
        object_key=str(form.pk),
        data={"form": form.name} | page,
    )
    mails.send_notices(submission, who.lead, now=now)
    if submission.state == State.ACCEPTED:
        send_document(submission, who.lead, now=now)


def send_document(submission: Submission, lead: Lead, *, now: datetime) -> None:
    """Mail the link to the document that was asked for; once per submission."""
    document = downloads.find_document(submission.document_id)
    if document is not None:
        transactional.send_download_link(
            lead,
            document.title,
            downloads.make_link(submission, now=now, by_mail=True),
            now=now,
            occurrence=f"submission:{submission.pk}",
            language=submission.language,
        )


def _ask_or_record_consent(submission: Submission, who: Identified, *, now: datetime) -> None:
    """A ticked box counts at once, unless the form or an earlier refusal wants proof first:
    anybody can type the address of somebody who has unsubscribed."""
    form, email = submission.form, submission.data[EMAIL]
    if form is None:
        return
    has_agreed = bool(submission.data.get(CONSENT))
    if form.asks_confirmation or (has_agreed and consents.needs_proof(email)):
        confirm.ask(submission, who.lead, now=now, language=submission.language)
    elif has_agreed:
        consents.record(
            who.lead.visitor,
            email=email,
            is_granted=True,
            text=submission.version.content["consent_text"] if submission.version else form.consent_text,
            source_kind="form",
            source_key=str(submission.pk),
            now=now,
        )


def _repeated(key: str) -> Submitted | None:
    found = Submission.objects.select_related("identity", "form").filter(nonce=key).first()
    if found is None:
        return None
    lead = Lead.objects.filter(visitor_id=found.visitor_id).first()
    return Submitted(found, lead, found.identity, is_repeat=True)


def _key(form: LeadForm, nonce: str, values: Mapping[str, Any]) -> str:
    """Nonce and answers in one: on a cached page many people share a nonce, and one person may
    write twice from one page."""
    content = json.dumps([form.pk, nonce, values], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:40]
