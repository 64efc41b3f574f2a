"""Reading scenarios: who is where, and how it went."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, QuerySet

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

    @property
    def goal_percent(self) -> float:
        """Of those who entered, how many percent reached the goal while they were inside."""
        return 100 * self.reached / self.entered if self.entered else 0.0

    @property
    def entered(self) -> int:
        """All of them."""
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


def people(
    scenario: Scenario, *, step_id: str = "", passed: str = "", status: str = ""
) -> QuerySet[Enrolment]:
    """The enrolments behind a number, the latest first, with visitor and lead.

    :param step_id: only those who are at this step now.
    :param passed: only those for whom this step was executed.
    :param status: only those with this status, or :data:`GOAL`: those who reached the goal.
    """
    found = Enrolment.objects.filter(scenario=scenario)
    if step_id:
        found = found.filter(step_id=step_id, status=Status.ACTIVE)
    if passed:
        found = found.filter(runs__step_id=passed).distinct()
    if status == GOAL:
        found = found.filter(goal_at__isnull=False)
    elif status:
        found = found.filter(status=status)
    return found.select_related("visitor", "visitor__lead", "version").order_by("-entered_at", "-pk")
