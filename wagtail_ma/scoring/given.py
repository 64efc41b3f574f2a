"""Points that are given by hand of a scenario: rows of their own, entries of the same ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from wagtail_ma.people import news
from wagtail_ma.scoring.ledger import GIVEN, Award, Key
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.scoring.models_of_given import GivenPoints


def give(visitor_id: int, *, points: float, reason: str, source_key: str, now: datetime) -> bool:
    """Give a visitor points, dated now; the next reaction counts them, and they fade like all others.

    :param reason: the words under which they stand in "Why this score" (at most 120 characters).
    :param source_key: names the occasion (at most 120 characters): the same one gives once.
    :returns: False when this occasion has given them already.
    """
    rule = _rule(reason[:120])
    _row, is_new = GivenPoints.objects.get_or_create(
        source_key=source_key,
        defaults={
            "visitor_id": visitor_id,
            "born_visitor_id": visitor_id,
            "rule": rule,
            "points": points,
            "at": now,
        },
    )
    if is_new:
        news.mark([visitor_id], now=now)
    return is_new


def earned(rules: Iterable[ScoringRule], visitor_ids: Sequence[int]) -> dict[Key, Award]:
    """What these visitors were given under these rules (no statement where none of them gives)."""
    ids = [rule.pk for rule in rules if rule.kind == ScoringRule.Kind.GIVEN]
    if not ids:
        return {}
    rows = GivenPoints.objects.filter(visitor_id__in=visitor_ids, rule_id__in=ids)
    return {
        Key(row.rule_id, GIVEN, row.pk): Award(row.visitor_id, row.points, row.at)
        for row in rows.order_by("pk")
    }


def _rule(reason: str) -> ScoringRule:
    """The rule that stands for these words; not among those that editors see."""
    given = ScoringRule.objects.filter(kind=ScoringRule.Kind.GIVEN, name=reason)
    return given.order_by("pk").first() or ScoringRule.objects.create(
        kind=ScoringRule.Kind.GIVEN, name=reason, points=0
    )
