"""A slow, plain scorer, written from the words of the rules and not from the program.

Given all facts of one visitor and all rules it says which (rule, fact) pairs pay how much, and
what the score is worth at a moment. Nothing is shared with wagtail_ma.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class PlainFact:
    table: str  # "view", "visit" or "activity"
    id: int
    at: datetime
    page: int | None = None
    name: str = ""
    seconds: float = 0.0
    by_machine: bool = False


@dataclass(frozen=True)
class PlainRule:
    id: int
    on: str  # "page_view", "engaged", "visit" or "activity"
    points: int
    name: str = ""
    seconds: int = 0
    pages: frozenset[int] | None = None
    per_day: int | None = None
    in_all: int | None = None


def pays(rule: PlainRule, fact: PlainFact) -> bool:
    if fact.by_machine:
        return False
    if rule.pages is not None and fact.page not in rule.pages:
        return False
    if rule.on == "page_view":
        return fact.table == "view"
    if rule.on == "engaged":
        return fact.table == "view" and fact.seconds >= rule.seconds
    if rule.on == "visit":
        return fact.table == "visit"
    return fact.table == "activity" and fact.name == rule.name


def ledger(rules: list[PlainRule], facts: list[PlainFact], zone: str) -> dict[tuple[int, str, int], int]:
    """{(rule, table, fact): points}: each cap keeps the earliest."""
    entries: dict[tuple[int, str, int], int] = {}
    for rule in rules:
        paid = sorted((fact for fact in facts if pays(rule, fact)), key=lambda fact: (fact.at, fact.id))
        if rule.per_day is not None:
            days = [fact.at.astimezone(ZoneInfo(zone)).strftime("%Y%m%d") for fact in paid]
            paid = [fact for place, fact in enumerate(paid) if days[:place].count(days[place]) < rule.per_day]
        if rule.in_all is not None:
            paid = paid[: rule.in_all]
        for fact in paid:
            entries[rule.id, fact.table, fact.id] = rule.points
    return entries


def score(
    entries: dict[tuple[int, str, int], int], facts: list[PlainFact], half_life_days: float, now: datetime
) -> float:
    """Each entry halves every half-life; below zero counts as zero."""
    moments = {(fact.table, fact.id): fact.at for fact in facts}
    total = 0.0
    for (_rule, table, fact_id), points in entries.items():
        age_days = (now - moments[table, fact_id]).total_seconds() / 86_400
        total += points * 0.5 ** (age_days / half_life_days)
    return max(0.0, total)
