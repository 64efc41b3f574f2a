"""Leaving before the end: the goal is reached, somebody is in the segment that ends the scenario, or
something happened after which nobody wants to be in it (an unsubscription, an enquiry, a hand-over …)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from wagtail_ma.messaging.models import Consent
from wagtail_ma.people.models import Visitor
from wagtail_ma.personalisation import goals
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.sales.models import HotEntry
from wagtail_ma.scenarios.kinds import step_kinds
from wagtail_ma.scenarios.models import Enrolment, Scenario
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
                let_go(enrolment, "goal", now)
            elif enrolment.visitor_id in ended:
                let_go(enrolment, "exit_segment", now)
        _leave_by_events(scenario, [each for each in some if each.status == Enrolment.Status.ACTIVE], now)


def _leave_by_events(scenario: Scenario, enrolments: Sequence[Enrolment], now: datetime) -> None:
    """One statement for each kind of exit that the scenario has."""
    for kind, happened in _EVENTS.items():
        if kind not in scenario.exits or not enrolments:
            continue
        found = happened({each.visitor_id: each.entered_at for each in enrolments})
        for enrolment in enrolments:
            if enrolment.visitor_id in found and enrolment.status == Enrolment.Status.ACTIVE:
                let_go(enrolment, kind, now)


def _unsubscribed(since: Mapping[int, datetime]) -> set[int]:
    """Whose last word about mail since they entered was no."""
    words = Consent.objects.filter(visitor_id__in=since, at__gte=min(since.values())).order_by("at", "pk")
    last = {
        visitor_id: is_granted
        for visitor_id, at, is_granted in words.values_list("visitor_id", "at", "is_granted")
        if at >= since[visitor_id]
    }
    return {visitor_id for visitor_id, is_granted in last.items() if not is_granted}


def _enquired(since: Mapping[int, datetime]) -> set[int]:
    """Who has sent a form since they entered."""
    return set(goals.reached(Goal(kind=Goal.Kind.ACTIVITY, activity_kind="form_submit"), since))


def _handed_over(since: Mapping[int, datetime]) -> set[int]:
    """Whom somebody of sales has taken care of, as a hot lead, since they entered."""
    rows = HotEntry.objects.filter(
        visitor_id__in=since, ended=HotEntry.Ended.HANDLED, closed_at__gte=min(since.values())
    )
    return {
        pk for pk, at in rows.values_list("visitor_id", "closed_at") if at is not None and at >= since[pk]
    }


def _customers(since: Mapping[int, datetime]) -> set[int]:
    """Who is a customer, by whatever it was said."""
    return set(Visitor.objects.filter(pk__in=since, is_customer=True).values_list("pk", flat=True))


_EVENTS: dict[str, Callable[[Mapping[int, datetime]], set[int]]] = {
    "unsubscribed": _unsubscribed,
    "enquiry": _enquired,
    "sales": _handed_over,
    "customer": _customers,
}


def abandon(enrolment: Enrolment, flow: Flow, *, now: datetime) -> None:
    """End what lasts while somebody is at their step (an offer on the site)."""
    step = flow.steps.get(enrolment.step_id)
    kind = step_kinds.get(step.kind) if step else None
    if step is not None and kind is not None:
        kind.abandon(enrolment, step.params, now=now)


def let_go(enrolment: Enrolment, reason: str, now: datetime) -> None:
    """Set an enrolment to left; not saved."""
    enrolment.status = Enrolment.Status.EXITED
    enrolment.left_at = now
    enrolment.left_reason = reason
    enrolment.is_listening = False
