"""The texts of a form in the other languages of the site.

One form stays one form: its results, conditions and gates do not come apart by language, and an answer that
was chosen from a list is the same answer, in whatever language it was shown. What is not translated is shown
as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from wagtail.coreutils import get_content_languages
from wagtail.models import Locale

from wagtail_ma.core.text import split_lines
from wagtail_ma.forms.models import LeadForm, LeadFormField

TEXTS = ("heading", "intro", "consent_text", "submit_label", "thanks")
# Of each question; the choices are kept by the form's own ({own: translated}), whose order may change,
# and are written one per line, in the present order.
QUESTION_TEXTS = ("label", "help_text", "choices")
CHOICES = "choices"
QUESTIONS = "questions"
DOCUMENT = "document_id"


def own_language(form: LeadForm) -> str:
    """The language in which a form was written."""
    return form.language or str(Locale.get_default().language_code)


def other_languages(form: LeadForm) -> dict[str, str]:
    """The languages that a form may be translated into: names by code."""
    return {code: name for code, name in get_content_languages().items() if code != own_language(form)}


def in_language(form: LeadForm, language: str | None) -> LeadForm:
    """A form as speakers of a language see it; not to be saved.

    :param language: a code; of ``en-gb`` the texts in ``en`` do as well.
    """
    form = form.own or form
    code = language or ""
    found = form.translations.get(code) or form.translations.get(code.partition("-")[0])
    if not found or code == own_language(form):
        return form
    shown = copy.copy(form)
    shown.own = form
    for name in (*TEXTS, DOCUMENT):
        if found.get(name):
            setattr(shown, name, found[name])
    shown.question_words = found.get(QUESTIONS, {})
    return shown


def with_words(row: LeadFormField, words: Mapping[str, Any]) -> LeadFormField:
    """A question with its texts in another language; not to be saved.

    :param words: by the names in :data:`QUESTION_TEXTS`.
    """
    shown = copy.copy(row)
    shown.own_label = row.label
    shown.label = words.get("label") or row.label
    shown.help_text = words.get("help_text") or row.help_text
    shown.choice_words = words.get(CHOICES, {})
    return shown


def sources(form: LeadForm) -> dict[str, str]:
    """All texts of a form that can be translated, by key: ``heading``, ``q:budget:label`` …"""
    found = {name: getattr(form, name) for name in TEXTS}
    for row in form.fields.all():
        found |= {f"q:{row.name}:{name}": getattr(row, name) for name in QUESTION_TEXTS}
    return {key: text for key, text in found.items() if text.strip()}


def read(form: LeadForm, language: str) -> dict[str, str]:
    """What is translated, by the keys of :func:`sources`."""
    words = form.translations.get(language, {})
    found = {name: words.get(name, "") for name in TEXTS}
    choices = {row.name: row.choice_list for row in form.fields.all()}
    for question, texts in words.get(QUESTIONS, {}).items():
        found |= {f"q:{question}:{name}": text for name, text in texts.items() if name != CHOICES}
        # An empty line where one is missing.
        lines = [texts.get(CHOICES, {}).get(choice, "") for choice in choices.get(question, [])]
        found[f"q:{question}:{CHOICES}"] = "\n".join(lines) if any(lines) else ""
    return {key: found[key] for key in sources(form) if found.get(key)}


def write(form: LeadForm, language: str, texts: Mapping[str, str], *, document_id: int | None) -> None:
    """Keep the texts of a language (the caller saves the form); none at all: it is not translated any more.

    :param texts: by the keys of :func:`sources`.
    """
    choices = {row.name: row.choice_list for row in form.fields.all()}
    words: dict[str, Any] = {DOCUMENT: document_id} if document_id else {}
    for key, text in texts.items():
        if not text.strip():
            continue
        question, _colon, name = key.removeprefix("q:").rpartition(":")
        if question:
            kept: Any = text
            if name == CHOICES:
                kept = dict(zip(choices.get(question, []), split_lines(text), strict=False))
            words.setdefault(QUESTIONS, {}).setdefault(question, {})[name] = kept
        else:
            words[key] = text
    rest = {code: other for code, other in form.translations.items() if code != language}
    form.translations = {**rest, language: words} if words else rest
