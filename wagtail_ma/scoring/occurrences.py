"""Patterns from rule trees: the moments at which conditions came to hold.

At each moment at which somebody did something that the tree counts it is asked twice: with all that was
done up to and with this moment, and with what was done before, both as of this moment. Where it holds with
and not without, that is an occurrence, and it is dated there. So the dates follow from the facts alone, in
whatever order they arrive; what time alone brings about earns nothing.

Which rows a condition counts is asked of the database, by the same description as everywhere else
(:class:`~wagtail_ma.core.conditions.Dated`); windows and numbers are then followed in memory.

Where retention has deleted facts that had been paid, what is left no longer tells whether the conditions
held just before. Then only what is known to have been otherwise can come to hold: a condition whose window
reaches back to deleted facts is open, as long as those that are left do not settle it. So a true first
occurrence shortly after the limit may be dropped (where conditions have no window, a later one, too);
paying the same one again after each deletion would be the larger error.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from wagtail_ma.core.conditions import Dated
from wagtail_ma.rules.tree import Broken, Group, Node
from wagtail_ma.scoring import dating, fit
from wagtail_ma.scoring.ledger import ACTIVITY, FIT, VIEW, VISIT, Award, Counted, Fact, Key
from wagtail_ma.scoring.models import ScoreEntry, ScoringModel, ScoringRule

# Of several facts of one moment the points are shown at the one that says most.
TELLING = {VISIT: 0, VIEW: 1, ACTIVITY: 2}
# Ids per statement.
BATCH = 5_000


@dataclass(frozen=True)
class Watched:
    """One condition, and what of some visitors it counts.

    :param ids: of the facts of its kind.
    :param moments: visitor → the moments of rows that are no facts of the ledger.
    """

    dated: Dated
    kind: str
    ids: Collection[int] = ()
    moments: Mapping[int, Sequence[datetime]] = field(default_factory=dict)


class _Tally:
    """One condition while the facts of one visitor go by in the order of their time."""

    def __init__(self, watched: Watched, visitor_id: int, lost_until: datetime | None) -> None:
        self.watched = watched
        # States are no facts that retention deletes.
        self.lost_until = lost_until if watched.kind else None
        self.dated = watched.dated
        self.window = timedelta(days=watched.dated.days) if watched.dated.days is not None else None
        self.states = watched.moments.get(visitor_id, ())
        # Those within the window: (at, visit, seconds); without one, only what they add up to.
        self.kept: deque[tuple[datetime, int | None, float]] = deque()
        self.count = 0
        self.visits: Counter[int | None] = Counter()
        self.seconds = 0.0

    def counts(self, fact: Fact) -> bool:
        return fact.kind == self.watched.kind and fact.id in self.watched.ids

    def see(self, fact: Fact) -> None:
        self.count += 1
        self.visits[fact.visit_id] += 1
        self.seconds += fact.engaged_seconds
        if self.window is not None:
            self.kept.append((fact.at, fact.visit_id, fact.engaged_seconds))

    def holds(self, at: datetime) -> bool:
        self._forget(at)
        number = self._number(at)
        if self.dated.comparison == "at_least":
            return number >= self.dated.number
        if self.dated.comparison == "at_most":
            return number <= self.dated.number
        return number == self.dated.number

    def was_known_to_hold(self, at: datetime) -> bool | None:
        """As :meth:`holds`; None where deleted facts might change the answer."""
        verdict = self.holds(at)
        if self.lost_until is None or (self.window is not None and self.lost_until < at - self.window):
            return verdict
        # More facts can only make the number larger.
        if self.dated.comparison == "at_least":
            return verdict or None
        return False if self._number(at) > self.dated.number else None

    def _number(self, at: datetime) -> float:
        if self.dated.of == "visits":
            return len(self.visits)
        if self.dated.of == "seconds":
            return self.seconds
        since = at - self.window if self.window is not None else None
        states = sum(1 for each in self.states if each <= at and (since is None or each >= since))
        return self.count + states

    def _forget(self, at: datetime) -> None:
        """What lies before the window."""
        if self.window is None:
            return
        before = len(self.kept)
        while self.kept and self.kept[0][0] < at - self.window:
            _at, visit_id, _seconds = self.kept.popleft()
            self.count -= 1
            self.visits[visit_id] -= 1
            if not self.visits[visit_id]:
                del self.visits[visit_id]
        if len(self.kept) != before:
            # Added up anew: taking away would leave rounding behind.
            self.seconds = math.fsum(seconds for _at, _visit_id, seconds in self.kept)


def _holds(node: Node, leaves: Iterator[bool | None]) -> bool | None:
    """Whether a tree holds; ``leaves`` are the verdicts of its leaves in order. None: not known."""
    if not isinstance(node, Group):
        return next(leaves)
    # Every child is asked: each leaf takes its verdict.
    verdicts = [_holds(child, leaves) for child in node.children]
    settling = node.match != "all"
    if settling in verdicts:
        found: bool | None = settling
    else:
        found = None if None in verdicts else not settling
    return not found if node.match == "none" and found is not None else found


def occurrences(
    tree: Group, watched: Sequence[Watched], facts: Sequence[Fact], lost_until: datetime | None = None
) -> Iterator[Fact]:
    """The facts with which a tree came to hold.

    :param watched: of the leaves, in order.
    :param facts: of one visitor, complete, in the order of their time.
    :param lost_until: facts up to this moment may be gone, and had been paid; None: these are all.
    """
    if not facts:
        return
    tallies = [_Tally(each, facts[0].visitor_id, lost_until) for each in watched]
    for at, group in groupby(facts, key=lambda fact: fact.at):
        seen = [(tally, fact) for fact in group for tally in tallies if tally.counts(fact)]
        if not seen:
            continue
        held = _holds(tree, (tally.was_known_to_hold(at) for tally in tallies))
        for tally, fact in seen:
            tally.see(fact)
        if held is False and _holds(tree, (tally.holds(at) for tally in tallies)):
            yield max((fact for _tally, fact in seen), key=lambda fact: (TELLING[fact.kind], fact.id))


def counted(patterns: Sequence[ScoringRule], facts: Sequence[Fact]) -> list[Counted]:
    """Rules with conditions that pay engagement, with what completes them among these facts: a statement
    for each condition (and batch of facts)."""
    ids: dict[str, list[int]] = defaultdict(list)
    for fact in facts:
        ids[fact.kind].append(fact.id)
    visitor_ids = {fact.visitor_id for fact in facts}
    found = []
    for rule, tree in zip(patterns, fit.trees(patterns).values(), strict=True):
        if isinstance(tree, Broken):
            found.append(Counted(rule, broken=tree.reason))
            continue
        watched = [_watch(dated, ids, visitor_ids) for dated in dating.dated_leaves(tree)]
        found.append(Counted(rule, completing=_finder(tree, watched), is_once=dating.is_once(tree)))
    return found


def _finder(
    tree: Group, watched: Sequence[Watched]
) -> Callable[[Sequence[Fact], datetime | None], Iterable[Fact]]:
    return lambda facts, lost_until: occurrences(tree, watched, facts, lost_until)


def _watch(dated: Dated, ids: Mapping[str, list[int]], visitor_ids: Collection[int]) -> Watched:
    kind = dating.kind_of(dated)
    rows = dated.rows.order_by()
    if not kind:
        moments: dict[int, list[datetime]] = defaultdict(list)
        for visitor_id, at in rows.filter(visitor_id__in=visitor_ids).values_list("visitor_id", dated.moment):
            moments[visitor_id].append(at)
        return Watched(dated, kind, moments=moments)
    mine = ids.get(kind, [])
    # By their keys: with the visitors, too, the database might begin with a popular page.
    counting = {
        pk
        for start in range(0, len(mine), BATCH)
        for pk in rows.filter(pk__in=mine[start : start + BATCH]).values_list("pk", flat=True)
    }
    return Watched(dated, kind, counting)


def kept(paying: Iterable[Counted], visitor_ids: Sequence[int], model: ScoringModel) -> dict[Key, Award]:
    """The entries of patterns that cannot be decided: they stay as they were."""
    broken = [each.rule.pk for each in paying if each.broken]
    if not broken:
        return {}
    rows = ScoreEntry.objects.filter(model=model, rule_id__in=broken, visitor_id__in=visitor_ids)
    return {
        Key(row.rule_id, row.fact_kind, row.fact_id): Award(row.visitor_id, row.points, row.at)
        for row in rows.exclude(fact_kind=FIT)
    }
