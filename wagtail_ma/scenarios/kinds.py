"""What a kind of step is, and the registry of them: a public extension point.

A host project registers its own in ``wagtail_ma_plugins.py``::

    from wagtail_ma.scenarios.kinds import Role, StepKind, step_kinds

    class NotifySales(StepKind):
        key, label, icon, role = "notify_sales", "Tell sales", "mail", Role.ACT

        def perform(self, context):
            ...
            return "told"

    step_kinds.register(NotifySales.key, NotifySales())
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.utils.functional import Promise

from wagtail_ma.core.registry import Registry

if TYPE_CHECKING:
    from wagtail.blocks import Block

    from wagtail_ma.scenarios.models import Enrolment, StepRun
    from wagtail_ma.scenarios.plan import Flow, Step

T = TypeVar("T")

# What ``perform`` returns when the answer may still come; the step then waits at most
# ``duration`` and is asked again whenever the person does something.
NOT_YET = "not-yet"


class Role(Enum):
    """How the planner treats a step."""

    WAIT = "wait"
    ACT = "act"
    END = "end"
    # Goes on at the step with the id in ``params["target"]``, in a new round.
    GO_TO = "go_to"


@dataclass(frozen=True)
class Context:
    """What a step may look at and act on while it is performed, inside a transaction."""

    enrolment: Enrolment
    step: Step
    flow: Flow
    now: datetime
    # The steps this person has just taken, not written yet.
    runs: Sequence[StepRun] = ()
    # Kept for the transaction: what all who are moved in it need is looked up once.
    shared: dict[Any, Any] = field(default_factory=dict)

    def once(self, key: Any, look_up: Callable[[], T]) -> T:
        """What :attr:`shared` keeps under this key; looked up by whoever asks first."""
        if key not in self.shared:
            self.shared[key] = look_up()
        found: T = self.shared[key]
        return found

    @property
    def occurrence(self) -> str:
        """Names this execution and no other: whatever a step creates is unique by it."""
        return self.occurrence_of(self.step.id, self.enrolment.round)

    def occurrence_of(self, step_id: str, number: int) -> str:
        """The occurrence of an earlier step, in the round of this number."""
        return f"enrolment:{self.enrolment.pk}:{step_id}:{number}"

    def run_of(self, step_id: str) -> StepRun | None:
        """When and how this person passed an earlier step last, None if they did not."""
        for run in reversed(self.runs):
            if run.step_id == step_id:
                return run
        return self.enrolment.runs.filter(step_id=step_id).order_by("-round").first()


class StepKind:
    """One kind of step. Subclass, then ``step_kinds.register(key, instance)``.

    ``exits`` names the branches an editor fills under the step; the outcome of ``perform`` picks
    one of them, any other outcome goes on below.
    """

    key: ClassVar[str]
    label: ClassVar[str | Promise]
    icon: ClassVar[str] = "cog"
    role: ClassVar[Role] = Role.ACT
    exits: ClassVar[dict[str, str | Promise]] = {}
    # Of a kind that ends the scenario: it counts as the goal reached.
    is_goal: ClassVar[bool] = False
    # The outcome when the answer has not come in time.
    late_outcome: ClassVar[str] = "no"
    # What the editor shows of a folded step, e.g. "{amount} {unit}"; empty: its first answer.
    label_format: ClassVar[str] = ""
    # Outcomes in words, for people.
    outcomes: ClassVar[dict[str, str | Promise]] = {}

    def fields(self) -> list[tuple[str, Block]]:
        """The questions an editor answers, as (name, block)."""
        return []

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The editor's answers as JSON for the published version (ids instead of objects).

        :param earlier: the steps that everybody who comes here has passed, as published.
        """
        return {name: value.get(name) for name, _block in self.fields()}

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        """Why a step with these answers cannot run, in words; empty when it can."""
        return []

    def describe(self, params: Mapping[str, Any]) -> str:
        """The step in a few words, for the diagram."""
        return str(self.label)

    def duration(self, params: Mapping[str, Any]) -> timedelta:
        """How long a waiting step waits, at most."""
        return timedelta(0)

    def until(self, params: Mapping[str, Any], entered_at: datetime) -> datetime:
        """When a step of the role WAIT is over, for somebody who came to it at ``entered_at``."""
        return entered_at + self.duration(params)

    def ask_again_at(self, context: Context) -> datetime | None:
        """When a step that had no answer yet has to be asked again, though nothing happens before; None:
        when its duration is over."""
        return None

    def abandon(self, enrolment: Enrolment, params: Mapping[str, Any], *, now: datetime) -> None:
        """Undo what lasts while somebody is at this step: they leave the scenario here."""

    def perform(self, context: Context) -> str:
        """Do the step and return its outcome (a short word, kept in the step run).

        Runs in the transaction that moves the person on; a crash undoes both. Must not talk to
        the outside world: queue what has to go out, unique by ``context.occurrence``. An
        exception is shown in the admin and tried again later.
        """
        raise NotImplementedError


step_kinds: Registry[StepKind] = Registry("step kinds")
