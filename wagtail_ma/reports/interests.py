"""Who is interested in what, what made them so, and how warm everybody is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, IntegerField, QuerySet, Value, When

from wagtail_ma.scoring import decay, interests
from wagtail_ma.scoring import queries as scores
from wagtail_ma.scoring.ledger import ACTIVITY, VIEW, Fact
from wagtail_ma.scoring.models import LISTED, Interest, ScoringModel, Standing
from wagtail_ma.tracking.models import Activity, PageView, Topic

# Columns of the matrix.
MAX_TOPICS = 12
PAGES_SHOWN = 50


@dataclass(frozen=True)
class Cell:
    """One person's interest in one topic, 0–100."""

    topic: Topic
    weight: float


@dataclass
class Line:
    """One person of the matrix; ``focus``: the share of the first product, or None without any."""

    standing: Standing
    cells: list[Cell]
    focus: float | None
    is_focused: bool


def topics(kind: str) -> list[Topic]:
    """The topics of the matrix, in the order of lists."""
    return list(Topic.objects.filter(kind=kind).order_by("name")[:MAX_TOPICS])


def people(*, topic: Topic | None = None, named: bool | None = None) -> QuerySet[Any]:
    """Whom the matrix lists: by rank, or those interested in a topic, most first. By index both ways.

    :param named: True: only people with a name; False: only without; None: all.
    :returns: standings, or interests when a topic is given.
    """
    model = scores.in_force()
    if topic is None:
        standings = scores.ranked()
        return standings if named is None else standings.filter(is_named=named)
    rows = Interest.objects.filter(model=model, topic=topic, visitor__excluded_reason="")
    if named is not None:
        rows = rows.filter(visitor__lead__isnull=not named)
    return rows.order_by("-evidence_sum", "-visitor_id")


def lines(rows: Sequence[Standing | Interest], shown: Sequence[Topic], *, now: datetime) -> list[Line]:
    """The matrix for these rows of :func:`people` (at most three statements)."""
    ids = [row.visitor_id for row in rows]
    standings = {
        each.visitor_id: each
        for each in Standing.objects.filter(model__is_current=True, visitor_id__in=ids).select_related(
            "model", "visitor", "visitor__lead"
        )
    }
    found = scores.interests_of(ids, now=now)
    made = []
    for pk in ids:
        if pk not in standings:
            continue
        mine = found[pk]
        weights = {each.topic.pk: each.weight for each in (*mine.products, *mine.concerns)}
        made.append(
            Line(
                standing=standings[pk],
                cells=[Cell(topic, weights.get(topic.pk, 0.0)) for topic in shown],
                focus=mine.concentration if mine.products else None,
                is_focused=mine.is_focused,
            )
        )
    return made


@dataclass
class Cause:
    """A page that made somebody interested: how often, how long, and how much of it that is now."""

    title: str
    url: str
    view_count: int = 0
    act_count: int = 0
    engaged_seconds: float = 0.0
    evidence: float = 0.0
    last_at: datetime | None = None
    # Of the newest fact: where it stands in the timeline.
    anchor: str = ""


def causes(visitor_id: int, topic: Topic, *, now: datetime) -> list[Cause]:
    """The pages behind an interest, the largest part first (two statements)."""
    model = scores.in_force()
    half_life = model.half_life_days if model else 30
    found: dict[int, Cause] = {}
    views = PageView.objects.filter(
        visitor_id=visitor_id, tracked_page__topics=topic, visit__is_bot=False
    ).select_related("tracked_page")
    for view in views:
        fact = Fact(VIEW, view.pk, visitor_id, view.at, engaged_seconds=view.engaged_seconds)
        cause = _note(found, view.tracked_page, fact, half_life, now)
        cause.view_count += 1
        cause.engaged_seconds += view.engaged_seconds
    acts = Activity.objects.filter(visitor_id=visitor_id, tracked_page__topics=topic).exclude(
        visit__is_bot=True
    )
    for act in acts.select_related("tracked_page"):
        if act.data.get("is_machine"):
            continue
        fact = Fact(ACTIVITY, act.pk, visitor_id, act.at, activity_kind=act.kind)
        _note(found, act.tracked_page, fact, half_life, now).act_count += 1
    return sorted(found.values(), key=lambda cause: -cause.evidence)[:PAGES_SHOWN]


def _note(found: dict[int, Cause], page: Any, fact: Fact, half_life_days: float, now: datetime) -> Cause:
    cause = found.setdefault(page.pk, Cause(str(page), page.url))
    weight = interests.weight_of(fact)
    cause.evidence += decay.decayed(weight, fact.at, now=now, half_life_days=half_life_days)
    if cause.last_at is None or fact.at >= cause.last_at:
        cause.last_at = fact.at
        cause.anchor = f"{fact.kind}-{fact.id}"
    return cause


def distribution(*, now: datetime) -> dict[tuple[str, str], int]:
    """(buying intent, gathering of information) → how many people; levels as in
    ``interests.LEVELS``. One statement; excluded visitors are left out."""
    model = scores.in_force()
    if model is None:
        return {}
    standings = Standing.objects.filter(LISTED, model=model)
    rows = (
        standings.annotate(
            intent=_level("intent_sum", model, now), research=_level("research_sum", model, now)
        )
        .order_by()
        .values_list("intent", "research")
        .annotate(count=Count("pk"))
    )
    return {(interests.LEVELS[i], interests.LEVELS[r]): count for i, r, count in rows}


def _level(column: str, model: ScoringModel, now: datetime) -> Case:
    """The level of a stored temperature as its place in LEVELS."""
    whens = [
        When(
            **{
                f"{column}__gte": decay.forward_threshold(
                    threshold * (1 - 1e-9), now=now, epoch=model.epoch, half_life_days=model.half_life_days
                )
            },
            then=Value(interests.LEVELS.index(name)),
        )
        for name, threshold in reversed(interests.LEVEL_THRESHOLDS.items())
    ]
    return Case(*whens, default=Value(0), output_field=IntegerField())
