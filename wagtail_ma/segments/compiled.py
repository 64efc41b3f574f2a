"""The rules of segments, read, put in order and compiled; kept per process until they change."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import router
from django.utils.translation import gettext as _

from wagtail_ma.core.conditions import Referent
from wagtail_ma.core.placeholders import Statement
from wagtail_ma.core.request_facts import RequestFacts
from wagtail_ma.people.models import Visitor
from wagtail_ma.rules import compile as compiler
from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.tree import Broken, Group, find_referents, parse, references
from wagtail_ma.segments.models import Segment
from wagtail_ma.segments.queries import population

logger = logging.getLogger(__name__)

# Compiling takes longer than running: kept by the versions of the rules in it.
_statements: dict[tuple[str, ...], Statement] = {}
# The rules of live segments as read under a version.
_live: dict[int, tuple[str, Rule]] = {}
# More would make statements that take long to plan; the next chunk is another statement.
RULES_PER_STATEMENT = 40
# A page waits for these: one statement for all that a page can reasonably use.
LIVE_RULES_PER_STATEMENT = 100
RULES_KEPT = 1000
STATEMENTS_KEPT = 64


@dataclass(frozen=True)
class Rule:
    """A segment's rule as read."""

    segment: Segment
    tree: Group | Broken
    fingerprint: str
    # The segments that it asks for.
    asks: frozenset[int]


@dataclass(frozen=True)
class Batch:
    """Segments that one statement decides; its columns are in this order."""

    segment_ids: tuple[int, ...]
    statement: Statement


def read(segments: Iterable[Segment]) -> dict[int, Rule]:
    """The rules of these segments by segment id (one statement per kind of object they name)."""
    raws = {segment: stored(segment.rule) for segment in segments}
    referents = find_referents(raws.values())
    return {segment.pk: _rule(segment, raw, referents) for segment, raw in raws.items()}


def _rule(segment: Segment, raw: list[dict[str, Any]], referents: Mapping[Any, Referent]) -> Rule:
    named = sorted(set(references(raw)))
    text = json.dumps([segment.match, raw, [[key, str(referents.get(key))] for key in named]], sort_keys=True)
    return Rule(
        segment=segment,
        tree=parse(segment.match, raw, referents=referents),
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
        asks=frozenset(pk for kind, pk in named if kind == "segment"),
    )


def live_verdicts(
    versions: Mapping[int, str], *, visitor_id: int | None, facts: RequestFacts, now: datetime
) -> frozenset[int]:
    """Which of these live segments fit the request (one statement; more in a process that has not
    seen one of the versions yet).

    :param versions: the version of each segment to be decided, by id.
    :param visitor_id: None for somebody of whom we have no row.
    """
    rules = [rule for rule in _read_live(versions) if isinstance(rule.tree, Group)]
    found: set[int] = set()
    for start in range(0, len(rules), LIVE_RULES_PER_STATEMENT):
        part = rules[start : start + LIVE_RULES_PER_STATEMENT]
        (verdicts,) = _statement_of_one(part).rows(now=now, visitor_id=visitor_id, facts=facts)
        found |= {rule.segment.pk for rule, verdict in zip(part, verdicts, strict=True) if verdict}
    return frozenset(found)


def _read_live(versions: Mapping[int, str]) -> list[Rule]:
    outdated = [pk for pk, version in versions.items() if _live.get(pk, ("",))[0] != version]
    if outdated:
        if len(_live) >= RULES_KEPT:
            _live.clear()
            outdated = list(versions)
        for pk, rule in read(Segment.objects.filter(pk__in=outdated)).items():
            # Under the version that asked: should it have changed since, the next request reads again.
            _live[pk] = versions[pk], rule
    return [_live[pk][1] for pk in sorted(versions) if pk in _live]


def _statement_of_one(rules: Sequence[Rule]) -> Statement:
    using = router.db_for_read(Segment)
    trees = [rule.tree for rule in rules if isinstance(rule.tree, Group)]
    return _kept(
        (using, "one", *(rule.fingerprint for rule in rules)),
        lambda: compiler.one(trees, Visitor.objects.using(using)),
    )


def _kept(key: tuple[str, ...], build: Callable[[], Statement]) -> Statement:
    statement = _statements.get(key)
    if statement is None:
        if len(_statements) >= STATEMENTS_KEPT:
            _statements.clear()
        statement = _statements[key] = build()
    return statement


def levels(rules: Mapping[int, Rule]) -> tuple[list[list[Rule]], list[Rule]]:
    """The rules in the order in which they can be decided: first those that ask for no segment of
    this collection, then those that ask only for decided ones, and so on.

    :returns: (levels, the rules that ask for each other in a circle).
    """
    waiting = dict(rules)
    ordered: list[list[Rule]] = []
    while waiting:
        ready = [rule for rule in waiting.values() if not rule.asks & waiting.keys()]
        if not ready:
            return ordered, list(waiting.values())
        ordered.append(ready)
        for rule in ready:
            del waiting[rule.segment.pk]
    return ordered, []


def circle_reason() -> str:
    """Why a rule that takes part in a circle is broken."""
    return _("Its segments ask for each other in a circle.")


def asks_for_itself(segment_id: int, raw: list[dict[str, Any]]) -> bool:
    """Whether a segment with this rule would ask for itself, directly or through others."""
    asked = {segment.pk: stored(segment.rule) for segment in Segment.objects.only("rule")}
    asked[segment_id] = raw
    seen: set[int] = set()
    waiting = [segment_id]
    while waiting:
        for kind, pk in references(asked.get(waiting.pop(), [])):
            if kind != "segment":
                continue
            if pk == segment_id:
                return True
            if pk not in seen:
                seen.add(pk)
                waiting.append(pk)
    return False


def batches(rules: Sequence[Rule]) -> list[Batch]:
    """The statements that decide these rules (whole ones only) for given visitors.

    A rule whose condition fails to compile is left out, and logged: the others go on.
    """
    found = []
    for start in range(0, len(rules), RULES_PER_STATEMENT):
        part = rules[start : start + RULES_PER_STATEMENT]
        try:
            found.append(_batch(part))
        except Exception:
            if len(part) == 1:
                logger.exception("the rule of segment %s cannot be compiled", part[0].segment.pk)
            else:
                found += [batch for rule in part for batch in batches([rule])]
    return found


def _batch(rules: Sequence[Rule]) -> Batch:
    using = router.db_for_read(Segment)
    trees = [rule.tree for rule in rules if isinstance(rule.tree, Group)]
    statement = _kept(
        (using, *(rule.fingerprint for rule in rules)),
        lambda: compiler.these(trees, population().using(using)),
    )
    return Batch(tuple(rule.segment.pk for rule in rules), statement)
