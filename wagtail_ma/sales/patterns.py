"""What makes somebody hot: one class per kind of definition.

A pattern finds people with the newest fact that speaks for each (:class:`Evidence`), among given
visitors or among everybody, and says its reason as a sentence. It knows nothing of entries: when
one opens and ends is decided in ``hot``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_ma.core.placeholders import Statement
from wagtail_ma.core.registry import Registry
from wagtail_ma.people.models import Visitor
from wagtail_ma.rules import compile as compiler
from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.sentences import sentence
from wagtail_ma.rules.tree import Broken, Group, is_live, parse
from wagtail_ma.sales.circles import asks_for_outcome
from wagtail_ma.sales.models import ExclusionRule, HotDefinition, HotEntry
from wagtail_ma.scoring import decay
from wagtail_ma.scoring import queries as scores
from wagtail_ma.scoring.models import Standing
from wagtail_ma.segments.queries import population

Ids = Collection[int] | None

STATEMENTS_KEPT = 64
_statements: dict[str, Statement] = {}


@dataclass(frozen=True)
class Evidence:
    """Why somebody is hot: when the newest fact happened, and the numbers of the reason (plain JSON)."""

    at: datetime
    data: Mapping[str, Any]


class Pattern:
    """One kind of definition. Subclass it, register an instance.

    :cvar fields: the numbers of ``HotDefinition`` that the kind asks for.
    :cvar may_begin_by_time: people become hot by it without doing anything.
    :cvar sweep_minutes: how often they are searched for, and those looked at who may have cooled.
    :cvar is_fading: the numbers of its evidence become less by themselves.
    """

    kind: ClassVar[str]
    fields: ClassVar[tuple[str, ...]] = ()
    may_begin_by_time: ClassVar[bool] = False
    sweep_minutes: ClassVar[int] = 15
    is_fading: ClassVar[bool] = False

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        """Who is hot by this definition now, among these visitors (None: among everybody)."""
        raise NotImplementedError

    def still(self, definition: HotDefinition, ids: Collection[int], *, now: datetime) -> set[int]:
        """Of those who are hot by it, whom nothing speaks against. Default: everybody; what was
        done was done."""
        return set(ids)

    def candidates(self, definition: HotDefinition, *, now: datetime) -> Iterable[int]:
        """Everybody who may be hot by a new definition (:meth:`find` decides)."""
        return self.find(definition, None, now=now)

    def reason(self, data: Mapping[str, Any]) -> str:
        """Why, as a sentence in the active language, from the numbers of the evidence."""
        raise NotImplementedError


patterns: Registry[Pattern] = Registry("hot lead patterns")


def register(pattern: type[Pattern]) -> type[Pattern]:
    """Class decorator: add an instance of the pattern to the registry."""
    patterns.register(pattern.kind, pattern())
    return pattern


def pattern_of(definition: HotDefinition) -> Pattern:
    """The pattern of a definition.

    :raises ValueError: its kind is unknown.
    """
    pattern = patterns.get(definition.kind)
    if pattern is None:
        raise ValueError(f"unknown kind of hot lead definition: {definition.kind}")
    return pattern


def reason_of(entry: HotEntry) -> str:
    """Why somebody is hot, as a sentence in the active language; load the entry's definition."""
    if entry.definition.kind == HotDefinition.Kind.RULE:
        return _("%(conditions)s.") % {"conditions": rule_sentence(entry.definition)}
    return pattern_of(entry.definition).reason(entry.data)


def reasons(entries: Iterable[HotEntry]) -> dict[int, str]:
    """:func:`reason_of` for many, by entry; conditions are put into words once per definition."""
    found: dict[int, str] = {}
    by_rule: dict[int, str] = {}
    for entry in entries:
        if entry.definition.kind != HotDefinition.Kind.RULE:
            found[entry.pk] = reason_of(entry)
            continue
        if entry.definition_id not in by_rule:
            by_rule[entry.definition_id] = reason_of(entry)
        found[entry.pk] = by_rule[entry.definition_id]
    return found


def among(rows: QuerySet[Any], ids: Ids, field: str = "visitor_id") -> QuerySet[Any]:
    """The rows of these visitors; all rows for None."""
    return rows if ids is None else rows.filter(**{f"{field}__in": ids})


def number(value: float) -> str:
    """``2.0`` → ``"2"``, ``2.53`` → ``"2.5"``."""
    return f"{value:.1f}".removesuffix(".0")


