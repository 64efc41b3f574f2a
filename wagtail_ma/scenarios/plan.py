"""What comes next in a scenario: pure, without database or clock.

A published definition is a tree of steps as the editor shows it; :func:`flow_of` links it into a
graph; :func:`next_move` says what to do at one place of it. The runner asks, acts, and asks again
with the answer, so a whole scenario can be walked in a test with a stepped clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.scenarios.kinds import NOT_YET, Role, step_kinds


class BrokenStep(MarketingError):
    """The definition names a step or a kind of step that does not exist (any more)."""


@dataclass(frozen=True)
class Step:
    """One step of a flow. ``exits`` names the branches; ``next`` is where all others go on
    (None: the scenario is over)."""

    id: str
    kind: str
    params: Mapping[str, Any]
    next: str | None
    exits: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Flow:
    """A definition as a graph: steps by id, and the first one."""

    start: str | None
    steps: Mapping[str, Step]


@dataclass(frozen=True)
class Wait:
    """Stay at this step until then; with ``is_listening`` news may end it earlier."""

    until: datetime
    is_listening: bool = False


@dataclass(frozen=True)
class Perform:
    """Do this step, then ask again with its outcome as the answer."""

    step: Step


@dataclass(frozen=True)
class Go:
    """This step is over, with this outcome; go on to another. A jump begins a new round: steps may
    be taken again."""

    step_id: str
    outcome: str
    is_jump: bool = False


@dataclass(frozen=True)
class Finish:
    """This step is over, with this outcome, and so is the scenario; as a success, where a step says so."""

    outcome: str
    is_goal: bool = False


Move = Wait | Perform | Go | Finish


def flow_of(tree: Sequence[Mapping[str, Any]]) -> Flow:
    """Link a tree of steps: the end of a branch goes on after the branching step.

    :param tree: ``[{"id", "kind", "params", "branches": {name: tree}}, …]``.
    """
    steps: dict[str, Step] = {}
    return Flow(start=_link(tree, None, steps), steps=steps)


def _link(tree: Sequence[Mapping[str, Any]], after: str | None, steps: dict[str, Step]) -> str | None:
    """Add the steps of ``tree``; what follows them is ``after``. Returns the first one's id."""
    following = after
    for raw in reversed(tree):
        steps[raw["id"]] = Step(
            id=raw["id"],
            kind=raw["kind"],
            params=raw.get("params", {}),
            next=following,
            exits={name: _link(branch, following, steps) for name, branch in raw.get("branches", {}).items()},
        )
        following = raw["id"]
    return following


def next_move(
    flow: Flow, step_id: str, *, entered_at: datetime, now: datetime, answer: str | None = None
) -> Move:
    """What to do for somebody who is at ``step_id`` since ``entered_at``.

    :param answer: the outcome of performing the step, None when it was not performed yet.
    :raises BrokenStep: the step or its kind is unknown.
    """
    step = flow.steps.get(step_id)
    kind = step_kinds.get(step.kind) if step else None
    if step is None or kind is None:
        raise BrokenStep(f"unknown step {step_id!r}" if step is None else f"unknown kind {step.kind!r}")
    if kind.role is Role.END:
        return Finish("goal" if kind.is_goal else "ended", kind.is_goal)
    if kind.role is Role.GO_TO:
        return Go(str(step.params["target"]), "went", is_jump=True)
    if kind.role is Role.WAIT:
        until = kind.until(step.params, entered_at)
        return Wait(until) if now < until else _after(step, "waited")
    if answer is None:
        return Perform(step)
    if answer == NOT_YET:
        until = entered_at + kind.duration(step.params)
        if now < until:
            return Wait(until, is_listening=True)
        answer = kind.late_outcome
    return _after(step, answer)


def _after(step: Step, outcome: str) -> Move:
    target = step.exits.get(outcome, step.next)
    return Finish(outcome) if target is None else Go(target, outcome)
