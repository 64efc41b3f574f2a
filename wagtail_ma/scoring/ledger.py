"""Which fact earns which points: pure, without database or clock.

The ledger of a visitor is a function of the facts and the rules alone: in whatever order facts
arrive and however they are split into batches, the entries are the same. Caps award the earliest
facts by (at, id), so a late fact may take the place of a later one.

For each fact in that order a rule asks: is it one of mine (:meth:`Counted.matches`)? Does it
complete the pattern (:class:`_Pattern`)? Is there room under the caps (:class:`_Purse`)?
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
    """A rule with the tracked pages it counts on (None: on any page).

    :param completing: of a pattern of conditions (``occurrences.py``): the facts of one visitor, in the
        order of their time, and until when others are gone → those with which its conditions came to hold.
    :param is_once: they cannot come to hold a second time.
    :param broken: why they cannot be decided; what the rule gave then stays as it is.
    """

    rule: ScoringRule
    page_ids: Collection[int] | None = None
    completing: Callable[[Sequence[Fact], datetime | None], Iterable[Fact]] | None = None
    is_once: bool = False
    broken: str = ""

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
    counted: Iterable[Counted],
    facts: Iterable[Fact],
    *,
    zone: tzinfo,
    carried: Iterable[Carried] = (),
    lost_until: Mapping[int, datetime] | None = None,
) -> dict[Key, Award]:
    """All engagement entries that the facts earn under the rules.

    :param facts: facts of any visitors, in any order; each visitor's must be complete, because
        caps look at all of them.
    :param carried: what deleted facts had earned; it counts towards the caps.
    :param lost_until: visitor → the moment of the last deleted fact.
    :param zone: the site's time zone: where "per day" begins and ends.
    """
    paying = list(counted)
    till = _Till(paying, zone, carried)
    by_kind: dict[str, list[Counted]] = defaultdict(list)
    for each in paying:
        if each.rule.kind in FACT_OF_RULE:
            by_kind[FACT_OF_RULE[Kind(each.rule.kind)]].append(each)
    in_order = sorted(facts, key=lambda fact: (fact.at, fact.id))
    for fact in in_order:
        for each in by_kind.get(fact.kind, ()):
            if each.matches(fact):
                till.pay(each, fact)
    patterns = [each for each in paying if each.completing is not None]
    if patterns:
        by_visitor: dict[int, list[Fact]] = defaultdict(list)
        for fact in in_order:
            by_visitor[fact.visitor_id].append(fact)
        for each in patterns:
            for mine in by_visitor.values():
                till.pay_pattern(each, mine, lost_until or {})
    return till.earned


class _Till:
    """Pays facts, as far as the caps of the rules let it; what deleted facts had earned is counted."""

    def __init__(self, paying: Iterable[Counted], zone: tzinfo, carried: Iterable[Carried]) -> None:
        self.earned: dict[Key, Award] = {}
        self._zone = zone
        self._purses: dict[tuple[int, int], _Purse] = {}
        by_rule = {each.rule.pk: each for each in paying if not each.broken}
        for row in carried:
            if row.rule_id in by_rule:
                self.earned[Key(row.rule_id, CARRIED, row.id)] = Award(row.visitor_id, row.points, row.at)
                self._purse(by_rule[row.rule_id], row.visitor_id).carry(row)

    def pay(self, each: Counted, fact: Fact) -> None:
        """Give the fact its points under the rule, if there is room."""
        purse = self._purse(each, fact.visitor_id)
        day = fact.at.astimezone(self._zone).date() if purse.looks_at_days else None
        if purse.takes(fact, day):
            key = Key(each.rule.pk, fact.kind, fact.id)
            self.earned[key] = Award(fact.visitor_id, each.points(fact), fact.at)

    def pay_pattern(self, each: Counted, facts: Sequence[Fact], lost_until: Mapping[int, datetime]) -> None:
        """Pay those of a visitor's facts that complete the pattern."""
        if each.completing is None or not facts:
            return
        visitor_id = facts[0].visitor_id
        # Without anything carried it has not been paid for what is gone: nothing can be paid twice.
        is_carried = self._purse(each, visitor_id).total > 0
        for fact in each.completing(facts, lost_until.get(visitor_id) if is_carried else None):
            self.pay(each, fact)

    def _purse(self, each: Counted, visitor_id: int) -> _Purse:
        key = (each.rule.pk, visitor_id)
        purse = self._purses.get(key)
        if purse is None:
            purse = self._purses[key] = _Purse(each)
        return purse


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
        "most",
        "pattern",
        "per_day",
        "per_visit",
        "rest",
        "rule",
        "total",
    )

    def __init__(self, counted: Counted) -> None:
        rule = self.rule = counted.rule
        self.most = 1 if counted.is_once else rule.max_total
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

        :param day: of the fact, in the site's time zone; None unless the rule ``looks_at_days``.
        """
        rule = self.rule
        if day is not None and (
            (rule.valid_from and day < rule.valid_from) or (rule.valid_to and day > rule.valid_to)
        ):
            return False
        if self.pattern is not None and not self.pattern.is_complete(fact):
            return False
        if self.most is not None and self.total >= self.most:
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
