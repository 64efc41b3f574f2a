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
from wagtail_ma.forms import downloads, limits
from wagtail_ma.forms.models import LeadForm, LeadFormField, Submission
from wagtail_ma.forms.public_form import CONSENT
from wagtail_ma.messaging import consents, transactional
from wagtail_ma.people.identify import FIELDS, Identified, identify_browser
from wagtail_ma.people.models import Identity, Lead
from wagtail_ma.tracking import activities, visits

KIND = "form_submit"
EMAIL = LeadFormField.MapsTo.EMAIL.value


class TooMany(MarketingError):
    """The network or the address has sent too many forms within the hour."""


@dataclass(frozen=True)
class Submitted:
    """The outcome. ``identity`` is where the facts went; when ``is_new_browser``, the cookie must
    be changed to its key. ``is_repeat``: it had been sent before, nothing was done."""

    submission: Submission
    lead: Lead | None
    identity: Identity
    is_new_browser: bool = False
    is_repeat: bool = False


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

    :param values: validated answers by ``maps_to`` (``PublicForm.values()``), with ``email``, and
        ``consent`` when it was asked for.
    :param browser_identity: from ``browsers.recognise``; None when the browser must not be known.
    :param nonce: of the showing of the form; the same answers with it again are the same act.
    :param document_id: the document asked for.
    :param page_id: the page the form stood on, kept as evidence.
    :param network: from ``limits.network_of``.
    :raises TooMany: see :mod:`wagtail_ma.forms.limits`.
    :raises ValueError: the address is not one.
    """
    key = _key(form, nonce, values)
    with transaction.atomic():
        if repeated := _repeated(key):
            return repeated
        if limits.is_exceeded(network=network, email=values[EMAIL], now=now):
            raise TooMany
        who = identify_browser(
            browser_identity,
            email=values[EMAIL],
            now=now,
            method="form",
            evidence=_evidence(form, page_id=page_id, document_id=document_id),
            language=language,
            **{name: values[name] for name in FIELDS if values.get(name)},
        )
        submission = Submission(
            form=form,
            identity=who.identity,
            visitor_id=who.identity.visitor_id,
            browser=who.identity if who.is_new_browser else browser_identity,
            data={name: value for name, value in values.items() if value not in ("", None)},
            document_id=document_id,
            at=now,
            nonce=key,
            network=network,
        )
        try:
            with transaction.atomic():
                submission.save()
        except IntegrityError:
            # The same act, sent twice at once.
            repeated = _repeated(key)
            if repeated is None:
                raise
            return repeated
        _follow_up(submission, who, values, page_id=page_id, language=language, now=now)
    return Submitted(submission, who.lead, who.identity, is_new_browser=who.is_new_browser)


def _follow_up(
    submission: Submission,
    who: Identified,
    values: Mapping[str, Any],
    *,
    page_id: int | None,
    language: str,
    now: datetime,
) -> None:
    """What a new submission entails: consent, the act on the timeline, the document."""
    form = submission.form
    if form is None:
        return
    if values.get(CONSENT):
        consents.record(
            who.lead.visitor,
            email=values[EMAIL],
            is_granted=True,
            text=form.consent_text,
            source_kind="form",
            source_key=str(submission.pk),
            now=now,
        )
    activities.add(
        who.identity,
        kind=KIND,
        now=now,
        source_key=f"submission:{submission.pk}",
        visit=visits.open_visit(who.identity, now=now),
        object_kind="form",
        object_key=str(form.pk),
        data={"form": form.name} | ({"page": page_id} if page_id else {}),
    )
    document = downloads.find_document(submission.document_id)
    if document is not None:
        transactional.send_download_link(
            who.lead,
            document.title,
            downloads.make_link(submission, now=now, by_mail=True),
            now=now,
            occurrence=f"submission:{submission.pk}",
            language=language,
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


def _evidence(form: LeadForm, *, page_id: int | None, document_id: int | None) -> dict[str, Any]:
    found = {"form": form.pk, "page": page_id, "document": document_id}
    return {name: value for name, value in found.items() if value}
