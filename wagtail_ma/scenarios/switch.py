"""Pausing a scenario, going on, and taking people out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import F, QuerySet

from wagtail_ma.scenarios.exits import abandon
from wagtail_ma.scenarios.models import Enrolment, Scenario
from wagtail_ma.scenarios.plan import Flow, flow_of


def pause(scenario: Scenario) -> None:
    """Nobody enters and nobody moves from now on (a step being executed is finished)."""
    Scenario.objects.filter(pk=scenario.pk).update(is_paused=True)
    scenario.is_paused = True


def resume(scenario: Scenario, *, now: datetime) -> None:
    """Go on: what became due in the pause is done at once, what happened in the pause lets
    nobody in."""
    changed = Scenario.objects.filter(pk=scenario.pk, is_paused=True).update(
        is_paused=False, active_since=now
    )
    scenario.is_paused = False
    if changed:
        scenario.active_since = now


def take_out(scenario_id: int, visitor_ids: Sequence[int], *, reason: str, now: datetime) -> int:
    """Take these visitors out of a scenario.

    :param reason: kept with each enrolment, at most 120 characters.
    :returns: how many were inside.
    """
    inside = Enrolment.objects.filter(scenario_id=scenario_id, visitor_id__in=visitor_ids)
    return _leave(inside, reason=reason, now=now)


def stop(scenario: Scenario, *, now: datetime, reason: str) -> int:
    """Take everybody out who is inside. Mails already queued still go.

    :param reason: kept with each enrolment, at most 120 characters.
    :returns: how many left.
    """
    return _leave(Enrolment.objects.filter(scenario=scenario), reason=reason, now=now)


def _leave(enrolments: QuerySet[Enrolment], *, reason: str, now: datetime) -> int:
    inside = enrolments.filter(status=Enrolment.Status.ACTIVE)
    flows: dict[int, Flow] = {}
    for enrolment in inside.select_related("version"):
        if enrolment.version_id not in flows:
            flows[enrolment.version_id] = flow_of(enrolment.version.definition)
        abandon(enrolment, flows[enrolment.version_id], now=now)
    return inside.update(
        status=Enrolment.Status.EXITED,
        left_at=now,
        left_reason=reason[:120],
        is_listening=False,
        revision=F("revision") + 1,
    )
