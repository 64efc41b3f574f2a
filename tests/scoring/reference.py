"""A slow, plain scorer, written from the words of the rules and not from the program.

Given all facts of one visitor and all rules it says which (rule, fact) pairs pay how much, and
what the score is worth at a moment. Nothing is shared with wagtail_ma.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
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
    visit: int | None = None
    medium: str = ""
    ended: datetime | None = None  # of a visit


@dataclass(frozen=True)
class PlainRule:
    id: int
    on: str  # "page_view", "engaged", "visit" or "activity"
    points: float
    name: str = ""
    seconds: int = 0
    repeats: int = 1
    pages: frozenset[int] | None = None
    per_day: int | None = None
    per_visit: int | None = None
    in_all: int | None = None
    rest_hours: int | None = None
    times: int = 1
    within_days: int | None = None
    same_page: bool = False
    silence_days: int | None = None
    boost_when: str = ""
    boost: float = 1
    first_day: str = ""  # YYYY-MM-DD
    last_day: str = ""


def pays(rule: PlainRule, fact: PlainFact, facts: list[PlainFact], day: str) -> bool:
    if fact.by_machine or (rule.pages is not None and fact.page not in rule.pages):
        return False
    if day < rule.first_day or (rule.last_day and day > rule.last_day):
        return False
    if rule.on == "visit" and rule.silence_days:
        before = [each.ended for each in facts if each.table == "visit" and comes_before(each, fact)]
        if not before or fact.at - max(before) < timedelta(days=rule.silence_days):
            return False
    if rule.on == "engaged":
        return fact.table == "view" and fact.seconds >= rule.seconds
    if rule.on == "activity":
        return fact.table == "activity" and fact.name == rule.name
    return fact.table == {"page_view": "view", "visit": "visit"}[rule.on]


def comes_before(one: PlainFact, other: PlainFact) -> bool:
    return not one.by_machine and (one.at, one.id) < (other.at, other.id)


def completes(rule: PlainRule, paid: list[PlainFact]) -> list[PlainFact]:
    """Every n-th: of a page, within some days; what made one pattern makes no other."""
    found, open_ones = [], []
    for fact in paid:
        open_ones.append(fact)
        run = [each for each in open_ones if not rule.same_page or each.page == fact.page]
        if rule.within_days:
            run = [each for each in run if fact.at - each.at <= timedelta(days=rule.within_days)]
        if len(run) >= rule.times:
            found.append(fact)
            open_ones = [each for each in open_ones if rule.same_page and each.page != fact.page]
    return found


def worth(rule: PlainRule, fact: PlainFact, facts: list[PlainFact], named_at: datetime | None) -> float:
    visits = sorted((v for v in facts if v.table == "visit" and not v.by_machine), key=lambda v: (v.at, v.id))
    if fact.visit is None:
        is_returning = any(each.at < fact.at for each in visits)
    else:
        is_returning = fact.visit != visits[0].id
    states = {"named": named_at is not None and named_at <= fact.at, "returning": is_returning}
    many = min(rule.repeats, int(fact.seconds / rule.seconds)) if rule.on == "engaged" and rule.seconds else 1
    boosted = bool(rule.boost_when) and states.get(rule.boost_when, rule.boost_when == fact.medium)
    return rule.points * many * (rule.boost if boosted else 1)


def ledger(
    rules: list[PlainRule], facts: list[PlainFact], zone: str, named_at: datetime | None = None
) -> dict[tuple[int, str, int], float]:
    """{(rule, table, fact): points}: each cap keeps the earliest."""
    days = {(fact.table, fact.id): fact.at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d") for fact in facts}
    entries: dict[tuple[int, str, int], float] = {}
    for rule in rules:
        due = [fact for fact in facts if pays(rule, fact, facts, days[fact.table, fact.id])]
        due = completes(rule, sorted(due, key=lambda fact: (fact.at, fact.id)))
        taken: list[PlainFact] = []
        for fact in due:
            day = days[fact.table, fact.id]
            on_day = [each for each in taken if days[each.table, each.id] == day]
            in_visit = [each for each in taken if fact.visit is not None and each.visit == fact.visit]
            if (
                (rule.per_day is None or len(on_day) < rule.per_day)
                and (rule.per_visit is None or len(in_visit) < rule.per_visit)
                and (rule.in_all is None or len(taken) < rule.in_all)
                and not (
                    rule.rest_hours and taken and fact.at - taken[-1].at < timedelta(hours=rule.rest_hours)
                )
            ):
                taken.append(fact)
        for fact in taken:
            entries[rule.id, fact.table, fact.id] = worth(rule, fact, facts, named_at)
    return entries


def score(
    entries: dict[tuple[int, str, int], float], facts: list[PlainFact], half_life_days: float, now: datetime
) -> float:
    """Each entry halves every half-life; below zero counts as zero."""
    moments = {(fact.table, fact.id): fact.at for fact in facts}
    total = 0.0
    for (_rule, table, fact_id), points in entries.items():
        age_days = (now - moments[table, fact_id]).total_seconds() / 86_400
        total += points * 0.5 ** (age_days / half_life_days)
    return max(0.0, total)
