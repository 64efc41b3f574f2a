"""The slow, obvious evaluator: what a rule means, in Python, one person at a time.

The database's two shapes are compared with it. It knows nothing of querysets. What each condition means
stands in the ``reference_….py`` of its domain.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.rules import (  # noqa: F401  (each says what its conditions mean)
    reference_acts,
    reference_pages,
    reference_people,
    reference_requests,
    reference_scores,
    reference_visits,
)
from tests.rules.person import CONDITIONS, Person


def fulfils(node: Any, person: Person, now: datetime) -> bool:
    """``node``: ("all" | "any" | "none", children) or (condition key, values)."""
    kind, content = node
    if kind in ("all", "any", "none"):
        verdicts = [fulfils(child, person, now) for child in content]
        return {"all": all(verdicts), "any": any(verdicts), "none": not any(verdicts)}[kind]
    return CONDITIONS[kind](person, content, now)
