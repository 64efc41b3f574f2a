"""Who enters a scenario: what ``react`` calls for visitors with news.

Activities are found in the stored facts, so a repeated or late reaction finds the same ones;
changes of segments are reported once, in the transaction that stores them; those by a merge, its
undoing, another scoring or an import let in only where the scenario says so. The trigger
(``activity:17``, ``segment:3:<visitor>:<moment>``) is unique within a scenario, so each of them
lets in once, also after merges and their undoing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from wagtail_ma.people.models import Visitor
from wagtail_ma.scenarios import entry_dates, holdout
from wagtail_ma.scenarios.models import Enrolment, Scenario, ScenarioVersion
from wagtail_ma.scenarios.plan import flow_of
from wagtail_ma.scenarios.switch import take_out
from wagtail_ma.segments.causes import Change
from wagtail_ma.tracking.models import Activity

# Visitors per statement.
PORTION = 500
BY_SEGMENT = (Scenario.Entry.SEGMENT, Scenario.Entry.SEGMENT_LEFT, Scenario.Entry.RULE)


@dataclass(frozen=True)
class _Chance:
    """Something that lets a visitor in."""

    visitor_id: int
    at: datetime
    trigger: str


@dataclass
class _Past:
    """What a visitor has been through in one scenario."""

    is_inside: bool = False
    last_left_at: datetime | None = None


def enter(visitor_ids: Sequence[int], changes: Sequence[Change], *, now: datetime) -> int:
    """Let those of these visitors into scenarios whom an activity or a segment lets in.

    Only what happened since the scenario was published (or resumed) counts. At most one
    enrolment per visitor and scenario is active; visitors excluded by name or merged away do not
    enter.

    :param changes: what ``segments.refresh.refresh_visitors`` reported for them.
    :returns: how many entered.
    """
    scenarios = list(
        Scenario.objects.filter(live=True, is_paused=False, active_since__isnull=False)
        .select_related("own_segment", "date_field")
        .order_by("pk")
    )
    if not scenarios:
        return 0
    chances = {
        **_by_activity([s for s in scenarios if s.entry == Scenario.Entry.ACTIVITY], visitor_ids),
        **_by_segment([s for s in scenarios if s.entry in BY_SEGMENT], changes, now=now),
        **_by_date([s for s in scenarios if s.entry == Scenario.Entry.DATE], visitor_ids, now=now),
    }
    return _admit(scenarios, chances, visitor_ids, now=now)


def put_in(scenario: Scenario, visitor_ids: Sequence[int], *, reason: str, now: datetime) -> int:
    """Let these visitors into a running scenario by hand, by a step or from a list, under the same
    rules of who may enter (again).

    :param reason: names the occasion, at most 60 characters: each lets a visitor in once.
    :returns: how many entered; none where the scenario is not published, or paused.
    """
    if not scenario.live or scenario.is_paused:
        return 0
    chances = [_Chance(pk, now, f"{reason}:{pk}") for pk in visitor_ids]
    return _admit([scenario], {scenario.pk: chances}, visitor_ids, now=now)


def enter_by_date(*, now: datetime) -> int:
    """Once a day: let those in whose date has come.

    :returns: how many entered.
    """
    entered = 0
    for scenario, found, today in entry_dates.due(now=now):
        with transaction.atomic():
            for start in range(0, len(found), PORTION):
                portion = found[start : start + PORTION]
                chances = [_Chance(visitor_id, now, trigger) for visitor_id, trigger in portion]
                ids = [visitor_id for visitor_id, _trigger in portion]
                entered += _admit([scenario], {scenario.pk: chances}, ids, now=now)
            Scenario.objects.filter(pk=scenario.pk).update(swept_on=today)
    return entered


def _admit(
    scenarios: list[Scenario],
    chances: dict[int, list[_Chance]],
    visitor_ids: Sequence[int],
    *,
    now: datetime,
) -> int:
    """Let in who may enter; a scenario of higher priority first."""
    if not any(chances.values()):
        return 0
    welcome = set(
        Visitor.objects.filter(pk__in=visitor_ids, merged_into__isnull=True, excluded_reason="").values_list(
            "pk", flat=True
        )
    )
    pasts, used = _pasts(scenarios, visitor_ids), _used(chances)
    entered = 0
    for scenario in sorted(scenarios, key=lambda each: -each.priority):
        chosen: dict[int, _Chance] = {}
        for chance in sorted(chances.get(scenario.pk, []), key=lambda chance: (chance.at, chance.trigger)):
            past = pasts[scenario.pk, chance.visitor_id]
            is_new = chance.visitor_id in welcome and (scenario.pk, chance.trigger) not in used
            if is_new and _may_enter(scenario, past, chance):
                chosen.setdefault(chance.visitor_id, chance)
        for visitor_id in _held_by_group(scenario, list(chosen)):
            del chosen[visitor_id]
        entered += _enrol(scenario, list(chosen.values()), now=now)
    return entered


def _by_activity(scenarios: list[Scenario], visitor_ids: Sequence[int]) -> dict[int, list[_Chance]]:
    if not scenarios:
        return {}
    rows = Activity.objects.filter(
        visitor_id__in=visitor_ids,
        kind__in={scenario.activity_kind for scenario in scenarios},
        at__gte=min(filter(None, (scenario.active_since for scenario in scenarios))),
    ).values_list("pk", "visitor_id", "kind", "at", "visit__is_bot", "data__is_machine")
    human = [row[:4] for row in rows if not row[4] and not row[5]]
    return {
        scenario.pk: [
            _Chance(visitor_id, at, f"activity:{pk}")
            for pk, visitor_id, kind, at in human
            if kind == scenario.activity_kind and scenario.active_since and at >= scenario.active_since
        ]
        for scenario in scenarios
    }


def _by_segment(
    scenarios: list[Scenario], changes: Iterable[Change], *, now: datetime
) -> dict[int, list[_Chance]]:
    by_segment: dict[tuple[int | None, bool], list[Change]] = defaultdict(list)
    for change in changes:
        by_segment[change.segment_id, change.entered].append(change)
    return {
        scenario.pk: [
            _Chance(
                change.visitor_id, now, f"segment:{scenario.watched_id}:{change.visitor_id}:{now.isoformat()}"
            )
            for change in by_segment[scenario.watched_id, scenario.entry != Scenario.Entry.SEGMENT_LEFT]
            if not change.cause or change.cause in scenario.entry_causes
        ]
        for scenario in scenarios
        if not _is_new(scenario)
    }


def _is_new(scenario: Scenario) -> bool:
    """Whether nobody knows yet who fulfils its own conditions already: they would seem to enter."""
    own = scenario.own_segment if scenario.entry == Scenario.Entry.RULE else None
    return own is not None and own.refreshed_at is None


def _by_date(
    scenarios: list[Scenario], visitor_ids: Sequence[int], *, now: datetime
) -> dict[int, list[_Chance]]:
    return {
        scenario.pk: [
            _Chance(visitor_id, now, trigger)
            for visitor_id, trigger in entry_dates.due_today(scenario, visitor_ids)
        ]
        for scenario in scenarios
    }


def _pasts(scenarios: list[Scenario], visitor_ids: Sequence[int]) -> dict[tuple[int, int], _Past]:
    """By (scenario, visitor): what they have been through."""
    pasts: dict[tuple[int, int], _Past] = defaultdict(_Past)
    rows = Enrolment.objects.filter(visitor_id__in=visitor_ids, scenario__in=scenarios).values_list(
        "scenario_id", "visitor_id", "status", "left_at"
    )
    for scenario_id, visitor_id, status, left_at in rows:
        past = pasts[scenario_id, visitor_id]
        if status == Enrolment.Status.ACTIVE:
            past.is_inside = True
        elif left_at and (past.last_left_at is None or left_at > past.last_left_at):
            past.last_left_at = left_at
    return pasts


def _used(chances: dict[int, list[_Chance]]) -> set[tuple[int, str]]:
    """(scenario, trigger) of those chances that have let somebody in already."""
    triggers = {chance.trigger for each in chances.values() for chance in each}
    return set(
        Enrolment.objects.filter(scenario_id__in=chances, trigger__in=triggers).values_list(
            "scenario_id", "trigger"
        )
    )


def _may_enter(scenario: Scenario, past: _Past, chance: _Chance) -> bool:
    if past.is_inside:
        return False
    if past.last_left_at is None:
        return True
    if scenario.again == Scenario.Again.AFTER_DAYS:
        return chance.at >= past.last_left_at + timedelta(days=scenario.again_days)
    return scenario.again == Scenario.Again.EACH_TIME and chance.at > past.last_left_at


def _held_by_group(scenario: Scenario, visitor_ids: Sequence[int]) -> set[int]:
    """Those of these visitors whom another scenario of the group keeps, being of the same priority
    or higher."""
    if not scenario.group or not visitor_ids:
        return set()
    inside = Enrolment.objects.filter(
        visitor_id__in=visitor_ids,
        status=Enrolment.Status.ACTIVE,
        scenario__group=scenario.group,
        scenario__priority__gte=scenario.priority,
    )
    return set(inside.exclude(scenario=scenario).values_list("visitor_id", flat=True))


def _enrol(scenario: Scenario, chances: list[_Chance], *, now: datetime) -> int:
    if not chances:
        return 0
    version = ScenarioVersion.objects.filter(scenario=scenario).order_by("-number").first()
    start = flow_of(version.definition).start if version else None
    if version is None or start is None:
        return 0
    held_out = holdout.among(scenario, [chance.visitor_id for chance in chances])
    entering = [chance.visitor_id for chance in chances if chance.visitor_id not in held_out]
    if scenario.group:
        lower = Scenario.objects.filter(group=scenario.group, priority__lt=scenario.priority)
        for pk in lower.values_list("pk", flat=True):
            take_out(pk, entering, reason="gave_way", now=now)
    Enrolment.objects.bulk_create(
        [
            Enrolment(
                scenario=scenario,
                version=version,
                visitor_id=chance.visitor_id,
                born_visitor_id=chance.visitor_id,
                trigger=chance.trigger,
                step_id=start,
                due_at=now,
                entered_at=now,
                step_entered_at=now,
                **(holdout.state(now=now) if chance.visitor_id in held_out else {}),
            )
            for chance in chances
        ],
        # A second reaction at the same time: the unique keys decide.
        ignore_conflicts=True,
    )
    return len(entering)
