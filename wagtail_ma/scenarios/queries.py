"""Reading scenarios: who is where, and how it went."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, QuerySet, Sum

from wagtail_ma.scenarios.models import Enrolment, Scenario, ScenarioVersion, StepRun

Status = Enrolment.Status
# Instead of a status: those who reached the goal.
GOAL = "goal"


@dataclass(frozen=True)
class Numbers:
    """How many entered a scenario, and what became of them."""

    active: int = 0
    finished: int = 0
    exited: int = 0
    failed: int = 0
    reached: int = 0
    # Beside the others: they never entered.
    held_out: int = 0

    @property
    def goal_percent(self) -> float:
        """Of those who entered, how many percent reached the goal while they were inside."""
        return 100 * self.reached / self.entered if self.entered else 0.0

    @property
    def entered(self) -> int:
        """All who did not only stand by for comparison."""
        return self.active + self.finished + self.exited + self.failed


def numbers(scenario: Scenario) -> Numbers:
    """Enrolments by status, and how many reached the goal (one statement)."""
    rows = (
        Enrolment.objects.filter(scenario=scenario)
        .values_list("status")
        .annotate(count=Count("pk"), reached=Count("goal_at"))
    )
    found = list(rows)
    counts = {status: count for status, count, _reached in found}
    return Numbers(**counts, reached=sum(reached for _status, _count, reached in found))


def stamp(scenario: Scenario) -> str:
    """A text that changes whenever somebody enters, moves or leaves (one statement): what an open page asks
    for every few seconds."""
    found = Enrolment.objects.filter(scenario=scenario).aggregate(
        people=Count("pk"), moves=Sum("revision"), reached=Count("goal_at")
    )
    return "-".join(str(value or 0) for value in found.values())


def latest_version(scenario: Scenario) -> ScenarioVersion | None:
    """The version that people enter now; None before the first publication."""
    return scenario.versions.order_by("-number").first()


def waiting(scenario: Scenario) -> dict[str, int]:
    """People now at each step, over all versions (a step keeps its id)."""
    rows = (
        Enrolment.objects.filter(scenario=scenario, status=Status.ACTIVE)
        .values_list("step_id")
        .annotate(count=Count("pk"))
    )
    return dict(rows)


def outcomes(scenario: Scenario) -> dict[str, dict[str, int]]:
    """By step: how often it was executed with which outcome, over all versions."""
    rows = (
        StepRun.objects.filter(enrolment__scenario=scenario)
        .values_list("step_id", "outcome")
        .annotate(count=Count("pk"))
    )
    found: dict[str, dict[str, int]] = {}
    for step_id, outcome, count in rows:
        found.setdefault(step_id, {})[outcome] = count
    return found


def stopped(scenario: Scenario) -> dict[str, int]:
    """By step: how many left the scenario while they were there, or failed at it, over all versions."""
    rows = (
        Enrolment.objects.filter(scenario=scenario, status__in=[Status.EXITED, Status.FAILED])
        .values_list("step_id")
        .annotate(count=Count("pk"))
    )
    return dict(rows)


def left_why(scenario: Scenario) -> list[tuple[str, int]]:
    """Why people left early, as (reason code, how many), the most frequent first."""
    rows = (
        Enrolment.objects.filter(scenario=scenario, status__in=[Status.EXITED, Status.FAILED])
        .values_list("left_reason")
        .annotate(count=Count("pk"))
        .order_by("-count", "left_reason")
    )
    return list(rows)


@dataclass(frozen=True)
class Choice:
    """Which of a scenario's people: those behind one number.

    :param step_id: only those who are at this step now.
    :param passed: only those for whom this step was executed; with ``outcome``: that way.
    :param gone: only those who left, or failed, at this step.
    :param status: only those with this status, or :data:`GOAL`: those who reached the goal.
    :param reason: only those who left for this reason.
    """

    step_id: str = ""
    passed: str = ""
    outcome: str = ""
    gone: str = ""
    status: str = ""
    reason: str = ""


def people(scenario: Scenario, choice: Choice) -> QuerySet[Enrolment]:
    """The enrolments behind a number, the latest first, with visitor and lead. Whoever is held out is among
    them only when asked for."""
    found = Enrolment.objects.filter(scenario=scenario)
    if choice.step_id:
        found = found.filter(step_id=choice.step_id, status=Status.ACTIVE)
    if choice.passed:
        runs = StepRun.objects.filter(enrolment=OuterRef("pk"), step_id=choice.passed)
        if choice.outcome:
            runs = runs.filter(outcome=choice.outcome)
        found = found.filter(Exists(runs))
    if choice.gone:
        found = found.filter(step_id=choice.gone, status__in=[Status.EXITED, Status.FAILED])
    if choice.reason:
        found = found.filter(left_reason=choice.reason)
    if choice.status == GOAL:
        found = found.filter(goal_at__isnull=False)
    elif choice.status:
        found = found.filter(status=choice.status)
    else:
        found = found.exclude(status=Status.HELD_OUT)
    return found.select_related("visitor", "visitor__lead", "version").order_by("-entered_at", "-pk")
