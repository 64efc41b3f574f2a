"""What a form said and asked at a time: the record behind each submission and each consent."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from wagtail_ma.forms.models import FormVersion, LeadForm, LeadFormField
from wagtail_ma.forms.public_form import questions_of


def current_version(form: LeadForm, *, now: datetime) -> FormVersion:
    """The revision that a form is in; a new one is written only when the form has changed.

    The same content again (a change and its undoing) is the same revision.
    """
    content = content_of(form)
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    same = FormVersion.objects.filter(form=form, fingerprint=fingerprint)
    found = same.first()
    if found is not None:
        return found
    latest = FormVersion.objects.filter(form=form).aggregate(number=Max("number"))["number"] or 0
    try:
        with transaction.atomic():
            return FormVersion.objects.create(
                form=form, number=latest + 1, fingerprint=fingerprint, content=content, created_at=now
            )
    except IntegrityError:
        # Somebody else sent the form at the same moment, the first after a change.
        return same.get()


def content_of(form: LeadForm) -> dict[str, Any]:
    """All that a sender saw, in the editor's words; usual labels stay empty, they depend on the
    visitor's language. Of a question in another language also its own label, for lists and exports."""
    return {
        "heading": form.heading,
        "intro": form.intro,
        "consent_text": form.consent_text,
        "asks_confirmation": form.asks_confirmation,
        "questions": [
            {
                "name": row.name,
                "maps_to": row.maps_to,
                "label": row.label if row.own_label is None else row.own_label,
                "kind": row.kind,
                "is_required": row.is_required,
                "choices": row.choice_list,
                **_as_shown(row),
            }
            for row in questions_of(form)
        ],
    }


def _as_shown(row: LeadFormField) -> dict[str, Any]:
    if row.own_label is None:
        return {}
    return {"shown": {"label": row.label, "choices": [words for _value, words in row.choice_pairs]}}
