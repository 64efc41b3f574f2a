"""From facts to entries and standings: what ``react`` calls.

One read per fact table for the whole chunk of visitors, the rules applied in memory
(:mod:`wagtail_ma.scoring.ledger`), one diff against the entries that are there. That is a handful
of statements however many rules exist; a statement per rule cost more to compile than the rule.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.scoring import decay
from wagtail_ma.scoring.current import models_to_write
from wagtail_ma.scoring.ledger import (
    ACTIVITY,
    VIEW,
    VISIT,
    Award,
    Carried,
    Counted,
    Fact,
    Key,
    earn,
    points_by_visitor,
)
from wagtail_ma.scoring.models import (
    CarriedCounts,
    CarriedPoints,
    ScoreEntry,
    ScoringModel,
    ScoringRule,
    Standing,
)
from wagtail_ma.tracking import pages
from wagtail_ma.tracking.models import Activity, PageView, Visit

COUNTERS = ("view_count", "visit_count", "engaged_seconds", "last_seen_at")
WRITE_BATCH = 500


@dataclass
class _Seen:
    """What lists show of one visitor, counted without bots."""

    view_count: int = 0
    visit_count: int = 0
    engaged_seconds: float = 0.0
    last_seen_at: datetime | None = None
    bot_visit_count: int = 0

    def at(self, moment: datetime) -> None:
        if self.last_seen_at is None or moment > self.last_seen_at:
            self.last_seen_at = moment

    @property
    def is_bot(self) -> bool:
        return self.bot_visit_count > 0 and self.last_seen_at is None


@dataclass
class _History:
    """All facts of some visitors that scoring looks at."""

    facts: list[Fact] = field(default_factory=list)
    carried: list[Carried] = field(default_factory=list)
    seen: dict[int, _Seen] = field(default_factory=dict)


def award(visitor_ids: Sequence[int], *, now: datetime) -> None:
    """Bring the entries and the standing of these visitors up to date with their facts.

    Repeatable: entries that are no longer earned go, missing ones come, the rest stays untouched.
    Visits of bots earn nothing; a visitor who is nothing but a bot, or who was merged into
    another, has no standing.

    :param visitor_ids: some 50 at a time, to keep the transaction short.
    """
    with transaction.atomic(savepoint=False):
        models = models_to_write(now)
        fill(visitor_ids, models)


def fill(visitor_ids: Sequence[int], models: Collection[ScoringModel]) -> None:
    """As :func:`award`, for given scoring models; needs a transaction."""
    named = _lock(visitor_ids)
    history = _read(list(named))
    earned = earn(
        _counted_rules(history.facts),
        history.facts,
        zone=timezone.get_default_timezone(),
        carried=history.carried,
    )
    shown = [pk for pk, has_lead in named.items() if has_lead or not history.seen[pk].is_bot]
    for model in models:
        _write_entries(model, visitor_ids, earned)
        _write_standings(model, visitor_ids, shown, earned, history)


def _lock(visitor_ids: Sequence[int]) -> dict[int, bool]:
    """Visitor id → has a lead, of those that are not merged away; locked against a second scorer
    and against a merge (in the order of ids; SQLite has one writer anyway)."""
    rows = (
        Visitor.objects.filter(pk__in=visitor_ids)
        .annotate(has_lead=Exists(Lead.objects.filter(visitor=OuterRef("pk"))))
        .order_by("pk")
        .select_for_update(no_key=True, of=("self",))
        .values_list("pk", "merged_into_id", "has_lead")
    )
    return {pk: has_lead for pk, merged_into_id, has_lead in rows if merged_into_id is None}


def _read(visitor_ids: list[int]) -> _History:
    history = _History(seen={pk: _Seen() for pk in visitor_ids})
    _read_visits(visitor_ids, history)
    _read_views(visitor_ids, history)
    _read_activities(visitor_ids, history)
    _read_carried(visitor_ids, history)
    return history


def _read_visits(visitor_ids: list[int], history: _History) -> None:
    rows = Visit.objects.filter(visitor_id__in=visitor_ids).values_list(
        "pk", "visitor_id", "started_at", "last_at", "landing_id", "is_bot"
    )
    for pk, visitor_id, started_at, last_at, landing_id, is_bot in rows:
        seen = history.seen[visitor_id]
        if is_bot:
            seen.bot_visit_count += 1
            continue
        seen.visit_count += 1
        seen.at(last_at)
        history.facts.append(Fact(VISIT, pk, visitor_id, started_at, landing_id))


def _read_views(visitor_ids: list[int], history: _History) -> None:
    rows = PageView.objects.filter(visitor_id__in=visitor_ids, visit__is_bot=False).values_list(
        "pk", "visitor_id", "at", "tracked_page_id", "engaged_seconds"
    )
    for pk, visitor_id, at, tracked_page_id, seconds in rows:
        seen = history.seen[visitor_id]
        seen.view_count += 1
        seen.engaged_seconds += seconds
        seen.at(at)
        history.facts.append(Fact(VIEW, pk, visitor_id, at, tracked_page_id, engaged_seconds=seconds))


def _read_activities(visitor_ids: list[int], history: _History) -> None:
    rows = Activity.objects.filter(visitor_id__in=visitor_ids).values_list(
        "pk", "visitor_id", "at", "tracked_page_id", "kind", "visit__is_bot", "data__is_machine"
    )
    for pk, visitor_id, at, tracked_page_id, kind, is_bot, is_machine in rows:
        if is_bot or is_machine:
            continue
        history.seen[visitor_id].at(at)
        history.facts.append(Fact(ACTIVITY, pk, visitor_id, at, tracked_page_id, activity_kind=kind))


def _read_carried(visitor_ids: list[int], history: _History) -> None:
    """What is left of facts that retention has deleted."""
    counts = CarriedCounts.objects.filter(visitor_id__in=visitor_ids)
    for row in counts:
        seen = history.seen[row.visitor_id]
        seen.visit_count += row.visit_count
        seen.view_count += row.view_count
        seen.engaged_seconds += row.engaged_seconds
        seen.at(row.last_seen_at)
    points = CarriedPoints.objects.filter(visitor_id__in=visitor_ids).values_list(
        "pk", "rule_id", "visitor_id", "points", "at", "count", "last_day", "last_day_count"
    )
    history.carried.extend(Carried(*row) for row in points)


def _counted_rules(facts: list[Fact]) -> list[Counted]:
    """The active rules; those for a page with the tracked pages among the facts that count."""
    touched = {fact.tracked_page_id for fact in facts if fact.tracked_page_id is not None}
    rules = list(ScoringRule.objects.filter(is_active=True).order_by("pk"))
    page_ids = pages.pages_within({rule.page_key for rule in rules if rule.page_key}, touched)
    return [Counted(rule, page_ids[rule.page_key] if rule.page_key else None) for rule in rules]


def _write_entries(model: ScoringModel, visitor_ids: Sequence[int], earned: dict[Key, Award]) -> None:
    """Make the visitors' entries those earned, touching only what differs."""
    present = ScoreEntry.objects.filter(model=model, visitor_id__in=visitor_ids).values_list(
        "pk", "rule_id", "fact_kind", "fact_id", "visitor_id", "points", "at"
    )
    unchanged: set[Key] = set()
    gone: list[int] = []
    for pk, rule_id, fact_kind, fact_id, visitor_id, points, at in present:
        key = Key(rule_id, fact_kind, fact_id)
        wanted = earned.get(key)
        if wanted is None:
            gone.append(pk)
        elif wanted == (visitor_id, points, at):
            unchanged.add(key)
    if gone:
        ScoreEntry.objects.filter(pk__in=gone).delete()
    # An entry of a fact that has just come from another visitor is still filed under that one.
    ScoreEntry.objects.bulk_create(
        [
            ScoreEntry(
                model=model,
                rule_id=key.rule_id,
                visitor_id=wanted.visitor_id,
                fact_kind=key.fact_kind,
                fact_id=key.fact_id,
                points=wanted.points,
                at=wanted.at,
            )
            for key, wanted in earned.items()
            if key not in unchanged
        ],
        batch_size=WRITE_BATCH,
        update_conflicts=True,
        unique_fields=["model", "rule", "fact_kind", "fact_id"],
        update_fields=["visitor", "points", "at"],
    )


def _write_standings(
    model: ScoringModel,
    visitor_ids: Sequence[int],
    shown: Sequence[int],
    earned: dict[Key, Award],
    history: _History,
) -> None:
    hidden = set(visitor_ids).difference(shown)
    if hidden:
        Standing.objects.filter(model=model, visitor_id__in=hidden).delete()
    points = points_by_visitor(earned)
    standings = []
    for pk in shown:
        mine = points.get(pk, [])
        forward = decay.forward_sum(mine, epoch=model.epoch, half_life_days=model.half_life_days)
        counters = {name: getattr(history.seen[pk], name) for name in COUNTERS}
        standings.append(
            Standing(
                model=model,
                visitor_id=pk,
                engagement_sum=forward,
                lifetime=sum(value for value, _at in mine),
                # Rank is S·w(fit); without a fit axis the weight is 1.
                rank=forward,
                **counters,
            )
        )
    Standing.objects.bulk_create(
        standings,
        batch_size=WRITE_BATCH,
        update_conflicts=True,
        unique_fields=["model", "visitor"],
        update_fields=["engagement_sum", "lifetime", "rank", *COUNTERS],
    )
