"""All that scoring looks at of some visitors, read in a handful of statements."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from wagtail_ma.conf import conf
from wagtail_ma.scoring import occurrences
from wagtail_ma.scoring.ledger import ACTIVITY, VIEW, VISIT, Carried, Counted, Fact
from wagtail_ma.scoring.models import CarriedCounts, CarriedPoints, ScoringRule
from wagtail_ma.tracking import pages
from wagtail_ma.tracking.models import Activity, PageView, TrackedPage, Visit


@dataclass
class Seen:
    """What lists show of one visitor, counted without bots."""

    view_count: int = 0
    visit_count: int = 0
    engaged_seconds: float = 0.0
    last_seen_at: datetime | None = None
    bot_visit_count: int = 0
    # When pages were viewed and things done.
    actions: list[datetime] = field(default_factory=list)

    @property
    def active_at(self) -> datetime | None:
        """When the last but so many actions happened that an active prospect needs: whoever did
        enough within some days has this moment within them. None: there were fewer in all."""
        count = conf.ACTIVE_ACTIONS
        return heapq.nlargest(count, self.actions)[-1] if len(self.actions) >= count else None

    def at(self, moment: datetime) -> None:
        """Note a sign of life."""
        if self.last_seen_at is None or moment > self.last_seen_at:
            self.last_seen_at = moment

    @property
    def is_bot(self) -> bool:
        """Whether nobody but robots was seen."""
        return self.bot_visit_count > 0 and self.last_seen_at is None


@dataclass(frozen=True)
class Labels:
    """Class (its key) and topics of the tracked pages among the facts."""

    class_ids: dict[int, int | None]
    class_keys: dict[int, str]
    topic_ids: dict[int, list[int]]


@dataclass
class History:
    """The facts of some visitors."""

    facts: list[Fact] = field(default_factory=list)
    carried: list[Carried] = field(default_factory=list)
    # visitor → the moment of the last fact that retention has deleted
    lost_until: dict[int, datetime] = field(default_factory=dict)
    seen: dict[int, Seen] = field(default_factory=dict)
    labels: Labels = field(default_factory=lambda: Labels({}, {}, {}))


@dataclass
class _Visits:
    """The human visits of the chunk: what facts inherit from theirs."""

    mediums: dict[int, str] = field(default_factory=dict)
    # visitor → (started_at, id) of the first
    first: dict[int, tuple[datetime, int]] = field(default_factory=dict)


def read(named_at: dict[int, datetime | None]) -> History:
    """The facts of these visitors, without those of bots.

    :param named_at: visitor id → when the name became known, or None.
    """
    ids = list(named_at)
    history = History(seen={pk: Seen() for pk in ids})
    visits = _read_visits(ids, named_at, history)
    _read_views(ids, named_at, visits, history)
    _read_activities(ids, named_at, visits, history)
    _read_carried(ids, history)
    touched = {fact.tracked_page_id for fact in history.facts if fact.tracked_page_id is not None}
    history.labels = _read_labels(touched)
    return history


def _is_named(named_at: datetime | None, at: datetime) -> bool:
    return named_at is not None and named_at <= at


def _read_visits(ids: list[int], named_at: dict[int, datetime | None], history: History) -> _Visits:
    rows = (
        Visit.objects.filter(visitor_id__in=ids)
        .order_by("started_at", "pk")
        .values_list("pk", "visitor_id", "started_at", "last_at", "landing_id", "is_bot", "medium")
    )
    visits = _Visits()
    ended: dict[int, datetime] = {}
    for pk, visitor_id, started_at, last_at, landing_id, is_bot, medium in rows:
        seen = history.seen[visitor_id]
        if is_bot:
            seen.bot_visit_count += 1
            continue
        seen.visit_count += 1
        seen.at(last_at)
        visits.mediums[pk] = medium
        visits.first.setdefault(visitor_id, (started_at, pk))
        before = ended.get(visitor_id)
        ended[visitor_id] = last_at if before is None else max(before, last_at)
        history.facts.append(
            Fact(
                VISIT,
                pk,
                visitor_id,
                started_at,
                landing_id,
                visit_id=pk,
                medium=medium,
                is_named=_is_named(named_at[visitor_id], started_at),
                is_returning=before is not None,
                silence=None if before is None else started_at - before,
            )
        )
    return visits


def _read_views(
    ids: list[int], named_at: dict[int, datetime | None], visits: _Visits, history: History
) -> None:
    rows = PageView.objects.filter(visitor_id__in=ids).values_list(
        "pk", "visitor_id", "at", "tracked_page_id", "engaged_seconds", "visit_id"
    )
    for pk, visitor_id, at, tracked_page_id, seconds, visit_id in rows:
        medium = visits.mediums.get(visit_id)
        if medium is None:
            # The visit of a bot.
            continue
        seen = history.seen[visitor_id]
        seen.view_count += 1
        seen.engaged_seconds += seconds
        seen.at(at)
        seen.actions.append(at)
        history.facts.append(
            Fact(
                VIEW,
                pk,
                visitor_id,
                at,
                tracked_page_id,
                engaged_seconds=seconds,
                visit_id=visit_id,
                medium=medium,
                is_named=_is_named(named_at[visitor_id], at),
                is_returning=visits.first[visitor_id][1] != visit_id,
            )
        )


def _read_activities(
    ids: list[int], named_at: dict[int, datetime | None], visits: _Visits, history: History
) -> None:
    rows = Activity.objects.filter(visitor_id__in=ids).values_list(
        "pk",
        "visitor_id",
        "at",
        "tracked_page_id",
        "kind",
        "object_kind",
        "object_key",
        "visit_id",
        "data__is_machine",
    )
    for pk, visitor_id, at, page_id, kind, object_kind, object_key, visit_id, is_machine in rows:
        if is_machine or (visit_id is not None and visit_id not in visits.mediums):
            continue
        history.seen[visitor_id].at(at)
        history.seen[visitor_id].actions.append(at)
        first = visits.first.get(visitor_id)
        history.facts.append(
            Fact(
                ACTIVITY,
                pk,
                visitor_id,
                at,
                page_id,
                activity_kind=kind,
                activity_object=f"{object_kind}:{object_key}" if object_kind else "",
                visit_id=visit_id,
                medium=visits.mediums.get(visit_id, "") if visit_id else "",
                is_named=_is_named(named_at[visitor_id], at),
                is_returning=first is not None
                and (first[1] != visit_id if visit_id is not None else first[0] < at),
            )
        )


def _read_carried(ids: list[int], history: History) -> None:
    """What is left of facts that retention has deleted."""
    counts = CarriedCounts.objects.filter(visitor_id__in=ids)
    for row in counts:
        seen = history.seen[row.visitor_id]
        seen.visit_count += row.visit_count
        seen.view_count += row.view_count
        seen.engaged_seconds += row.engaged_seconds
        seen.at(row.last_seen_at)
        before = history.lost_until.get(row.visitor_id, row.last_seen_at)
        history.lost_until[row.visitor_id] = max(before, row.last_seen_at)
    points = CarriedPoints.objects.filter(visitor_id__in=ids).values_list(
        "pk", "rule_id", "visitor_id", "points", "at", "count", "last_day", "last_day_count"
    )
    history.carried.extend(Carried(*row) for row in points)


def _read_labels(touched: set[int]) -> Labels:
    """Two statements."""
    classes = TrackedPage.objects.filter(pk__in=touched).values_list("pk", "page_class_id", "page_class__key")
    class_ids: dict[int, int | None] = {}
    class_keys: dict[int, str] = {}
    for pk, class_id, key in classes:
        class_ids[pk], class_keys[pk] = class_id, key or ""
    topics: dict[int, list[int]] = defaultdict(list)
    through = TrackedPage.topics.through
    for page_id, topic_id in through.objects.filter(trackedpage_id__in=touched).values_list(
        "trackedpage_id", "topic_id"
    ):
        topics[page_id].append(topic_id)
    return Labels(class_ids, class_keys, dict(topics))


def counted(rules: Iterable[ScoringRule], history: History) -> list[Counted]:
    """These rules, each with the tracked pages among the facts that count for it; patterns of conditions
    with what completes them."""
    rules = list(rules)
    patterns = [rule for rule in rules if rule.kind == ScoringRule.Kind.PATTERN]
    rules = [rule for rule in rules if rule.kind != ScoringRule.Kind.PATTERN]
    labels = history.labels
    # From the topmost page down, by the key of the page (two statements if any rule names one).
    keys = {rule.page_key for rule in rules if rule.page_key and not rule.is_page_alone}
    below = pages.pages_within(keys, labels.class_ids)
    keys_alone = {rule.page_key for rule in rules if rule.page_key and rule.is_page_alone}
    alone: dict[object, set[int]] = defaultdict(set)
    if keys_alone:
        for pk, key in TrackedPage.objects.filter(
            pk__in=labels.class_ids, translation_key__in=keys_alone
        ).values_list("pk", "translation_key"):
            alone[key].add(pk)
    found = occurrences.counted(patterns, history.facts) if patterns else []
    for rule in rules:
        parts: list[set[int]] = []
        if rule.page_key:
            parts.append(alone[rule.page_key] if rule.is_page_alone else below[rule.page_key])
        if rule.page_class_id:
            parts.append({pk for pk, each in labels.class_ids.items() if each == rule.page_class_id})
        if rule.topic_id:
            parts.append({pk for pk, topics in labels.topic_ids.items() if rule.topic_id in topics})
        found.append(Counted(rule, frozenset(set.intersection(*parts)) if parts else None))
    return found
