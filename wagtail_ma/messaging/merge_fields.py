"""Merge fields: ``{{ lead.family_name|default:"…" }}`` in what editors write.

A white list and one regular expression. The template engine never sees an editor's text: there is
no attribute to walk, no filter to call, no tag to run. What does not match is plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import override, pgettext

from wagtail_ma.core.text import clean_line
from wagtail_ma.people.models import Lead

# Any quotes: editors' keyboards and word processors make them round.
FIELD = re.compile(
    r"\{\{\s*lead\.([a-z_]+)\s*(?:\|\s*default\s*:\s*[\"'“”‘’「]([^\"'“”‘’「」{}]*)[\"'“”‘’」]\s*)?\}\}"
)
# What looks like one but is none is shown to the editor as a fault.
SUSPECT = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{\{|\}\}")

FAMILY_NAME_FIRST = ("ja", "zh", "ko", "hu", "vi")
MAX_LENGTH = 160

# Field → what it is called in the editor's list.
LABELS = {
    "salutation": _("Form of address"),
    "formal_salutation": _("Form of address with department and title"),
    "full_name": _("Full name"),
    "family_name": _("Family name"),
    "given_name": _("Given name"),
    "full_name_kana": _("Full name (kana)"),
    "company_name": _("Company"),
    "department": _("Department"),
    "title": _("Job title"),
    "email": _("E-mail address"),
}
NAMES = tuple(LABELS)
# These always say something.
WITHOUT_DEFAULT = ("salutation", "formal_salutation", "email")


def split(text: str) -> list[str | tuple[str, str]]:
    """Cut a text at its merge fields.

    :returns: plain texts and ``(name, default)`` in order; unknown names stay plain text.
    """
    parts: list[str | tuple[str, str]] = []
    position = 0
    for match in FIELD.finditer(text):
        if match[1] not in NAMES:
            continue
        parts.append(text[position : match.start()])
        parts.append((match[1], match[2] or ""))
        position = match.end()
    parts.append(text[position:])
    return [part for part in parts if part != ""]


def suspects(text: str) -> list[str]:
    """What looks like a merge field or a template tag and is none."""
    rest = "".join(part for part in split(text) if isinstance(part, str))
    return SUSPECT.findall(rest)


def values_of(lead: Lead, language: str) -> dict[str, str]:
    """What the merge fields stand for, for one person (plain text, one line each).

    :param language: of the mail; decides the order of names and the form of address.
    """
    is_family_first = language.split("-")[0] in FAMILY_NAME_FIRST
    family, given = _safe(lead.family_name), _safe(lead.given_name)
    names = (family, given) if is_family_first else (given, family)
    full_name = " ".join(name for name in names if name)
    kana = [_safe(lead.family_name_kana), _safe(lead.given_name_kana)]
    company, department, title = _safe(lead.company_name), _safe(lead.department), _safe(lead.title)
    return {
        "salutation": salutation(full_name, company, language),
        "formal_salutation": formal_salutation(full_name, company, department, title, language),
        "full_name": full_name,
        "family_name": family,
        "given_name": given,
        # Kana are Japanese, whatever the language of the mail.
        "full_name_kana": " ".join(name for name in kana if name),
        "company_name": company,
        "department": department,
        "title": title,
        "email": clean_line(lead.email, 254),
    }


def salutation(full_name: str, company: str, language: str) -> str:
    """How to address somebody: in Japanese company, name and 様; elsewhere the name.

    A title beside 様 would be doubled politeness, so it stays out. Empty when nothing is known:
    then the default of the merge field counts.
    """
    if language.split("-")[0] != "ja":
        return full_name
    if full_name:
        return " ".join(part for part in (company, full_name) if part) + " 様"
    return f"{company} ご担当者様" if company else ""


def formal_salutation(full_name: str, company: str, department: str, title: str, language: str) -> str:
    """The form of address of a Japanese business letter: company, department, title before the name,
    様 behind it (never behind the title). Elsewhere as :func:`salutation`."""
    if language.split("-")[0] != "ja" or not full_name:
        return salutation(full_name, company, language)
    return " ".join(part for part in (company, department, title, full_name) if part) + " 様"


def missing_defaults(segments: Iterable[Any]) -> list[str]:
    """Names of the fields in a compiled part that would leave a hole where the lead lacks the value."""
    found: list[str] = []
    for segment in segments:
        if not isinstance(segment, list):
            continue
        if segment[0] == "f" and not segment[2] and segment[1] not in WITHOUT_DEFAULT:
            found.append(segment[1])
        elif segment[0] == "p":
            parts = [*(part for *_audience, part in segment[1]), segment[2]]
            found += [name for part in parts for name in missing_defaults(part)]
    return list(dict.fromkeys(found))


def value_for(name: str, default: str, values: Mapping[str, str], language: str) -> str:
    """The value of one merge field, its default, or the polite last resort of a form of address."""
    found = values.get(name) or default
    if not found and name in ("salutation", "formal_salutation"):
        with override(language):
            found = pgettext("form of address", "customer")
    return found


def _safe(text: str) -> str:
    """One line of what a visitor typed. A name with an address in it is no name: strangers send
    forms with somebody else's e-mail and a link as the name, to have us mail the link."""
    line = clean_line(text or "", MAX_LENGTH)
    return "" if "://" in line or "www." in line.lower() else line
