"""Rules of this domain must not ask for their own outcome: people would flip to and fro for ever."""

from __future__ import annotations

from typing import Any

from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.tree import conditions, references
from wagtail_ma.segments.models import Segment

# Conditions about what this domain decides.
OUTCOMES = frozenset({"hot", "excluded"})


def asks_for_outcome(raw: list[dict[str, Any]]) -> bool:
    """Whether a stored rule asks who is hot or excluded, itself or through segments."""
    if OUTCOMES & set(conditions(raw)):
        return True
    waiting = {pk for kind, pk in references(raw) if kind == "segment"}
    if not waiting:
        return False
    rules = {segment.pk: stored(segment.rule) for segment in Segment.objects.only("rule")}
    seen: set[int] = set()
    while waiting:
        pk = waiting.pop()
        seen.add(pk)
        asked = rules.get(pk, [])
        if OUTCOMES & set(conditions(asked)):
            return True
        waiting |= {other for kind, other in references(asked) if kind == "segment"} - seen
    return False
