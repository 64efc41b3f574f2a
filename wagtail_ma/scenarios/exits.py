"""Leaving before the end: the goal is reached, or somebody is in the segment that ends the scenario."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from wagtail_ma.personalisation import goals
from wagtail_ma.scenarios.kinds import step_kinds
from wagtail_ma.scenarios.models import Enrolment
from wagtail_ma.scenarios.plan import Flow
from wagtail_ma.segments.models import Membership


def leave(enrolments: Sequence[Enrolment], *, now: datetime) -> None:
    """Set those of these enrolments to left who have reached the goal since they entered, or are in the
    exit segment. Two statements per scenario at most; nothing is saved.

    :param enrolments: active ones, with their scenario and its goal.
    """
    by_scenario: dict[int, list[Enrolment]] = defaultdict(list)
    for enrolment in enrolments:
        by_scenario[enrolment.scenario_id].append(enrolment)
    for some in by_scenario.values():
        scenario = some[0].scenario
        reached = (
            goals.reached(scenario.goal, {each.visitor_id: each.entered_at for each in some})
            if scenario.goal
            else {}
        )
        ended: set[int] = set()
        if scenario.exit_segment_id:
            members = Membership.objects.filter(
                segment_id=scenario.exit_segment_id, visitor_id__in=[each.visitor_id for each in some]
            )
            ended = set(members.values_list("visitor_id", flat=True))
        for enrolment in some:
            if enrolment.visitor_id in reached:
                enrolment.goal_at = reached[enrolment.visitor_id]
                _out(enrolment, "goal", now)
            elif enrolment.visitor_id in ended:
                _out(enrolment, "exit_segment", now)


def abandon(enrolment: Enrolment, flow: Flow, *, now: datetime) -> None:
    """End what lasts while somebody is at their step (an offer on the site)."""
    step = flow.steps.get(enrolment.step_id)
    kind = step_kinds.get(step.kind) if step else None
    if step is not None and kind is not None:
        kind.abandon(enrolment, step.params, now=now)


def _out(enrolment: Enrolment, reason: str, now: datetime) -> None:
    enrolment.status = Enrolment.Status.EXITED
    enrolment.left_at = now
    enrolment.left_reason = reason
    enrolment.is_listening = False
