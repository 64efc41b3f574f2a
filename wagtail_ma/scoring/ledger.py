"""Which fact earns which points: pure, without database or clock.

The ledger of a visitor is a function of the facts and the rules alone: in whatever order facts
arrive and however they are split into batches, the entries are the same. Caps award the earliest
facts by (at, id), so a late fact may take the place of a later one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import NamedTuple

from wagtail_ma.scoring.models import ScoringRule

VIEW = "view"
VISIT = "visit"
ACTIVITY = "activity"
# What facts had earned that retention has deleted since (``CarriedPoints``).
CARRIED = "carried"

# Which facts a kind of rule looks at.
FACT_OF_RULE = {
    ScoringRule.Kind.PAGE_VIEW: VIEW,
    ScoringRule.Kind.ENGAGED: VIEW,
    ScoringRule.Kind.VISIT: VISIT,
    ScoringRule.Kind.ACTIVITY: ACTIVITY,
}


class Fact(NamedTuple):
    """One row of a fact table, as far as scoring looks at it."""

    kind: str
    id: int
    visitor_id: int
    at: datetime
    tracked_page_id: int | None = None
    activity_kind: str = ""
    engaged_seconds: float = 0.0


class Carried(NamedTuple):
    """One row of ``CarriedPoints``."""

    id: int
    rule_id: int
    visitor_id: int
    points: float
    at: datetime
    count: int  # type: ignore[assignment]
    last_day: date
    last_day_count: int


class Key(NamedTuple):
    """What makes an entry unique within one scoring model."""

    rule_id: int
    fact_kind: str
    fact_id: int


class Award(NamedTuple):
    """The points of one entry, dated at its fact."""

    visitor_id: int
    points: float
    at: datetime


@dataclass(frozen=True)
class Counted:
    """A rule with the tracked pages it counts on (None: on any page)."""

    rule: ScoringRule
    page_ids: Collection[int] | None = None

    def matches(self, fact: Fact) -> bool:
        """Whether this rule pays for this fact, caps aside."""
        rule = self.rule
        if self.page_ids is not None and fact.tracked_page_id not in self.page_ids:
            return False
        if rule.kind == ScoringRule.Kind.ENGAGED:
            return fact.engaged_seconds >= rule.min_seconds
        if rule.kind == ScoringRule.Kind.ACTIVITY:
            return fact.activity_kind == rule.activity_kind
        return True


def earn(
    counted: Iterable[Counted], facts: Iterable[Fact], *, zone: tzinfo, carried: Iterable[Carried] = ()
) -> dict[Key, Award]:
    """All entries that the facts earn under the rules.

    :param facts: facts of any visitors, in any order; each visitor's must be complete, because
        caps look at all of them.
    :param carried: what deleted facts had earned; it counts towards the caps.
    :param zone: the site's time zone: where "per day" begins and ends.
    """
    by_kind: dict[str, list[Counted]] = defaultdict(list)
    for each in counted:
        by_kind[FACT_OF_RULE[ScoringRule.Kind(each.rule.kind)]].append(each)
    purses: dict[tuple[int, int], _Purse] = {}
    earned: dict[Key, Award] = {}
    rules = {each.rule.pk: each.rule for group in by_kind.values() for each in group}
    for row in carried:
        if row.rule_id in rules:
            earned[Key(row.rule_id, CARRIED, row.id)] = Award(row.visitor_id, row.points, row.at)
            purse = purses.setdefault((row.rule_id, row.visitor_id), _Purse(rules[row.rule_id]))
            purse.carry(row)
    for fact in sorted(facts, key=lambda fact: (fact.at, fact.id)):
        for each in by_kind.get(fact.kind, ()):
            if not each.matches(fact):
                continue
            rule = each.rule
            purse = purses.setdefault((rule.pk, fact.visitor_id), _Purse(rule))
            if purse.takes(fact.at, zone):
                earned[Key(rule.pk, fact.kind, fact.id)] = Award(fact.visitor_id, float(rule.points), fact.at)
    return earned


def points_by_visitor(earned: Mapping[Key, Award]) -> dict[int, list[tuple[float, datetime]]]:
    """(points, at) of each visitor's entries."""
    found: dict[int, list[tuple[float, datetime]]] = defaultdict(list)
    for award in earned.values():
        found[award.visitor_id].append((award.points, award.at))
    return found


class _Purse:
    """Counts what one visitor has earned under one rule, and closes when a cap is reached."""

    __slots__ = ("max_per_day", "max_total", "per_day", "total")

    def __init__(self, rule: ScoringRule) -> None:
        self.max_per_day = rule.max_per_day
        self.max_total = rule.max_total
        self.total = 0
        self.per_day: dict[date, int] = defaultdict(int)

    def carry(self, row: Carried) -> None:
        """Count what had been paid for facts that are gone."""
        self.total += row.count
        self.per_day[row.last_day] += row.last_day_count

    def takes(self, at: datetime, zone: tzinfo) -> bool:
        if self.max_total is not None and self.total >= self.max_total:
            return False
        if self.max_per_day is not None:
            day = at.astimezone(zone).date()
            if self.per_day[day] >= self.max_per_day:
                return False
            self.per_day[day] += 1
        self.total += 1
        return True
