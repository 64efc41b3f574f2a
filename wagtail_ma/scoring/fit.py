"""Fit points: given for as long as a rule's conditions hold for the visitor.

The conditions are those of segments, decided by the same compiler. What somebody does changes them
in ``react``; what time alone changes is found by :func:`sweep_due`, which compares whole sets and
makes news of the differences.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, Q
from django.utils.translation import gettext as _

from wagtail_ma.core.conditions import facts
from wagtail_ma.core.placeholders import Statement
from wagtail_ma.people import news
from wagtail_ma.rules import compile as compiler
from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.tree import Broken, Group, conditions, find_referents, is_live, parse, references
from wagtail_ma.scoring.dating import reason_against
from wagtail_ma.scoring.ledger import FIT, Award, Key
from wagtail_ma.scoring.models import ScoreEntry, ScoringModel, ScoringRule
from wagtail_ma.segments.cadence import SHORTEST, cadence
from wagtail_ma.segments.models import Segment
from wagtail_ma.segments.queries import population

logger = logging.getLogger(__name__)

RULES_PER_CALL = 3
NEWS_PER_CALL = 5_000
STATEMENTS_KEPT = 16

_statements: dict[str, Statement] = {}


def asks_for_scores(raw: Any) -> bool:
    """Whether conditions depend on scores, directly or through segments: a scoring rule must not,
    it would ask for itself."""
    waiting, seen = [raw], set[int]()
    by_id: dict[int, Any] | None = None
    while waiting:
        conditions_ = waiting.pop()
        for key in conditions(conditions_):
            condition = facts.get(key)
            if condition is not None and condition.is_scored:
                return True
        for kind, pk in references(conditions_):
            if kind != "segment" or pk in seen:
                continue
            seen.add(pk)
            if by_id is None:
                by_id = {segment.pk: stored(segment.rule) for segment in Segment.objects.only("rule")}
            waiting.append(by_id.get(pk, []))
    return False


def trees(rules: Iterable[ScoringRule]) -> dict[int, Group | Broken]:
    """The trees of HOLDS and PATTERN rules by rule id; a reason in place of those that cannot be decided."""
    raws = [(rule, stored(rule.rule)) for rule in rules]
    referents = find_referents(raw for _rule, raw in raws)
    return {rule.pk: _tree(rule, raw, referents) for rule, raw in raws}


def _tree(rule: ScoringRule, raw: list[dict[str, Any]], referents: Any) -> Group | Broken:
    if is_live(raw):
        return Broken(_("It asks for facts of the request; those are not known when scores are computed."))
    if asks_for_scores(raw):
        return Broken(_("Scoring rules cannot ask for scores, or for segments that do."))
    tree = parse(rule.match, raw, referents=referents)
    if rule.kind == ScoringRule.Kind.PATTERN and isinstance(tree, Group) and (reason := reason_against(tree)):
        return Broken(reason)
    return tree


def holding(
    rules: Sequence[ScoringRule], visitor_ids: Sequence[int], *, now: datetime, note: bool = True
) -> dict[int, list[int]]:
    """Rule id → those of the visitors for whom its conditions hold now.

    One statement for all rules; compiled once per version of them. A rule that cannot be decided
    has no entry, is noted as broken, and leaves the points as they are.

    :param note: False: store nothing, not even what is broken.
    """
    whole = {}
    for pk, tree in trees(rules).items():
        if isinstance(tree, Group):
            whole[pk] = tree
        if note:
            reason = tree.reason if isinstance(tree, Broken) else ""
            note_broken(next(rule for rule in rules if rule.pk == pk), reason)
    found: dict[int, list[int]] = {pk: [] for pk in whole}
    if not whole or not visitor_ids:
        return found
    for visitor_id, *verdicts in _statement(rules, whole).rows(now=now, ids=list(visitor_ids)):
        for pk, verdict in zip(whole, verdicts, strict=True):
            if verdict:
                found[pk].append(visitor_id)
    return found


def _statement(rules: Sequence[ScoringRule], whole: dict[int, Group]) -> Statement:
    # Referents are part of it: a page that moved is another condition.
    raws = [[rule.pk, rule.match, stored(rule.rule)] for rule in rules if rule.pk in whole]
    named = [[str(leaf.values) for leaf in tree.leaves()] for tree in whole.values()]
    key = hashlib.sha256(json.dumps([raws, named], sort_keys=True).encode()).hexdigest()
    if key not in _statements:
        if len(_statements) >= STATEMENTS_KEPT:
            _statements.clear()
        _statements[key] = compiler.these(list(whole.values()), population())
    return _statements[key]


def note_broken(rule: ScoringRule, reason: str) -> None:
    """Remember why a rule cannot be decided ("": it can), for the list of rules."""
    reason = reason[:255]
    if bool(rule.broken_reason) != bool(reason):
        rule.broken_reason = reason
        ScoringRule.objects.filter(pk=rule.pk).update(broken_reason=reason)


def earn(
    rules: Sequence[ScoringRule], visitor_ids: Sequence[int], model: ScoringModel, *, now: datetime
) -> dict[Key, Award]:
    """The fit entries of these visitors under a model.

    Dated when the conditions were first seen to hold: entries that are there keep their date.
    """
    if not rules:
        return {}
    rows = ScoreEntry.objects.filter(model=model, visitor_id__in=visitor_ids, fact_kind=FIT)
    since: dict[tuple[int, int], tuple[float, datetime]] = {
        (rule_id, visitor_id): (points, at)
        for rule_id, visitor_id, points, at in rows.values_list("rule_id", "visitor_id", "points", "at")
    }
    found = holding(rules, visitor_ids, now=now)
    earned: dict[Key, Award] = {}
    for rule in rules:
        if rule.pk in found:
            for visitor_id in found[rule.pk]:
                _points, at = since.get((rule.pk, visitor_id), (0.0, now))
                earned[Key(rule.pk, FIT, visitor_id)] = Award(visitor_id, float(rule.points), at)
        else:
            # Broken: as it was.
            for (rule_id, visitor_id), (points, at) in since.items():
                if rule_id == rule.pk:
                    earned[Key(rule.pk, FIT, visitor_id)] = Award(visitor_id, points, at)
    return earned


def sweep_due(*, now: datetime) -> int:
    """Find people for whom time alone has changed what holds; ``react`` does the rest.

    Each rule as often as time can change it (``segments/cadence.py``: a quarter of an hour to six
    hours), a few rules per call, the one that waits longest first.

    :returns: how many visitors got news.
    """
    model = ScoringModel.objects.filter(is_current=True).first()
    if model is None:
        return 0
    stale = Q(swept_at__isnull=True) | Q(swept_at__lte=now - SHORTEST)
    waiting = ScoringRule.objects.filter(stale, kind=ScoringRule.Kind.HOLDS, is_active=True)
    rules = list(waiting.order_by(F("swept_at").asc(nulls_first=True), "pk"))
    changed = swept = 0
    for rule, tree in zip(rules, trees(rules).values(), strict=True):
        if rule.swept_at is not None and now - rule.swept_at < cadence(tree):
            continue
        if isinstance(tree, Group):
            try:
                changed += _sweep(model, rule.pk, tree, now=now)
            except Exception:
                logger.exception("the scoring rule %s cannot be decided for everybody", rule.pk)
        ScoringRule.objects.filter(pk=rule.pk).update(swept_at=now)
        swept += 1
        if swept == RULES_PER_CALL:
            break
    return changed


def _sweep(model: ScoringModel, rule_id: int, tree: Group, *, now: datetime) -> int:
    wanted = set(compiler.everyone(tree, population(), now=now).values_list("pk", flat=True))
    entries = ScoreEntry.objects.filter(model=model, rule_id=rule_id, fact_kind=FIT)
    differing = sorted(wanted ^ set(entries.values_list("visitor_id", flat=True)))[:NEWS_PER_CALL]
    news.mark(differing, now=now)
    return len(differing)
