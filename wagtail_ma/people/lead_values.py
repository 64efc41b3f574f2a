"""The values of a lead's record, each with its source.

Newer words win over older ones, an empty one over nothing; what an import brings fills gaps only
where somebody has said something themselves. What a step of identification wrote is noted in that
step, so that an undo can take it back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wagtail_ma.core.text import clean_line, normalise
from wagtail_ma.core.typed_text import date_of, number_of
from wagtail_ma.people import companies, phones, positions
from wagtail_ma.people.models import IdentityLink, Lead, LeadField

# What identify() takes, and forms, imports and the host's own code may fill.
FIELDS = (
    "family_name",
    "given_name",
    "family_name_kana",
    "given_name_kana",
    "company_name",
    "department",
    "title",
    "phone",
    "mobile_phone",
    "other_phone",
    "postal_code",
    "address",
    "language",
)
ATTRIBUTE = "attributes."
# Sources that never replace what a better one said.
WEAK = frozenset({"import"})
# Derived from another field unless a person chose.
_READ_FROM = {"title": ("rank", positions.rank_of), "department": ("job_function", positions.function_of)}
LINE = 200


def fill(
    lead: Lead,
    values: Mapping[str, Any],
    *,
    now: datetime,
    by: str,
    evidence: Mapping[str, Any] | None = None,
    link: IdentityLink | None = None,
) -> None:
    """Take over values that say something.

    :param values: by the names in :data:`FIELDS`, and ``attributes.<key>`` for the editor's own fields
        (unknown keys are left out).
    :param by: where they come from: a method of ``identify()``.
    :param evidence: which form, page, document …, kept with the source.
    :param link: the step they belong to; it remembers what was there before.
    """
    changes: dict[str, list[Any]] = {}
    sources = dict(lead.sources)
    known = _known_attributes(values)
    for name, value in values.items():
        if name.startswith(ATTRIBUTE) and name not in known:
            continue
        old, new = read(lead, name), _typed(_clean(name, value), known.get(name, ""))
        if not _is_news(old, new) or (by in WEAK and old and sources.get(name, {}).get("by") not in WEAK):
            continue
        changes[name] = [old, new]
        write(lead, name, new)
        sources[name] = {**(evidence or {}), "by": by, "at": now.isoformat()}
    if not changes:
        return
    before = {name: lead.sources.get(name) for name in changes}
    lead.sources = sources
    _read_positions(lead, changes)
    companies.affiliate(lead, now=now, source=by)
    lead.save()
    phones.note(lead, changes)
    if link is not None:
        kept = link.evidence.get("fields", {})
        link.evidence = {
            **link.evidence,
            "fields": {**changes, **kept},
            "sources": {**before, **link.evidence.get("sources", {})},
        }
        link.save(update_fields=["evidence"])


def revert(lead: Lead, link: IdentityLink, *, now: datetime) -> None:
    """Take back what a step wrote, unless it was changed since."""
    sources, before = dict(lead.sources), link.evidence.get("sources", {})
    changed = []
    for name, (old, new) in link.evidence.get("fields", {}).items():
        if read(lead, name) == new:
            write(lead, name, old)
            changed.append(name)
            sources.pop(name, None)
            if before.get(name):
                sources[name] = before[name]
    if changed:
        lead.sources = sources
        _read_positions(lead, changed)
        companies.affiliate(lead, now=now, source="undo")
        lead.save()
        phones.note(lead, changed)


def shown(value: Any) -> str:
    """A value of an editor's own field for people: several ones are separated by commas."""
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def note_by_hand(lead: Lead, names: list[str], *, now: datetime, user_id: int | None) -> None:
    """Note that a person of ours set these values (the caller has changed and will save them)."""
    source = {"by": "manual", "at": now.isoformat(), "user": user_id}
    lead.sources = {**lead.sources, **dict.fromkeys(names, source)}
    _read_positions(lead, names)


def read(lead: Lead, name: str) -> Any:
    """A value by its name in :func:`fill`."""
    if name.startswith(ATTRIBUTE):
        return lead.attributes.get(name.removeprefix(ATTRIBUTE), "")
    return getattr(lead, name)


def write(lead: Lead, name: str, value: Any) -> None:
    """Set a value by its name in :func:`fill`; an empty attribute is taken away."""
    if not name.startswith(ATTRIBUTE):
        setattr(lead, name, value)
        return
    rest = {key: kept for key, kept in lead.attributes.items() if key != name.removeprefix(ATTRIBUTE)}
    lead.attributes = rest if value in ("", None, []) else {**rest, name.removeprefix(ATTRIBUTE): value}


def _known_attributes(values: Mapping[str, Any]) -> dict[str, str]:
    """The kinds of the editor's own fields among these, by name."""
    asked = [name.removeprefix(ATTRIBUTE) for name in values if name.startswith(ATTRIBUTE)]
    if not asked:
        return {}
    rows = LeadField.objects.filter(key__in=asked).values_list("key", "kind")
    return {f"{ATTRIBUTE}{key}": kind for key, kind in rows}


def _typed(value: Any, kind: str) -> Any:
    """A number as a number, a date as YYYY-MM-DD, what may be several as a list: conditions compare
    them. What is neither stays."""
    if kind == LeadField.Kind.SEVERAL and isinstance(value, str):
        return [one for one in (part.strip() for part in re.split("[,、;]", value)) if one]
    if not isinstance(value, str):
        return value
    if kind == LeadField.Kind.NUMBER:
        number = number_of(value)
        return value if number is None else number
    day = date_of(value) if kind == LeadField.Kind.DATE else None
    return value if day is None else day.isoformat()


def _clean(name: str, value: Any) -> Any:
    if name.startswith(ATTRIBUTE):
        if isinstance(value, list):
            return [clean_line(str(one), LINE) for one in value]
        return value if isinstance(value, int | float | bool) else clean_line(str(value or ""), LINE)
    max_length: int | None = getattr(Lead._meta.get_field(name), "max_length", None)
    return clean_line(str(value or ""), max_length or 0)


def _is_news(old: Any, new: Any) -> bool:
    """Whether a value says something else. "ACME " is no news about "Acme": what is there may have
    been tidied by hand."""
    if new in ("", None, []):
        return False
    return normalise(str(new)) != normalise(str(old)) if isinstance(new, str) else new != old


def _read_positions(lead: Lead, changed: Any) -> None:
    for name, (derived, read_it) in _READ_FROM.items():
        if name in changed and derived not in changed and derived not in lead.sources:
            setattr(lead, derived, read_it(getattr(lead, name)))
