"""From facts to entries, standings and interests: what ``react`` calls.

One read per fact table for the whole chunk of visitors (:mod:`wagtail_ma.scoring.history`), the
rules applied in memory (:mod:`wagtail_ma.scoring.ledger`), one diff against the rows that are there.
That is a handful of statements however many rules exist; a statement per rule cost more to compile
than the rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from wagtail_ma.people.models import Visitor
from wagtail_ma.scoring import bands, decay, fit, given, interests, occurrences
from wagtail_ma.scoring.current import models_to_write
from wagtail_ma.scoring.history import History, counted, read
from wagtail_ma.scoring.ledger import FIT, Award, Key, earn, points_by_visitor
from wagtail_ma.scoring.models import Interest, ScoreEntry, ScoringModel, ScoringRule, Standing
from wagtail_ma.scoring.writing import upsert, write_entries

COUNTERS = ("view_count", "visit_count", "engaged_seconds", "last_seen_at", "active_at")
SCORES = ("engagement_sum", "lifetime", "fit", "fit_grade", "rank", "intent_sum", "research_sum")
# Copied from the visitor, see marks.py.
MARKS = ("is_excluded", "is_customer", "is_named")


def award(visitor_ids: Sequence[int], *, now: datetime) -> None:
    """Bring entries, standing and interests of these visitors up to date with their facts.

    Repeatable: entries that are no longer earned go, missing ones come, the rest stays untouched.
    Visits of bots earn nothing; a visitor who is nothing but a bot, or who was merged into
    another, has no standing.

    :param visitor_ids: some 50 at a time, to keep the transaction short.
    """
    with transaction.atomic(savepoint=False):
        fill(visitor_ids, models_to_write(now), now=now)


def fill(visitor_ids: Sequence[int], models: Collection[ScoringModel], *, now: datetime) -> None:
    """As :func:`award`, for given scoring models; needs a transaction."""
    people = _lock(visitor_ids)
    named_at = {pk: person.named_at for pk, person in people.items()}
    history = read(named_at)
    rules = list(ScoringRule.objects.filter(is_active=True).order_by("pk"))
    paying = counted((rule for rule in rules if not rule.is_fit), history)
    engagement = earn(
        paying,
        history.facts,
        zone=timezone.get_default_timezone(),
        carried=history.carried,
        lost_until=history.lost_until,
    )
    for each in paying:
        if each.rule.kind == ScoringRule.Kind.PATTERN:
            fit.note_broken(each.rule, each.broken)
    engagement |= given.earned(rules, visitor_ids)
    fit_rules = [rule for rule in rules if rule.is_fit]
    shown = [pk for pk, named in named_at.items() if named is not None or not history.seen[pk].is_bot]
    for model in models:
        kept = occurrences.kept(paying, visitor_ids, model)
        earned = {**engagement, **kept, **fit.earn(fit_rules, shown, model, now=now)}
        _write_entries(model, visitor_ids, earned)
        _write_standings(model, visitor_ids, {pk: people[pk] for pk in shown}, earned, history)
        _write_interests(model, visitor_ids, history)


class _Person(NamedTuple):
    """What a visitor says of themself; ``named_at``: when the name became known (None: anonymous)."""

    named_at: datetime | None
    is_excluded: bool
    is_customer: bool


def _lock(visitor_ids: Sequence[int]) -> dict[int, _Person]:
    """Those that are not merged away, locked against a second scorer and against a merge (in the
    order of ids; SQLite has one writer anyway)."""
    rows = (
        Visitor.objects.filter(pk__in=visitor_ids)
        .annotate(named_at=F("lead__created_at"))
        .order_by("pk")
        .select_for_update(no_key=True, of=("self",))
        .values_list("pk", "merged_into_id", "named_at", "excluded_reason", "is_customer")
    )
    return {
        pk: _Person(named_at, bool(reason), is_customer)
        for pk, merged_into_id, named_at, reason, is_customer in rows
        if merged_into_id is None
    }


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
    write_entries(model, {key: wanted for key, wanted in earned.items() if key not in unchanged})


def _write_standings(
    model: ScoringModel,
    visitor_ids: Sequence[int],
    shown: Mapping[int, _Person],
    earned: dict[Key, Award],
    history: History,
) -> None:
    hidden = set(visitor_ids).difference(shown)
    if hidden:
        Standing.objects.filter(model=model, visitor_id__in=hidden).delete()
    points = points_by_visitor(earned)
    fits: dict[int, float] = defaultdict(lambda: bands.NEUTRAL_FIT)
    for key, each in sorted(earned.items()):
        if key.fact_kind == FIT:
            fits[each.visitor_id] += each.points
    intent, research = interests.temperatures(history.facts, history.labels.class_keys)
    standings = []
    for pk, person in shown.items():
        mine = points.get(pk, [])
        forward = _forward(model, mine)
        grade = bands.fit_grade(fits[pk], model.fit_thresholds)
        seen = history.seen[pk]
        standings.append(
            (
                model.pk,
                pk,
                forward,
                float(sum(value for value, _at in mine)),
                fits[pk],
                grade,
                bands.rank(forward, grade, model.fit_weights),
                _forward(model, intent[pk].parts) if pk in intent else 0.0,
                _forward(model, research[pk].parts) if pk in research else 0.0,
                *(getattr(seen, name) for name in COUNTERS),
                person.is_excluded,
                person.is_customer,
                person.named_at is not None,
            )
        )
    columns = ("model_id", "visitor_id", *SCORES, *COUNTERS, *MARKS)
    upsert(Standing, columns, ("model_id", "visitor_id"), standings)


def _forward(model: ScoringModel, points: Sequence[tuple[float, datetime]]) -> float:
    return decay.forward_sum(points, epoch=model.epoch, half_life_days=model.half_life_days)


def _write_interests(model: ScoringModel, visitor_ids: Sequence[int], history: History) -> None:
    """Make the visitors' interests those of their facts, touching only what differs."""
    wanted = {
        key: (_forward(model, evidence.parts), evidence.view_count, evidence.last_at)
        for key, evidence in interests.by_topic(history.facts, history.labels.topic_ids).items()
    }
    present = Interest.objects.filter(model=model, visitor_id__in=visitor_ids).values_list(
        "pk", "visitor_id", "topic_id", "evidence_sum", "view_count", "last_at"
    )
    gone = []
    for pk, visitor_id, topic_id, *values in present:
        found = wanted.get((visitor_id, topic_id))
        if found is None:
            gone.append(pk)
        elif found == tuple(values):
            del wanted[visitor_id, topic_id]
    if gone:
        Interest.objects.filter(pk__in=gone).delete()
    upsert(
        Interest,
        ("model_id", "visitor_id", "topic_id", "evidence_sum", "view_count", "last_at"),
        ("model_id", "visitor_id", "topic_id"),
        [(model.pk, *key, *values) for key, values in wanted.items()],
    )
