"""Reading scores: what lists and a person's page ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from wagtail_ma.scoring import decay
from wagtail_ma.scoring.models import ScoreEntry, ScoringModel, ScoringRule, Standing


@dataclass(frozen=True)
class Row:
    """One entry of the ledger as shown: what it earned, and what of it is left."""

    rule: ScoringRule
    fact_kind: str
    fact_id: int
    at: datetime
    earned: float
    points: float


@dataclass(frozen=True)
class Share:
    """What one rule contributes to a score."""

    rule: ScoringRule
    count: int
    earned: float
    points: float
    last_at: datetime


@dataclass(frozen=True)
class Breakdown:
    """Why a score is what it is. ``total`` is the sum of ``rows``; the number shown on lists is
    ``score``, never below zero."""

    rows: list[Row]
    shares: list[Share]
    total: float
    lifetime: float

    @property
    def score(self) -> float:
        """The number shown."""
        return max(0.0, self.total)


def in_force() -> ScoringModel | None:
    """The current scoring model, or None before the first reaction."""
    return ScoringModel.objects.filter(is_current=True).first()


def current_score(standing: Standing, *, now: datetime) -> float:
    """Engagement points of a standing at ``now``, never below zero.

    max(0, S·2^(−(now−T₀)/h)); load the standing with ``select_related("model")``.
    """
    model = standing.model
    return max(
        0.0,
        decay.value_at(
            standing.engagement_sum, now=now, epoch=model.epoch, half_life_days=model.half_life_days
        ),
    )


def ranked() -> QuerySet[Standing]:
    """Everybody who counts, the highest score first: by index, right at any time.

    With visitor, lead and scoring model. Excluded visitors are left out.
    """
    model = in_force()
    if model is None:
        return Standing.objects.none()
    return (
        Standing.objects.filter(model_id=model.pk, visitor__excluded_reason="")
        .select_related("model", "visitor", "visitor__lead")
        .order_by("-rank", "-visitor_id")
    )


def at_least(standings: QuerySet[Standing], score: float, *, now: datetime) -> QuerySet[Standing]:
    """Those of ``standings`` (see :func:`ranked`) with at least ``score`` points at ``now``, as a
    range of the rank index."""
    model = in_force()
    if model is None:
        return standings.none()
    threshold = decay.forward_threshold(
        score, now=now, epoch=model.epoch, half_life_days=model.half_life_days
    )
    return standings.filter(rank__gte=threshold)


def standing_of(visitor_id: int) -> Standing | None:
    """Where a visitor stands, with the scoring model; None when there is nothing yet."""
    return (
        Standing.objects.filter(model__is_current=True, visitor_id=visitor_id).select_related("model").first()
    )


def breakdown(visitor_id: int, *, now: datetime) -> Breakdown:
    """A visitor's ledger, newest first, by entry and by rule (two statements).

    :returns: its ``total`` equals the sum of its rows, and :func:`current_score` of the standing
        (where that is not negative) within 1e-9 relative.
    """
    model = in_force()
    if model is None:
        return Breakdown(rows=[], shares=[], total=0.0, lifetime=0.0)
    entries = (
        ScoreEntry.objects.filter(model=model, visitor_id=visitor_id)
        .select_related("rule")
        .order_by("-at", "-pk")
    )
    rows = [
        Row(
            rule=entry.rule,
            fact_kind=entry.fact_kind,
            fact_id=entry.fact_id,
            at=entry.at,
            earned=entry.points,
            points=decay.decayed(entry.points, entry.at, now=now, half_life_days=model.half_life_days),
        )
        for entry in entries
    ]
    return Breakdown(
        rows=rows,
        shares=_shares(rows),
        total=sum(row.points for row in rows),
        lifetime=sum(row.earned for row in rows),
    )


def _shares(rows: list[Row]) -> list[Share]:
    """The rows by rule, the largest contribution first."""
    by_rule: dict[int, list[Row]] = {}
    for row in rows:
        by_rule.setdefault(row.rule.pk, []).append(row)
    shares = [
        Share(
            rule=mine[0].rule,
            count=len(mine),
            earned=sum(row.earned for row in mine),
            points=sum(row.points for row in mine),
            last_at=mine[0].at,
        )
        for mine in by_rule.values()
    ]
    return sorted(shares, key=lambda share: (-abs(share.points), share.rule.pk))
