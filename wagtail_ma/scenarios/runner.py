"""Moving people through scenarios: guarded updates, each step executed exactly once.

One transaction takes the enrolments that are due (a guarded UPDATE, which holds their rows until
the end), performs their steps, writes one :class:`StepRun` per step (unique), and moves them on. A
crash anywhere undoes all of it; a repeated, overlapping or late call finds nothing to take. There
is no lock that one database knows and another does not.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.scenarios import band
from wagtail_ma.scenarios.exits import abandon, leave
from wagtail_ma.scenarios.kinds import NOT_YET, Context, step_kinds
from wagtail_ma.scenarios.models import Enrolment, Scenario, ScenarioVersion, StepRun, default_exits
from wagtail_ma.scenarios.plan import BrokenStep, Finish, Flow, Go, Perform, Wait, flow_of, next_move

ACTIVE = Enrolment.Status.ACTIVE

logger = logging.getLogger(__name__)

# Enrolments per transaction: keeps each one short.
BATCH = 50
# Steps one enrolment takes in one go; the rest follows in the next call.
MAX_STEPS = 20
BACK_OFF = (
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
)
# The attempt after the last back-off ends the enrolment as failed.
MAX_ATTEMPTS = len(BACK_OFF) + 1

STATE = (
    "status",
    "step_id",
    "round",
    "due_at",
    "is_listening",
    "attempts",
    "error",
    "step_entered_at",
    "left_at",
    "left_reason",
    "goal_at",
    "is_outside",
)


class LostRace(MarketingError):
    """Somebody else has taken one of these enrolments."""


def run_due(*, now: datetime, limit: int = 500) -> int:
    """Execute the steps that are due, oldest first.

    :param limit: at most so many enrolments in this call.
    :returns: how many steps were executed.
    """
    longest = list(_due(now).order_by("due_at", "pk").values_list("pk", "scenario__priority")[:limit])
    # Among these the more important first: who has had enough mails gets none of the others.
    due = [pk for pk, _priority in sorted(longest, key=lambda row: -row[1])]
    flows: dict[int, Flow] = {}
    done = 0
    for start in range(0, len(due), BATCH):
        done += _advance_batch(due[start : start + BATCH], flows, now=now)
    return done


def wake(visitor_ids: Sequence[int], *, now: datetime) -> int:
    """Make steps due now that wait for something these visitors may just have done.

    :returns: how many.
    """
    return (
        Enrolment.objects.filter(
            visitor_id__in=visitor_ids,
            status=Enrolment.Status.ACTIVE,
            due_at__gt=now,
            attempts=0,
        )
        .filter(
            Q(is_listening=True)
            | Q(
                scenario_id__in=Scenario.objects.filter(
                    Q(goal__isnull=False)
                    | Q(exit_segment__isnull=False)
                    # (Before each mail consent is asked for anyway.)
                    | (~Q(exits=[]) & ~Q(exits=default_exits()))
                    | band.HAS_BAND
                )
            )
        )
        .update(due_at=now, revision=F("revision") + 1)
    )


def _due(now: datetime) -> QuerySet[Enrolment]:
    """What may move now: active and due, in a scenario that is published and not paused."""
    resting = Scenario.objects.exclude(live=True, is_paused=False)
    return Enrolment.objects.filter(status=Enrolment.Status.ACTIVE, due_at__lte=now).exclude(
        scenario__in=resting
    )


def _advance_batch(ids: Sequence[int], flows: dict[int, Flow], *, now: datetime) -> int:
    """All together; one by one where somebody was quicker or a step fails."""
    try:
        return _advance(ids, flows, now=now)
    except LostRace:
        pass
    except Exception:
        logger.info("a batch of scenario steps failed; trying one by one", exc_info=True)
    return sum(_advance_one(pk, flows, now=now) for pk in ids)


def _advance_one(pk: int, flows: dict[int, Flow], *, now: datetime) -> int:
    try:
        return _advance([pk], flows, now=now)
    except LostRace:
        return 0
    except Exception as error:
        logger.exception("a scenario step failed for enrolment %s", pk)
        _put_off(pk, error, now=now)
        return 0


def _advance(ids: Sequence[int], flows: dict[int, Flow], *, now: datetime) -> int:
    """Move these enrolments as far as they go now, in one transaction.

    :raises LostRace: not all of them could be taken; nothing was done.
    """
    with transaction.atomic():
        taken = _due(now).filter(pk__in=ids).update(revision=F("revision") + 1)
        if taken != len(ids):
            raise LostRace(f"{taken} of {len(ids)}")
        # Read after the update: our rows now, nobody changes them before we commit.
        enrolments = list(
            Enrolment.objects.filter(pk__in=ids)
            .select_related("visitor", "visitor__lead", "scenario__goal", "scenario__band_scenario")
            .order_by("-scenario__priority", "pk")
        )
        _load_flows(enrolments, flows)
        shared: dict[Any, Any] = {}
        leave(enrolments, now=now)
        crossed = band.cross([each for each in enrolments if each.status == ACTIVE], flows, now=now)
        for enrolment in enrolments:
            if enrolment.status != Enrolment.Status.ACTIVE:
                abandon(enrolment, flows[enrolment.version_id], now=now)
        staying = [each for each in enrolments if each.status == Enrolment.Status.ACTIVE]
        runs = [run for enrolment in staying for run in _walk(enrolment, flows, shared, now=now)]
        runs = [*crossed, *runs]
        StepRun.objects.bulk_create(runs)
        _store(enrolments)
    return len(runs)


def _store(enrolments: Sequence[Enrolment]) -> None:
    """One UPDATE for all who came to the same state: after a batch that is most of them. (A
    ``bulk_update`` spells out each value of each row and takes five times as long.)"""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for enrolment in enrolments:
        state = tuple(getattr(enrolment, name) for name in STATE)
        groups.setdefault(state, []).append(enrolment.pk)
    for state, ids in groups.items():
        # Whom a step of somebody's in this batch has taken out stays out.
        still = Enrolment.objects.filter(pk__in=ids, status=Enrolment.Status.ACTIVE)
        still.update(**dict(zip(STATE, state, strict=True)))


def _load_flows(enrolments: Sequence[Enrolment], flows: dict[int, Flow]) -> None:
    missing = {enrolment.version_id for enrolment in enrolments}.difference(flows)
    for version in ScenarioVersion.objects.filter(pk__in=missing):
        flows[version.pk] = flow_of(version.definition)


def _walk(
    enrolment: Enrolment, flows: dict[int, Flow], shared: dict[Any, Any], *, now: datetime
) -> list[StepRun]:
    """Take one person's steps until one waits, the scenario is over, or it was enough for now."""
    flow = flows[enrolment.version_id]
    runs: list[StepRun] = []
    enrolment.attempts = 0
    enrolment.error = ""
    enrolment.is_listening = False
    while len(runs) < MAX_STEPS:
        answer: str | None = None
        again_at: datetime | None = None
        move = next_move(flow, enrolment.step_id, entered_at=enrolment.step_entered_at, now=now)
        if isinstance(move, Perform):
            kind = step_kinds.get(move.step.kind)
            if kind is None:
                raise BrokenStep(f"unknown kind {move.step.kind!r}")
            context = Context(enrolment, move.step, flow, now, runs, shared)
            answer = kind.perform(context)
            again_at = kind.ask_again_at(context) if answer == NOT_YET else None
            move = next_move(
                flow, enrolment.step_id, entered_at=enrolment.step_entered_at, now=now, answer=answer
            )
        if isinstance(move, Wait):
            enrolment.due_at = min(move.until, again_at) if again_at else move.until
            enrolment.is_listening = move.is_listening
            break
        if isinstance(move, Perform):
            raise BrokenStep(f"step {enrolment.step_id!r} gave no outcome")
        runs.append(_record(enrolment, flow, move.outcome, now=now))
        if not _move_on(enrolment, move, now=now):
            break
    return runs


