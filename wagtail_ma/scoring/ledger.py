"""Which fact earns which points: pure, without database or clock.

The ledger of a visitor is a function of the facts and the rules alone: in whatever order facts
arrive and however they are split into batches, the entries are the same. Caps award the earliest
facts by (at, id), so a late fact may take the place of a later one.

For each fact in that order a rule asks: is it one of mine (:meth:`Counted.matches`)? Does it
complete the pattern (:class:`_Pattern`)? Is there room under the caps (:class:`_Purse`)?
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from wagtail_ma.scoring.models import ScoringRule

VIEW = "view"
VISIT = "visit"
ACTIVITY = "activity"
# What facts had earned that retention has deleted since (``CarriedPoints``).
CARRIED = "carried"
# Given by a step of a scenario (``GivenPoints``).
GIVEN = "given"
# Fit points: the fact is the visitor.
FIT = "fit"

Kind = ScoringRule.Kind
Boost = ScoringRule.Boost
# Which facts a kind of rule looks at.
FACT_OF_RULE = {
    Kind.PAGE_VIEW: VIEW,
    Kind.ENGAGED: VIEW,
    Kind.VISIT: VISIT,
    Kind.ACTIVITY: ACTIVITY,
}


class Fact(NamedTuple):
    """One row of a fact table, as far as scoring looks at it, and how things were at its moment."""

    kind: str
    id: int
    visitor_id: int
    at: datetime
    tracked_page_id: int | None = None
    activity_kind: str = ""
    engaged_seconds: float = 0.0
    # What an activity was done to, "form:3".
    activity_object: str = ""
    # None: outside of any visit.
    visit_id: int | None = None
    # Where its visit came from.
    medium: str = ""
    is_named: bool = False
    is_returning: bool = False
    # Of a visit: whole time since the visit before ended; None: it is the first.
    silence: timedelta | None = None


class Carried(NamedTuple):
    """One row of ``CarriedPoints``."""

    id: int
    rule_id: int
    visitor_id: int
    points: float
    at: datetime
    count: int  # type: ignore[assignment]  # hides tuple.count
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
        """Whether this is a fact of the kind that the rule pays for; dates, pattern and caps aside."""
        rule = self.rule
        if self.page_ids is not None and fact.tracked_page_id not in self.page_ids:
            return False
        if rule.kind == Kind.ENGAGED:
            return fact.engaged_seconds >= rule.min_seconds
        if rule.kind == Kind.ACTIVITY:
            if rule.activity_object and fact.activity_object != rule.activity_object:
                return False
            return fact.activity_kind == rule.activity_kind
        if rule.kind == Kind.VISIT and rule.after_silence_days:
            return fact.silence is not None and fact.silence >= timedelta(days=rule.after_silence_days)
        return True

    def points(self, fact: Fact) -> float:
        """What it pays for one fact: points × further times × boost."""
        rule = self.rule
        points = float(rule.points)
        if rule.kind == Kind.ENGAGED and rule.max_repeats > 1 and rule.min_seconds:
            points *= min(rule.max_repeats, int(fact.engaged_seconds // rule.min_seconds))
        if rule.boost_when and _is_boosted(rule.boost_when, fact):
            points *= rule.boost
        return points


def _is_boosted(when: str, fact: Fact) -> bool:
    if when == Boost.NAMED:
        return fact.is_named
    if when == Boost.RETURNING:
        return fact.is_returning
    # The others are called like the mediums of visits.
    return fact.medium == when


def earn(
    counted: Iterable[Counted], facts: Iterable[Fact], *, zone: tzinfo, carried: Iterable[Carried] = ()
) -> dict[Key, Award]:
    """All engagement entries that the facts earn under the rules.

    :param facts: facts of any visitors, in any order; each visitor's must be complete, because
        caps look at all of them.
    :param carried: what deleted facts had earned; it counts towards the caps.
    :param zone: the site's time zone: where "per day" begins and ends.
    """
    by_kind: dict[str, list[Counted]] = defaultdict(list)
    for each in counted:
        if each.rule.kind in FACT_OF_RULE:
            by_kind[FACT_OF_RULE[Kind(each.rule.kind)]].append(each)
    rules = {each.rule.pk: each.rule for group in by_kind.values() for each in group}
    purses: dict[tuple[int, int], _Purse] = {}
    earned = _carry(rules, carried, purses)
    for fact in sorted(facts, key=lambda fact: (fact.at, fact.id)):
        matching = [each for each in by_kind.get(fact.kind, ()) if each.matches(fact)]
        day = fact.at.astimezone(zone).date() if matching else None
        for each in matching:
            rule = each.rule
            purse = purses.get((rule.pk, fact.visitor_id))
            if purse is None:
                purse = purses[rule.pk, fact.visitor_id] = _Purse(rule)
            if purse.takes(fact, day):
                earned[Key(rule.pk, fact.kind, fact.id)] = Award(fact.visitor_id, each.points(fact), fact.at)
    return earned


def _carry(
    rules: Mapping[int, ScoringRule], carried: Iterable[Carried], purses: dict[tuple[int, int], _Purse]
) -> dict[Key, Award]:
    """The entries of facts that are gone; they are counted in the purses."""
    earned: dict[Key, Award] = {}
    for row in carried:
        if row.rule_id in rules:
            earned[Key(row.rule_id, CARRIED, row.id)] = Award(row.visitor_id, row.points, row.at)
            purses.setdefault((row.rule_id, row.visitor_id), _Purse(rules[row.rule_id])).carry(row)
    return earned


def points_by_visitor(earned: Mapping[Key, Award]) -> dict[int, list[tuple[float, datetime]]]:
    """(points, at) of each visitor's engagement entries."""
    found: dict[int, list[tuple[float, datetime]]] = defaultdict(list)
    for key, award in earned.items():
        if key.fact_kind != FIT:
            found[award.visitor_id].append((award.points, award.at))
    return found