@register
class ScoreReached(Pattern):
    """The score reaches a threshold; it must fall below a lower one to be left again."""

    kind = HotDefinition.Kind.SCORE
    fields = ("score", "release_score")
    is_fading = True

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        return {
            pk: Evidence(at, {"score": round(score, 1), "threshold": definition.score})
            for pk, at, score in self._standings(definition.score, ids, now=now)
        }

    def still(self, definition: HotDefinition, ids: Collection[int], *, now: datetime) -> set[int]:
        lowest = min(definition.release_score, definition.score)
        return {pk for pk, _at, _score in self._standings(lowest, ids, now=now)}

    def _standings(self, lowest: float, ids: Ids, *, now: datetime) -> list[tuple[int, datetime, float]]:
        model = scores.in_force()
        if model is None:
            return []
        clock: dict[str, Any] = {"epoch": model.epoch, "half_life_days": model.half_life_days}
        # A range of the index, right at any time; the last digit of a sum decides nothing.
        least = decay.forward_threshold(lowest, now=now, **clock) * (1 - 1e-9)
        rows = among(Standing.objects.filter(model=model, engagement_sum__gte=least), ids)
        return [
            (pk, at or now, decay.value_at(forward, now=now, **clock))
            for pk, at, forward in rows.values_list("visitor_id", "last_seen_at", "engagement_sum")
        ]

    def reason(self, data: Mapping[str, Any]) -> str:
        return _("The score rose to %(score)s points, past the threshold of %(threshold)s.") % {
            "score": number(data["score"]),
            "threshold": number(data["threshold"]),
        }


@register
class RuleHolds(Pattern):
    """The conditions of a rule hold."""

    kind = HotDefinition.Kind.RULE
    fields = ("match", "rule")
    may_begin_by_time = True

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        tree = read_rule(definition)
        if isinstance(tree, Broken):
            return {}
        if ids is None:
            found = set(compiler.everyone(tree, population(), now=now).values_list("pk", flat=True))
        else:
            found = fulfilling(definition, tree, ids, now=now)
        seen = _last_seen(found)
        return {pk: Evidence(seen.get(pk, now), {}) for pk in found}

    def still(self, definition: HotDefinition, ids: Collection[int], *, now: datetime) -> set[int]:
        if isinstance(read_rule(definition), Broken):
            # Nobody knows: they stay until their time is up.
            return set(ids)
        return set(self.find(definition, ids, now=now))

    def reason(self, data: Mapping[str, Any]) -> str:
        # In the words of the conditions, see reason_of().
        return ""


def rule_sentence(definition: HotDefinition | ExclusionRule) -> str:
    """The conditions of a definition in words, or what is wrong with them."""
    return sentence(read_rule(definition))


def read_rule(definition: HotDefinition | ExclusionRule) -> Group | Broken:
    """The conditions of a definition or of an exclusion; broken too if they ask for a page view or
    for who is hot or excluded."""
    raw = stored(definition.rule)
    if is_live(raw):
        return Broken(_("A condition on the page view itself cannot be decided here."))
    if asks_for_outcome(raw):
        return Broken(_("Who is hot or excluded cannot depend on who is hot or excluded."))
    return parse(definition.match, raw)


def fulfilling(
    rule: HotDefinition | ExclusionRule, tree: Group, visitor_ids: Collection[int], *, now: datetime
) -> set[int]:
    """For whom of these visitors the conditions hold (one statement, compiled once per version of them)."""
    # (What they name is part of it: a page that moved is another condition.)
    named = [str(leaf.values) for leaf in tree.leaves()]
    text = json.dumps([rule.match, stored(rule.rule), named], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()
    if key not in _statements:
        if len(_statements) >= STATEMENTS_KEPT:
            _statements.clear()
        _statements[key] = compiler.these([tree], population())
    return {pk for pk, holds in _statements[key].rows(now=now, ids=list(visitor_ids)) if holds}


def _last_seen(visitor_ids: Collection[int]) -> dict[int, datetime]:
    """When each of these visitors did something for the last time."""
    rows = Visitor.objects.filter(pk__in=visitor_ids, standings__model__is_current=True)
    return {
        pk: last or first
        for pk, first, last in rows.annotate(last=F("standings__last_seen_at")).values_list(
            "pk", "first_seen_at", "last"
        )
    }


def since(definition: HotDefinition, now: datetime) -> datetime:
    """Where the definition's window begins."""
    return now - timedelta(days=definition.days)


def in_days(days: int) -> str:
    """ "in 14 days"."""
    return ngettext("in %(days)d day", "in %(days)d days", days) % {"days": days}
