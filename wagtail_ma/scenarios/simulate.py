"""Walking one person through a scenario with a moved clock, to see what would happen. Nothing is kept.

The planner says what comes next, and each step is really performed, so that its answer is the real one; all
of it in a transaction that is undone at the end. (Steps must not talk to the outside world while they are
performed; see ``kinds.StepKind.perform``.) What the person might do on the way, such as click or come back,
nobody knows: nothing happens, unless whoever looks says what they do.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from wagtail_ma.core import business_time
from wagtail_ma.people.models import Visitor
from wagtail_ma.scenarios import reasons
from wagtail_ma.scenarios.exits import leave
from wagtail_ma.scenarios.holdout import share_of
from wagtail_ma.scenarios.kinds import NOT_YET, Context, StepKind, step_kinds
from wagtail_ma.scenarios.models import Enrolment, Scenario, ScenarioVersion, StepRun
from wagtail_ma.scenarios.plan import BrokenStep, Finish, Flow, Perform, Step, Wait, flow_of, next_move
from wagtail_ma.segments.models import Membership

# Enough for any scenario that somebody would want to read.
MOST_STEPS = 60
LONGEST = timedelta(days=3 * 366)


@dataclass(frozen=True)
class Event:
    """One step as it was taken.

    :param key: names this execution, to choose its outcome: step and round.
    :param came_at: when the person came to the step.
    :param at: when it was over.
    :param outcome: its code; ``words`` is the same for people, ``reason`` says why.
    :param ways: the outcomes that may be chosen, as (code, words): its branches.
    :param is_chosen: the outcome was chosen by whoever looks.
    """

    key: str
    title: str
    came_at: datetime
    at: datetime
    outcome: str
    words: str
    reason: str
    ways: list[tuple[str, str]] = field(default_factory=list)
    is_chosen: bool = False


@dataclass(frozen=True)
class Simulation:
    """The whole way, and how it ended."""

    events: list[Event]
    ending: str
    at: datetime


class _Undone(Exception):
    """Rolls everything back, and carries what was seen."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation


def simulate(
    scenario: Scenario,
    tree: Sequence[Mapping[str, Any]],
    visitor: Visitor | None,
    *,
    start: datetime,
    choices: Mapping[str, str] | None = None,
) -> Simulation:
    """Walk through these steps from ``start`` on, as fast as the clock can be moved.

    :param scenario: whose goal and exit count; saved, but it need not be published.
    :param tree: the steps, as published or as a draft has them (``publish.tree_of``).
    :param visitor: None: a newcomer of whom nothing is known.
    :param choices: outcome by :attr:`Event.key`; what is not chosen is as it really is.
    """
    try:
        with transaction.atomic():
            raise _Undone(_Walk(scenario, tree, visitor, start, choices or {}).play())
    except _Undone as undone:
        return undone.simulation