class _Pattern:
    """Lets only every n-th fact through: of one page if asked for, all n within some days.

    What has been counted for one occurrence is not counted for the next.
    """

    __slots__ = ("same_page", "since", "times", "within")

    def __init__(self, rule: ScoringRule) -> None:
        self.times = rule.times
        self.same_page = rule.is_same_page
        self.within = timedelta(days=rule.within_days) if rule.within_days else None
        self.since: dict[int | None, list[datetime]] = defaultdict(list)

    def is_complete(self, fact: Fact) -> bool:
        page = fact.tracked_page_id if self.same_page else None
        moments = self.since[page]
        moments.append(fact.at)
        if self.within is not None:
            moments[:] = [at for at in moments if fact.at - at <= self.within]
        if len(moments) < self.times:
            return False
        moments.clear()
        return True


class _Purse:
    """Counts what one visitor has earned under one rule, and closes when a cap is reached."""

    __slots__ = (
        "last_at",
        "looks_at_days",
        "pattern",
        "per_day",
        "per_visit",
        "rest",
        "rule",
        "total",
    )

    def __init__(self, rule: ScoringRule) -> None:
        self.rule = rule
        self.pattern = _Pattern(rule) if rule.times > 1 else None
        self.rest = timedelta(hours=rule.cool_down_hours) if rule.cool_down_hours else None
        self.looks_at_days = bool(rule.max_per_day is not None or rule.valid_from or rule.valid_to)
        self.last_at: datetime | None = None
        self.total = 0
        self.per_day: dict[date, int] = defaultdict(int)
        self.per_visit: dict[int, int] = defaultdict(int)

    def carry(self, row: Carried) -> None:
        """Count what had been paid for facts that are gone."""
        self.total += row.count
        self.per_day[row.last_day] += row.last_day_count

    def takes(self, fact: Fact, day: date | None) -> bool:
        """Whether the fact is paid, and if so count it.

        :param day: of the fact, in the site's time zone; needed where the rule looks at days.
        """
        rule = self.rule
        if not self.looks_at_days:
            day = None
        if day is not None and (
            (rule.valid_from and day < rule.valid_from) or (rule.valid_to and day > rule.valid_to)
        ):
            return False
        if self.pattern is not None and not self.pattern.is_complete(fact):
            return False
        if rule.max_total is not None and self.total >= rule.max_total:
            return False
        if day is not None and rule.max_per_day is not None and self.per_day[day] >= rule.max_per_day:
            return False
        visit_id = fact.visit_id if rule.max_per_visit is not None else None
        if visit_id is not None and self.per_visit[visit_id] >= (rule.max_per_visit or 0):
            return False
        if self.rest is not None and self.last_at is not None and fact.at < self.last_at + self.rest:
            return False
        if day is not None:
            self.per_day[day] += 1
        if visit_id is not None:
            self.per_visit[visit_id] += 1
        self.last_at = fact.at
        self.total += 1
        return True
