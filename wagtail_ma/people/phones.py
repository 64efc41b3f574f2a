"""Telephone numbers made comparable, to find who may be the same person.

Rules: compatibility forms of digits and signs are one; spaces, brackets and all kinds of hyphens say
nothing; +81 is the 0 of a number in Japan; an extension belongs to the number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from wagtail_ma.people.models import Lead, LeadPhone

FIELDS = ("phone", "mobile_phone", "other_phone")
# Shorter ones are extensions, or nonsense.
SHORTEST = 9
_EXTENSION = re.compile(r"\s*(?:内線|内|ext\.?|extension|x|#)\s*[:.]?\s*(\d{1,6})\D*\Z", re.IGNORECASE)
# 070, 080 and 090 are mobile in Japan, 050 is one line of one person as a rule, too; as there is no telling
# abroad, others count as lines that many share.
_PERSONAL = re.compile(r"0[5789]0\d{8}\Z")


def key_of(text: str) -> str:
    """A number as ``0312345678``, ``+4930123456`` or ``0312345678x12``; empty for what is none."""
    plain = unicodedata.normalize("NFKC", text).strip()
    extension = ""
    if found := _EXTENSION.search(plain):
        extension, plain = f"x{int(found[1])}", plain[: found.start()]
    digits = "".join(character for character in plain if character.isdecimal())
    if plain.startswith("+"):
        # +81 (0)3 … is written by many.
        japanese = digits.startswith("81")
        digits = f"0{digits[2:].removeprefix('0')}" if japanese else f"+{digits}"
    return f"{digits}{extension}" if len(digits.removeprefix("+")) >= SHORTEST else ""


def is_personal(key: str) -> bool:
    """Whether such a number is of one person, not of a switchboard."""
    return bool(_PERSONAL.match(key))


def keys_of(lead: Lead) -> set[str]:
    """The numbers of a lead."""
    return {key for name in FIELDS if (key := key_of(getattr(lead, name)))}


def note(lead: Lead, changed: Iterable[str]) -> None:
    """Keep the table of numbers in step with a saved lead of which these fields were changed."""
    if not set(FIELDS) & set(changed):
        return
    keys = keys_of(lead)
    LeadPhone.objects.filter(lead=lead).exclude(key__in=keys).delete()
    LeadPhone.objects.bulk_create(
        (LeadPhone(lead=lead, key=key) for key in sorted(keys)), ignore_conflicts=True
    )
