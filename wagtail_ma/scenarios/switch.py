"""Pausing a scenario, going on, and taking people out."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from wagtail_ma.scenarios.models import Enrolment, Scenario


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


def stop(scenario: Scenario, *, now: datetime, reason: str) -> int:
    """Take everybody out who is inside. Mails already queued still go.

    :param reason: kept with each enrolment, at most 120 characters.
    :returns: how many left.
    """
    return Enrolment.objects.filter(scenario=scenario, status=Enrolment.Status.ACTIVE).update(
        status=Enrolment.Status.EXITED,
        left_at=now,
        left_reason=reason[:120],
        is_listening=False,
        revision=F("revision") + 1,
    )
