"""How the simulated people fill in forms, get their download, and click in mails."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import translation

from wagtail_ma.forms import downloads
from wagtail_ma.forms.models import LeadForm
from wagtail_ma.forms.submit import submit
from wagtail_ma.people import browsers

if TYPE_CHECKING:
    from .acts import Browser


def send(browser: Browser, purpose: str, *, now: datetime) -> str | None:
    """Send the form of a purpose as this person; download what it gives.

    :param purpose: ``"whitepaper"`` or ``"contact"``.
    :returns: the key that the browser's cookie holds afterwards.
    """
    person = browser.person
    form = LeadForm.objects.get(name=form_name(purpose, person.language))
    document_id = downloads.document_of(form) if purpose == "whitepaper" else None
    values = {
        "email": person.email,
        "family_name": person.family_name,
        "given_name": person.given_name,
        "company_name": person.company,
        "title": person.title,
        "consent": person.agrees,
    }
    with translation.override(person.language), transaction.atomic():
        done = submit(
            form,
            {name: value for name, value in values.items() if value},
            browser_identity=browsers.recognise(browser.key, now=now),
            now=now,
            nonce=uuid.uuid4().hex,
            document_id=document_id,
            language=person.language,
        )
        if document_id:
            document = downloads.find_document(document_id)
            downloads.record(document_id, done.submission, title=document.title, now=now)
    return done.identity.key if done.identity.kind == "browser" else browser.key


NAMES = {
    ("whitepaper", "ja"): "資料ダウンロード",
    ("whitepaper", "en"): "Whitepaper download",
    ("contact", "ja"): "お問い合わせ",
    ("contact", "en"): "Contact",
}


def form_name(purpose: str, language: str) -> str:
    """The name under which the loader makes a form."""
    return NAMES[purpose, language]