class _Walk:
    """One person on the way through; everything it writes is undone."""

    def __init__(
        self,
        scenario: Scenario,
        tree: Sequence[Mapping[str, Any]],
        visitor: Visitor | None,
        start: datetime,
        choices: Mapping[str, str],
    ) -> None:
        self.flow: Flow = flow_of(tree)
        self.start = self.now = start
        self.choices = choices
        self.events: list[Event] = []
        self.runs: list[StepRun] = []
        self.shared: dict[Any, Any] = {}
        visitor = visitor or Visitor.objects.create(first_seen_at=start)
        version = ScenarioVersion.objects.create(
            scenario=scenario, number=0, definition=list(tree), published_at=start
        )
        self.enrolment = Enrolment.objects.create(
            scenario=scenario,
            version=version,
            visitor=visitor,
            born_visitor=visitor,
            trigger=f"simulation:{uuid.uuid4().hex}",
            # For the table only: they may be inside already, and nobody is twice.
            status=Enrolment.Status.FINISHED,
            step_id=self.flow.start or "",
            due_at=start,
            entered_at=start,
            step_entered_at=start,
        )
        self.enrolment.status = Enrolment.Status.ACTIVE

    def play(self) -> Simulation:
        """Until it is over."""
        while self.flow.start and len(self.events) < MOST_STEPS and self.now - self.start < LONGEST:
            leave([self.enrolment], now=self.now)
            if self.enrolment.status != Enrolment.Status.ACTIVE:
                return self._end(reasons.label(self.enrolment.left_reason))
            try:
                with transaction.atomic():
                    is_over = self._move()
            except Exception as error:
                return self._end(_("The step fails: %(error)s") % {"error": self._why(error)})
            if is_over:
                return self._end(reasons.label(self.enrolment.left_reason))
        return self._end(_("It goes on; this is as far as can be seen here."))

    def _why(self, error: Exception) -> str:
        """What an editor can mend, where that is it; else what the program says."""
        step = self.flow.steps.get(self.enrolment.step_id)
        kind = step_kinds.get(step.kind) if step else None
        found = kind.problems(step.params) if kind is not None and step is not None else []
        return " ".join(found) or str(error)

    def _end(self, ending: str) -> Simulation:
        return Simulation(self.events, ending, self.now)

    def _move(self) -> bool:
        """The next move; whether it was the last."""
        enrolment = self.enrolment
        step = self.flow.steps[enrolment.step_id]
        key, answer, again_at = f"{step.id}:{enrolment.round}", None, None
        move = next_move(self.flow, step.id, entered_at=enrolment.step_entered_at, now=self.now)
        kind = step_kinds.get(step.kind)
        chosen = self.choices.get(key, "")
        if isinstance(move, Perform) and kind is not None:
            if chosen in kind.exits:
                answer = chosen
            else:
                chosen = ""
                context = Context(enrolment, step, self.flow, self.now, self.runs, self.shared)
                answer = kind.perform(context)
                again_at = kind.ask_again_at(context) if answer == NOT_YET else None
            move = next_move(
                self.flow, step.id, entered_at=enrolment.step_entered_at, now=self.now, answer=answer
            )
        if isinstance(move, Wait):
            self.now = min(move.until, again_at) if again_at else move.until
            return False
        if kind is None or isinstance(move, Perform):
            raise BrokenStep(f"step {step.id!r} gave no outcome")
        self._record(key, step, kind, move.outcome, is_late=answer == NOT_YET, is_chosen=bool(chosen))
        if isinstance(move, Finish):
            enrolment.left_reason = "goal" if move.is_goal else "completed"
            return True
        enrolment.step_id, enrolment.step_entered_at = move.step_id, self.now
        enrolment.round += move.is_jump
        return False

    def _record(
        self, key: str, step: Step, kind: StepKind, outcome: str, *, is_late: bool, is_chosen: bool
    ) -> None:
        enrolment = self.enrolment
        run = StepRun(
            enrolment=enrolment,
            step_id=step.id,
            round=enrolment.round,
            kind=step.kind,
            outcome=outcome,
            at=self.now,
        )
        self.runs.append(run)
        if is_chosen:
            reason = _("You said so.")
        elif is_late:
            reason = _("Nothing happened in time.")
        else:
            reason = explain(step, outcome, enrolment, now=self.now)
        self.events.append(
            Event(
                key=key,
                title=kind.describe(step.params),
                came_at=enrolment.step_entered_at,
                at=self.now,
                outcome=outcome,
                words=str(kind.outcomes.get(outcome, outcome)),
                reason=reason,
                ways=[(name, str(label)) for name, label in kind.exits.items()],
                is_chosen=is_chosen,
            )
        )


def explain(step: Step, outcome: str, enrolment: Enrolment, *, now: datetime) -> str:
    """Why a step came to this outcome, in words; "" where the outcome says it all."""
    if step.kind in ("branch", "wait_segment"):
        return _of_segment(step.params["segment_id"], enrolment.visitor_id)
    if step.kind == "split":
        share = share_of(enrolment.visitor.bucket, step.id)
        return _("By this person's own number, %(share).1f of 100.") % {"share": share}
    if step.kind == "wait_until":
        names = _holidays(step.params, enrolment.step_entered_at, now)
        return _("Passed over: %(days)s.") % {"days": ", ".join(names)} if names else ""
    return ""


def _of_segment(segment_id: int, visitor_id: int) -> str:
    member = Membership.objects.filter(segment_id=segment_id, visitor_id=visitor_id).first()
    if member is None:
        return _("Not in the segment.")
    since = date_format(timezone.localtime(member.entered_at), "SHORT_DATE_FORMAT")
    return _("In the segment since %(day)s.") % {"day": since}


def _holidays(params: Mapping[str, Any], since: datetime, until: datetime) -> list[str]:
    """The public holidays between two moments, by name."""
    day, last = timezone.localtime(since).date(), timezone.localtime(until).date()
    found: list[str] = []
    while day < last and len(found) < 10:
        name = business_time.holiday_name(day, params.get("country", ""))
        if name:
            found.append(f"{name} ({date_format(day, 'SHORT_DATE_FORMAT')})")
        day += timedelta(days=1)
    return found
