"""How much somebody cares for a topic, and how warm they are: pure functions of facts.

Both are sums of evidence that fade with the half-life of the score. A view is worth 1, and up to
:data:`MOST_MINUTES` more for the minutes it was read; something done on a page is worth more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wagtail_ma.scoring.ledger import ACTIVITY, VIEW, Fact

MOST_MINUTES = 4.0
ACT = 5.0
# The evidence at which an interest weighs 50: about five views of a minute and a half.
HALF_WEIGHT = 12.0

# How much a view of a page of a class speaks of buying, or of gathering information.
INTENT_CLASSES = {"pricing": 3.0, "contact": 3.0, "comparison": 3.0, "product": 1.0, "case": 1.0}
RESEARCH_CLASSES = {"article": 2.0, "knowledge": 2.0, "download": 2.0, "faq": 1.0}
INTENT_ACTS = {"form_view": 2.0, "form_start": 4.0, "form_submit": 10.0}
RESEARCH_ACTS = {"download": 8.0, "mail_click": 3.0, "seminar_attended": 8.0}

# From how much evidence on: weak, strong, now. In words on the page of temperatures.
LEVELS = ("none", "weak", "strong", "now")
LEVEL_THRESHOLDS = {"weak": 4.0, "strong": 15.0, "now": 40.0}


@dataclass
class Evidence:
    """What one visitor's facts say of one thing: (weight, moment) of each; the newest moment."""

    last_at: datetime
    parts: list[tuple[float, datetime]] = field(default_factory=list)
    view_count: int = 0

    def add(self, weight: float, fact: Fact) -> None:
        """Count one fact."""
        self.parts.append((weight, fact.at))
        self.view_count += fact.kind == VIEW
        self.last_at = max(self.last_at, fact.at)


def _note(found: dict[Any, Evidence], key: Any, weight: float, fact: Fact) -> None:
    evidence = found.get(key)
    if evidence is None:
        evidence = found[key] = Evidence(fact.at)
    evidence.add(weight, fact)


def weight_of(fact: Fact) -> float:
    """The evidence of one fact for the topics of its page; 0 for a visit."""
    if fact.kind == VIEW:
        return 1.0 + min(fact.engaged_seconds / 60.0, MOST_MINUTES)
    return ACT if fact.kind == ACTIVITY else 0.0


def by_topic(
    facts: Iterable[Fact], topics_of_page: Mapping[int, Sequence[int]]
) -> dict[tuple[int, int], Evidence]:
    """(visitor id, topic id) → evidence."""
    found: dict[tuple[int, int], Evidence] = {}
    for fact in facts:
        topics = topics_of_page.get(fact.tracked_page_id, ()) if fact.tracked_page_id else ()
        weight = weight_of(fact) if topics else 0.0
        if weight:
            for topic_id in topics:
                _note(found, (fact.visitor_id, topic_id), weight, fact)
    return found


def temperatures(
    facts: Iterable[Fact], class_of_page: Mapping[int, str]
) -> tuple[dict[int, Evidence], dict[int, Evidence]]:
    """What speaks of buying and what of gathering information, by visitor id."""
    intent: dict[int, Evidence] = {}
    research: dict[int, Evidence] = {}
    for fact in facts:
        if fact.kind == VIEW:
            key = class_of_page.get(fact.tracked_page_id or 0, "")
            for_intent, for_research = INTENT_CLASSES.get(key, 0.0), RESEARCH_CLASSES.get(key, 0.0)
            minutes = weight_of(fact)
        elif fact.kind == ACTIVITY:
            for_intent = INTENT_ACTS.get(fact.activity_kind, 0.0)
            for_research = RESEARCH_ACTS.get(fact.activity_kind, 0.0)
            minutes = 1.0
        else:
            continue
        if for_intent:
            _note(intent, fact.visitor_id, for_intent * minutes, fact)
        if for_research:
            _note(research, fact.visitor_id, for_research * minutes, fact)
    return intent, research


def shown_weight(evidence: float) -> float:
    """The 0–100 that people see: 50 at :data:`HALF_WEIGHT`, never quite 100; order is kept."""
    return 100.0 * evidence / (evidence + HALF_WEIGHT) if evidence > 0 else 0.0


def evidence_of(weight: float) -> float:
    """The evidence at which the weight shown is ``weight`` (below 100): the inverse."""
    return HALF_WEIGHT * weight / (100.0 - weight)


def level_of(evidence: float) -> str:
    """none, weak, strong or now."""
    level = LEVELS[0]
    for name, threshold in LEVEL_THRESHOLDS.items():
        if evidence >= threshold * (1 - 1e-9):
            level = name
    return level


def concentration(weights: Sequence[float]) -> float:
    """The share of the first among all weights, 0–1; 1 for a single one, 0 for none."""
    total = sum(weights)
    return max(weights) / total if total > 0 else 0.0
