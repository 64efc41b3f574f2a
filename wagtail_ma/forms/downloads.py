"""Gated documents: who may have one, and the links that say so."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from wagtail.documents import get_document_model

from wagtail_ma.conf import conf
from wagtail_ma.core import tokens
from wagtail_ma.forms import gates
from wagtail_ma.forms.gates import Gate, gate_of
from wagtail_ma.forms.models import GatedDocument, LeadForm, Submission
from wagtail_ma.forms.proof import spoken_for
from wagtail_ma.people import merge, unrecorded
from wagtail_ma.people.models import Lead
from wagtail_ma.people.visitors import BrowserVisitor
from wagtail_ma.tracking import activities, visits
from wagtail_ma.tracking.models import Activity
from wagtail_ma.tracking.writing import write_facts

KIND = "download"
PURPOSES = {"browser": "download", "mail": "download_mail"}
# The link on the thank-you page: long enough to resume a broken download.
PAGE_LINK_SECONDS = 24 * 3600
# Requests for the same document within this time are one download: a double click, a viewer that
# loads in pieces, the link on the page and then the one in the mail.
SAME_DOWNLOAD = timedelta(minutes=30)
# The document must not wait long for its own entry in the timeline.
WAIT_MS = 2_000

_TUPLE = re.compile(rb"\[\d+,\d+\]")


@dataclass(frozen=True)
class Ticket:
    """What a download link says: this document, for whoever sent this form.

    ``is_by_mail``: the link came by mail. A mail scanner may open it, so it acts by POST only.
    """

    document_id: int
    submission: Submission
    is_by_mail: bool


def document_of(form: LeadForm) -> int | None:
    """The document that a form hands out when nothing else is said: its own, or the only one that
    it is the gate of."""
    if form.document_id:
        return form.document_id
    rules = GatedDocument.objects.filter(form=form).values_list("document_id", flat=True)
    ids = list(rules[:2])
    return ids[0] if len(ids) == 1 else None


def find_document(document_id: int | None) -> Any | None:
    """The document of the host's document model, or None when it is gone."""
    return get_document_model().objects.filter(pk=document_id).first() if document_id else None


def make_link(submission: Submission, *, now: datetime, by_mail: bool = False) -> str:
    """The path of the link by which the sender of a form gets the document they asked for."""
    purpose = PURPOSES["mail" if by_mail else "browser"]
    token = tokens.dumps(purpose, (submission.document_id or 0, submission.pk), now=now)
    return reverse("wagtail_ma:download", args=[token])


def read_link(token: str, *, now: datetime) -> Ticket:
    """What :func:`make_link` signed.

    :raises wagtail_ma.core.tokens.ExpiredToken: too old.
    :raises wagtail_ma.core.tokens.BadToken: forged, not accepted, or the person has been erased.
    """
    by_mail, payload = _read(token, now=now)
    match payload:
        case (int(document_id), int(submission_id)):
            submission = (
                Submission.objects.select_related("identity", "form")
                .filter(pk=submission_id, document_id=document_id, state=Submission.State.ACCEPTED)
                .first()
            )
            if submission is not None:
                return Ticket(document_id, submission, by_mail)
    raise tokens.BadToken("nobody asked for this document")


def _read(token: str, *, now: datetime) -> tuple[bool, tokens.Payload]:
    try:
        return False, tokens.loads(PURPOSES["browser"], token, now=now, max_age_seconds=PAGE_LINK_SECONDS)
    except tokens.ExpiredToken:
        raise
    except tokens.BadToken:
        age = conf.DOWNLOAD_LINK_DAYS * 86_400
        return True, tokens.loads(PURPOSES["mail"], token, now=now, max_age_seconds=age)


def likely_gate(token: str) -> Gate | None:
    """The gate that a broken or expired link once belonged to, to offer its form again.

    What the token says is *not* verified: it chooses a form that anybody may open anyway.
    """
    try:
        payload = json.loads(_TUPLE.search(_decoded(token))[0])  # type: ignore[index]
        found = gate_of(payload[0]) if isinstance(payload[0], int) and 0 < payload[0] < 2**63 else None
    except (ValueError, TypeError, IndexError):
        found = None
    if found is not None:
        return found
    every = list(GatedDocument.objects.select_related("form").filter(document_id__isnull=False)[:2])
    only = every[0].document_id if len(every) == 1 else None
    return Gate(only, every[0]) if only is not None else None


def _decoded(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.encode("ascii", "ignore")[:1000] + b"==")


def passport(document_id: int, browser: BrowserVisitor | None, *, now: datetime) -> Submission | None:
    """What lets this browser through: it sent the form for this very document not long ago.

    What was typed in *another* browser of the same person counts only where the owner is proven to sit
    here, too: an address is a claim (:mod:`wagtail_ma.forms.proof`).
    """
    if browser is None:
        return None
    return (
        Submission.objects.filter(
            spoken_for(browser),
            document_id=document_id,
            state=Submission.State.ACCEPTED,
            at__gt=now - timedelta(days=conf.DOWNLOAD_LINK_DAYS),
        )
        .order_by("-at")
        .first()
    )


def known_sender(gate: Gate, browser: BrowserVisitor | None) -> Submission | None:
    """The latest form that this browser sent, if the gate lets known visitors through and does not
    stay closed to this one. Only forms of the browser's present owner count."""
    if browser is None or not gate.rule.lets_known_through:
        return None
    submission = (
        Submission.objects.filter(
            spoken_for(browser),
            visitor_id=browser.visitor_id,
            state=Submission.State.ACCEPTED,
        )
        .order_by("-at")
        .first()
    )
    if submission is None:
        return None
    lead = Lead.objects.select_related("company").filter(visitor_id=submission.visitor_id).first()
    verdict = gates.verdict(gate.document_id, str(submission.data.get("email", "")), lead)
    return submission if verdict == Submission.State.ACCEPTED else None


def record(
    document_id: int, submission: Submission, *, title: str, now: datetime, is_continued: bool = False
) -> None:
    """Note the download, unless whoever asked for it is not recorded.

    Who takes the document again later has taken it twice; what follows within :data:`SAME_DOWNLOAD`
    belongs to the same download.

    :param is_continued: a later part of the file was asked for (a broken download resumed, perhaps
        the day after): it counts only if its beginning never did.
    """
    prefix = f"{KIND}:{document_id}:{submission.pk}:"
    with write_facts(wait_ms=WAIT_MS):
        identity = merge.lock([submission.identity_id]).get(submission.identity_id)
        if identity is None or unrecorded.is_unrecorded(identity.visitor_id):
            return
        # By the unique (identity, source_key).
        same = Activity.objects.filter(identity=identity, source_key__startswith=prefix)
        if (same if is_continued else same.filter(at__gt=now - SAME_DOWNLOAD)).exists():
            return
        activities.add(
            identity,
            kind=KIND,
            now=now,
            # Two requests at once write one row.
            source_key=f"{prefix}{now.timestamp() // SAME_DOWNLOAD.total_seconds():.0f}",
            visit=visits.open_visit(identity, now=now),
            object_kind="document",
            object_key=str(document_id),
            data={"title": title, "form": submission.form_id},
        )