def _record(enrolment: Enrolment, flow: Flow, outcome: str, *, now: datetime) -> StepRun:
    return StepRun(
        enrolment=enrolment,
        step_id=enrolment.step_id,
        round=enrolment.round,
        kind=flow.steps[enrolment.step_id].kind,
        outcome=outcome[:120],
        at=now,
    )


def _move_on(enrolment: Enrolment, move: Go | Finish, *, now: datetime) -> bool:
    """Leave the step. False when that was the last one."""
    if isinstance(move, Finish):
        enrolment.status = Enrolment.Status.FINISHED
        enrolment.goal_at = now if move.is_goal else enrolment.goal_at
        enrolment.left_at = now
        enrolment.left_reason = "completed"
        return False
    enrolment.step_id = move.step_id
    enrolment.round += move.is_jump
    enrolment.step_entered_at = now
    enrolment.due_at = now
    return True


def _put_off(pk: int, error: Exception, *, now: datetime) -> None:
    """Try again later; after the last attempt the enrolment ends as failed, with the reason."""
    enrolment = Enrolment.objects.get(pk=pk)
    attempts = enrolment.attempts + 1
    changes: dict[str, object] = {
        "attempts": attempts,
        "error": f"{type(error).__name__}: {error}"[:2000],
    }
    if attempts >= MAX_ATTEMPTS:
        changes |= {"status": Enrolment.Status.FAILED, "left_at": now, "left_reason": "failed"}
    else:
        changes["due_at"] = now + BACK_OFF[attempts - 1]
    # Guarded like everything else: whoever was quicker has decided.
    Enrolment.objects.filter(
        pk=pk, revision=enrolment.revision, status=Enrolment.Status.ACTIVE, due_at__lte=now
    ).update(**changes, revision=F("revision") + 1)
