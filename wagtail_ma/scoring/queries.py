"""Reading scores: what lists and a person's page ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Count, F, Max, OuterRef, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Least

from wagtail_ma.conf import conf
from wagtail_ma.scoring import bands, decay, interests
from wagtail_ma.scoring.expressions import ForwardFactor, WholeDays
from wagtail_ma.scoring.ledger import ACTIVITY, FIT, VIEW
from wagtail_ma.scoring.models import LISTED, Interest, ScoreEntry, ScoringModel, ScoringRule, Standing
from wagtail_ma.tracking.models import Activity, PageView, Topic

# So many of a long ledger are listed one by one; the rest is summed up by rule.
ENTRIES = 100


@dataclass(frozen=True)
class Row:
    """One entry of the ledger as shown: what it earned, and what of it is left."""

    rule: ScoringRule
    fact_kind: str
    fact_id: int
    at: datetime
    earned: float
    points: float
    # What the fact was: title (or address) of the page viewed; kind and data of the activity.
    page: str = ""
    act: str = ""
    act_data: Mapping[str, Any] = field(default_factory=dict)


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
    """Why a score is what it is.

    :param shares: by rule, the largest contribution first; they count every entry.
    :param rows: the newest entries one by one, out of ``count``.
    :param total: the sum of the shares; the number shown on lists is ``score``, never below zero.
    :param by_day: how many whole days ago → what the entries of that day are worth now; the last days
        that were asked for.
    :param fit_rows: ``fit`` is :data:`bands.NEUTRAL_FIT` plus their sum.
    """

    rows: list[Row]
    shares: list[Share]
    count: int
    total: float
    lifetime: float
    by_day: dict[int, float] = field(default_factory=dict)
    fit_rows: list[Row] = field(default_factory=list)
    fit: float = bands.NEUTRAL_FIT

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
        Standing.objects.filter(LISTED, model_id=model.pk)
        .select_related("model", "visitor", "visitor__lead")
        .order_by("-rank", "-visitor_id")
    )


def at_least(standings: QuerySet[Standing], score: float, *, now: datetime) -> QuerySet[Standing]:
    """Those of ``standings`` (see :func:`ranked`) with at least ``score`` points at ``now``.

    The rank is at least S × the smallest weight, which makes a range of the rank index of it."""
    model = in_force()
    if model is None:
        return standings.none()
    threshold = decay.forward_threshold(
        score, now=now, epoch=model.epoch, half_life_days=model.half_life_days
    )
    return standings.filter(rank__gte=threshold * min(model.fit_weights), engagement_sum__gte=threshold)


def standing_of(visitor_id: int) -> Standing | None:
    """Where a visitor stands, with the scoring model; None when there is nothing yet."""
    return (
        Standing.objects.filter(model__is_current=True, visitor_id=visitor_id).select_related("model").first()
    )


def breakdown(
    visitor_id: int,
    *,
    now: datetime,
    model: ScoringModel | None = None,
    newest: int = ENTRIES,
    days: int = 0,
) -> Breakdown:
    """A visitor's ledger by rule and its newest entries (two statements, however long it is; one more
    without the model).

    :param newest: so many entries are listed one by one.
    :param days: for so many days back, also what was earned on each.
    :returns: its ``total`` equals the sum of all entries, and :func:`current_score` of the standing
        (where that is not negative) within 1e-9 relative.
    """
    model = model or in_force()
    if model is None:
        return Breakdown(rows=[], shares=[], count=0, total=0.0, lifetime=0.0)
    sums = _sums(visitor_id, model, days, now)
    shares = _shares(each for each in sums if each.kind != FIT)
    by_day: dict[int, float] = {}
    for each in sums:
        if each.kind != FIT and each.ago < days:
            by_day[each.ago] = by_day.get(each.ago, 0.0) + each.worth
    # (Fit has one entry per rule.)
    fit_rows = [
        Row(each.rule, FIT, visitor_id, each.last_at, each.earned, each.earned)
        for each in sums
        if each.kind == FIT
    ]
    rules = {share.rule.pk: share.rule for share in shares}
    return Breakdown(
        rows=[_row(entry, rules, model, now) for entry in _newest(visitor_id, model, newest)]
        if rules
        else [],
        shares=shares,
        count=sum(share.count for share in shares),
        total=sum(share.points for share in shares),
        lifetime=sum(share.earned for share in shares),
        by_day=by_day,
        fit_rows=sorted(fit_rows, key=lambda row: (row.at, row.rule.pk), reverse=True),
        fit=bands.NEUTRAL_FIT + sum(row.points for row in fit_rows),
    )


@dataclass(frozen=True)
class _Sum:
    """The entries of one rule, kind of fact and day (``ago``; all earlier ones together)."""

    rule: ScoringRule
    kind: str
    ago: int
    count: int
    earned: float
    worth: float
    last_at: datetime


def _sums(visitor_id: int, model: ScoringModel, days: int, now: datetime) -> list[_Sum]:
    """Added up by the database (one statement; index ma_entry_visitor). Of each rule what is shown of it
    is read: id, name and kind."""
    ago = Least(WholeDays(now, "at"), Value(days)) if days else Value(0)
    sums = (
        ScoreEntry.objects.filter(model=model, visitor_id=visitor_id)
        .annotate(ago=ago)
        .order_by()
        .values_list("rule_id", "rule__name", "rule__kind", "fact_kind", "ago")
        .annotate(
            count=Count("pk"),
            earned=Sum("points"),
            worth=Sum(F("points") * ForwardFactor("at", now, float(model.half_life_days))),
            last_at=Max("at"),
        )
    )
    return [_Sum(ScoringRule(pk=pk, name=name, kind=kind), *values) for pk, name, kind, *values in sums]


def _newest(visitor_id: int, model: ScoringModel, count: int) -> QuerySet[ScoreEntry]:
    """The newest entries, with what their facts were: ``page`` (its title or address), ``act`` (kind of
    activity) and ``act_data``."""
    view = PageView.objects.filter(pk=OuterRef("fact_id")).order_by()
    act = Activity.objects.filter(pk=OuterRef("fact_id")).order_by()

    def of(kind: str, rows: QuerySet[Any], column: str) -> Case:
        return Case(When(fact_kind=kind, then=Subquery(rows.values(column)[:1])))

    return (
        ScoreEntry.objects.filter(model=model, visitor_id=visitor_id)
        .exclude(fact_kind=FIT)
        .annotate(
            page=of(VIEW, view, "tracked_page__title"),
            page_url=of(VIEW, view, "tracked_page__url"),
            act=of(ACTIVITY, act, "kind"),
            act_data=of(ACTIVITY, act, "data"),
        )
        .order_by("-at", "-pk")[:count]
    )


def _row(entry: Any, rules: Mapping[int, ScoringRule], model: ScoringModel, now: datetime) -> Row:
    points = decay.decayed(entry.points, entry.at, now=now, half_life_days=model.half_life_days)
    return Row(
        rules[entry.rule_id],
        entry.fact_kind,
        entry.fact_id,
        entry.at,
        entry.points,
        points,
        page=entry.page or entry.page_url or "",
        act=entry.act or "",
        act_data=entry.act_data or {},
    )


def _shares(sums: Iterable[_Sum]) -> list[Share]:
    """By rule, over all kinds of facts and all days, the largest contribution first."""
    by_rule: dict[int, list[_Sum]] = {}
    for each in sums:
        by_rule.setdefault(each.rule.pk, []).append(each)
    shares = [
        Share(
            rule=mine[0].rule,
            count=sum(each.count for each in mine),
            earned=sum(each.earned for each in mine),
            points=sum(each.worth for each in mine),
            last_at=max(each.last_at for each in mine),
        )
        for mine in by_rule.values()
    ]
    return sorted(shares, key=lambda share: (-abs(share.points), share.rule.pk))


def grade(standing: Standing, *, now: datetime) -> str:
    """``A1`` … ``D4``: the letter of the fit, the number of the current score."""
    score = current_score(standing, now=now)
    return standing.fit_grade + bands.engagement_grade(score, conf.ENGAGEMENT_GRADES)


def score_at(visitor_ids: Sequence[int], moment: datetime) -> dict[int, float]:
    """What these visitors' scores were at a past moment, by the rules of today (one statement).

    Caps and patterns award the earliest facts, so what was earned by then is a beginning of the
    ledger. Nobody's is below zero.
    """
    return {pk: values[0] for pk, values in _scores_at(visitor_ids, [moment]).items()}


def fit_at(visitor_ids: Sequence[int], moment: datetime) -> dict[int, float]:
    """What these visitors' fit was at a past moment, from what still holds and when it was first
    seen to hold (one statement)."""
    found = dict.fromkeys(visitor_ids, bands.NEUTRAL_FIT)
    rows = ScoreEntry.objects.filter(model__is_current=True, visitor_id__in=visitor_ids, fact_kind=FIT)
    for visitor_id, points in rows.filter(at__lte=moment).values_list("visitor_id", "points"):
        found[visitor_id] += points
    return found


def histories(
    visitor_ids: Sequence[int], *, now: datetime, days: int = 90, points: int = 16
) -> dict[int, list[float]]:
    """The scores of these visitors over the last days, for sparklines (one statement).

    :returns: visitor id → ``points`` values, evenly spread from ``days`` ago to now.
    """
    step = timedelta(days=days) / (points - 1)
    return _scores_at(visitor_ids, [now - step * (points - 1 - number) for number in range(points)])


def _scores_at(visitor_ids: Sequence[int], moments: Sequence[datetime]) -> dict[int, list[float]]:
    model = in_force()
    found = {pk: [0.0] * len(moments) for pk in visitor_ids}
    if model is None:
        return found
    entries = ScoreEntry.objects.filter(model=model, visitor_id__in=visitor_ids).exclude(fact_kind=FIT)
    half_life = model.half_life_days
    for visitor_id, points, at in entries.values_list("visitor_id", "points", "at"):
        scores = found[visitor_id]
        for place, moment in enumerate(moments):
            if at <= moment:
                scores[place] += decay.decayed(points, at, now=moment, half_life_days=half_life)
    return {pk: [max(0.0, score) for score in scores] for pk, scores in found.items()}


@dataclass(frozen=True)
class TopicInterest:
    """How much somebody cares for a topic. ``weight`` is 0–100, comparable between people."""

    topic: Topic
    weight: float
    view_count: int
    last_at: datetime

    @property
    def level(self) -> str:
        """For charts and words: none, weak, strong or now."""
        return interests.level_of(interests.evidence_of(min(self.weight, 99.999)))


@dataclass(frozen=True)
class Interests:
    """What somebody is interested in, and what they worry about; the largest weight first."""

    products: list[TopicInterest]
    concerns: list[TopicInterest]

    @property
    def concentration(self) -> float:
        """The share of the first product among all, 0–1."""
        return interests.concentration([each.weight for each in self.products])

    @property
    def is_focused(self) -> bool:
        """Whether it is one product they want rather than several they look at."""
        return bool(self.products) and self.concentration >= FOCUSED


# One product has at least this share: "single", else "several".
FOCUSED = 0.6
# Below this weight an interest has faded away.
LEAST_WEIGHT = 1.0


def weight_at(interest: Interest, model: ScoringModel, *, now: datetime) -> float:
    """The 0–100 of a stored interest at ``now``."""
    evidence = decay.value_at(
        interest.evidence_sum, now=now, epoch=model.epoch, half_life_days=model.half_life_days
    )
    return interests.shown_weight(evidence)


def interests_of(
    visitor_ids: Sequence[int], *, now: datetime, model: ScoringModel | None = None
) -> dict[int, Interests]:
    """What these visitors are interested in (two statements; one with the model in force)."""
    found = {pk: Interests([], []) for pk in visitor_ids}
    model = model or in_force()
    if model is None:
        return found
    rows = Interest.objects.filter(model=model, visitor_id__in=visitor_ids).select_related("topic")
    for row in rows.order_by("-evidence_sum", "topic_id"):
        weight = weight_at(row, model, now=now)
        if weight >= LEAST_WEIGHT:
            mine = found[row.visitor_id]
            listed = mine.products if row.topic.kind == Topic.Kind.PRODUCT else mine.concerns
            listed.append(TopicInterest(row.topic, weight, row.view_count, row.last_at))
    return found


@dataclass(frozen=True)
class Temperature:
    """Buying intent and gathering of information: the evidence, and none/weak/strong/now."""

    intent: float
    research: float

    @property
    def intent_level(self) -> str:
        """How near to buying."""
        return interests.level_of(self.intent)

    @property
    def research_level(self) -> str:
        """How eager to know."""
        return interests.level_of(self.research)


def temperature(standing: Standing, *, now: datetime) -> Temperature:
    """Both temperatures of a standing at ``now``; load it with ``select_related("model")``."""
    model = standing.model
    intent, research = (
        decay.value_at(value, now=now, epoch=model.epoch, half_life_days=model.half_life_days)
        for value in (standing.intent_sum, standing.research_sum)
    )
    return Temperature(intent, research)
