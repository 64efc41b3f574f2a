"""Only while the score, or the grade of the fit, is in a band: whoever crosses its edge goes another way.

With hysteresis: out is who is further out than the margin, in again who is within the band itself; so a
score that trembles at the edge moves nobody to and fro. Scores also cool while nothing happens, so the
people who wait are looked at every few minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q

from wagtail_ma.scenarios import entry
from wagtail_ma.scenarios.exits import abandon, let_go
from wagtail_ma.scenarios.models import Enrolment, Scenario, StepRun
from wagtail_ma.scenarios.plan import Flow
from wagtail_ma.scoring import decay
from wagtail_ma.scoring.models import ScoringModel, Standing
from wagtail_ma.scoring.queries import current_score, in_force

# The outcome of a step that somebody left because of the band.
LEFT_BAND = "left_band"
EVERY = timedelta(minutes=10)
# How somebody without a standing stands.
NOTHING = (0.0, "C")


def is_outside(scenario: Scenario, score: float, grade: str, *, was_outside: bool) -> bool:
    """Whether somebody is out of the band, given where they were before. Pure."""
    if scenario.band_grades and grade not in scenario.band_grades:
        return True
    margin = 0 if was_outside else scenario.band_margin
    low, high = scenario.band_from, scenario.band_to
    return (low is not None and score < low - margin) or (high is not None and score > high + margin)


def cross(enrolments: Sequence[Enrolment], flows: Mapping[int, Flow], *, now: datetime) -> list[StepRun]:
    """Move those who have crossed the edge of their scenario's band: into the other scenario, to the place
    among the steps, or out. Their enrolments are changed, not saved.

    :param enrolments: active ones, with their scenario; in the runner's transaction.
    :returns: one run for each, which says so.
    """
    banded = [each for each in enrolments if each.scenario.has_band]
    if not banded:
        return []
    stands = _stands({each.visitor_id for each in banded}, now=now)
    runs = []
    for enrolment in banded:
        score, grade = stands.get(enrolment.visitor_id, NOTHING)
        before = enrolment.is_outside
        enrolment.is_outside = is_outside(enrolment.scenario, score, grade, was_outside=before)
        if enrolment.is_outside and not before:
            runs.append(_move(enrolment, flows[enrolment.version_id], now=now))
    return runs


def wake_cooled(*, now: datetime) -> int:
    """Make those due who wait inside, and whose score has left the band while nothing happened.

    :returns: how many.
    """
    waiting = Scenario.objects.filter(HAS_BAND, live=True, is_paused=False)
    due = waiting.filter(Q(band_swept_at__isnull=True) | Q(band_swept_at__lte=now - EVERY))
    model = in_force()
    if model is None:
        return 0
    woken = 0
    for scenario in due.order_by("pk"):
        outside = Enrolment.objects.filter(
            scenario=scenario, status=Enrolment.Status.ACTIVE, is_outside=False, due_at__gt=now, attempts=0
        ).exclude(_is_inside(scenario, model, now=now))
        woken += outside.update(due_at=now, revision=F("revision") + 1)
        Scenario.objects.filter(pk=scenario.pk).update(band_swept_at=now)
    return woken


HAS_BAND = Q(band_from__isnull=False) | Q(band_to__isnull=False) | ~Q(band_grades=[])


def _is_inside(scenario: Scenario, model: ScoringModel, *, now: datetime) -> Q:
    """Condition on an enrolment: not yet further out than the margin."""
    stands = Standing.objects.filter(model=model, visitor=OuterRef("visitor"))
    within = stands
    low, high = scenario.band_from, scenario.band_to
    if low is not None and low > scenario.band_margin:
        within = within.filter(engagement_sum__gte=_forward(low - scenario.band_margin, model, now))
    if high is not None:
        within = within.filter(engagement_sum__lte=_forward(high + scenario.band_margin, model, now))
    if scenario.band_grades:
        within = within.filter(fit_grade__in=scenario.band_grades)
    inside = Q(Exists(within))
    if not is_outside(scenario, *NOTHING, was_outside=False):
        inside |= ~Q(Exists(stands))
    return inside


def _forward(score: float, model: ScoringModel, now: datetime) -> float:
    return decay.forward_threshold(score, now=now, epoch=model.epoch, half_life_days=model.half_life_days)


def _stands(visitor_ids: set[int], *, now: datetime) -> dict[int, tuple[float, str]]:
    rows = Standing.objects.filter(model__is_current=True, visitor_id__in=visitor_ids)
    return {
        row.visitor_id: (current_score(row, now=now), row.fit_grade) for row in rows.select_related("model")
    }


def _move(enrolment: Enrolment, flow: Flow, *, now: datetime) -> StepRun:
    scenario = enrolment.scenario
    step = flow.steps.get(enrolment.step_id)
    run = StepRun(
        enrolment=enrolment,
        step_id=enrolment.step_id,
        round=enrolment.round,
        kind=step.kind if step else "",
        outcome=LEFT_BAND,
        at=now,
    )
    place = _place(flow, scenario.band_place) if scenario.band_scenario_id is None else None
    if place is None:
        let_go(enrolment, "band", now)
    else:
        abandon(enrolment, flow, now=now)
        enrolment.step_id, enrolment.step_entered_at, enrolment.due_at = place, now, now
        enrolment.round += 1
        enrolment.is_listening = False
    if scenario.band_scenario is not None:
        _into_other(enrolment, scenario.band_scenario, now=now)
    return run


def _into_other(enrolment: Enrolment, other: Scenario, *, now: datetime) -> None:
    # Written first: in a group of scenarios this one would keep them.
    Enrolment.objects.filter(pk=enrolment.pk).update(
        status=enrolment.status,
        left_at=enrolment.left_at,
        left_reason=enrolment.left_reason,
        is_listening=False,
        is_outside=True,
    )
    entry.put_in(other, [enrolment.visitor_id], reason=f"band:{enrolment.pk}:{enrolment.round}", now=now)


def _place(flow: Flow, name: str) -> str | None:
    found = (
        step.id for step in flow.steps.values() if step.kind == "place" and step.params.get("name") == name
    )
    return next(found, None) if name else None
