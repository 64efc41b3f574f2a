"""Which scenario led somebody to give their name: what ``identify()`` keeps as evidence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from wagtail_ma.messaging.models import Delivery
from wagtail_ma.scenarios.models import Enrolment, StepRun
from wagtail_ma.scenarios.plan import BrokenStep, flow_of
from wagtail_ma.segments.models import SegmentDecision

# After so long it was something else.
LATEST = timedelta(days=30)


def led_by(visitor_id: int | None, evidence: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """``{"scenario": id}``: the one whose mail was followed; else the one that reached the visitor last,
    by an offer that they have seen or a mail, within the last 30 days. Empty: none.

    :param evidence: what is known of the occasion, e.g. the delivery whose link was followed.
    """
    if "delivery" in evidence:
        delivery = Delivery.objects.filter(pk=evidence["delivery"]).only("occurrence").first()
        found = _of_occurrence(delivery.occurrence) if delivery else None
    else:
        found = _reached_last(visitor_id, now=now) if visitor_id else None
    return {"scenario": found} if found else {}


def _of_occurrence(occurrence: str) -> int | None:
    kind, _colon, rest = occurrence.partition(":")
    number = rest.partition(":")[0]
    if kind != "enrolment" or not number.isdecimal():
        return None
    return Enrolment.objects.filter(pk=int(number)).values_list("scenario_id", flat=True).first()


def _reached_last(visitor_id: int, *, now: datetime) -> int | None:
    seen = Q(kind="offer", outcome="yes") | Q(kind="send_mail", outcome="queued")
    runs = StepRun.objects.filter(seen, enrolment__visitor=visitor_id, at__gt=now - LATEST, at__lte=now)
    reached = [(at, pk) for at, pk in runs.order_by("-at").values_list("at", "enrolment__scenario_id")[:1]]
    inside = Enrolment.objects.filter(visitor=visitor_id, status=Enrolment.Status.ACTIVE)
    for enrolment in inside.select_related("version"):
        # The offer stands on the page from which they just come, perhaps: no reaction has seen it yet.
        try:
            step = flow_of(enrolment.version.definition).steps.get(enrolment.step_id)
        except BrokenStep:
            continue
        if step is not None and step.kind == "offer" and _stands(enrolment, step.params):
            reached.append((enrolment.step_entered_at, enrolment.scenario_id))
    return max(reached)[1] if reached else None


def _stands(enrolment: Enrolment, params: Mapping[str, Any]) -> bool:
    said = SegmentDecision.objects.filter(
        segment_id=params.get("segment_id") or 0,
        visitor_id=enrolment.visitor_id,
        decided_at__gte=enrolment.step_entered_at,
    )
    latest = said.order_by("-decided_at").first()
    return latest is not None and latest.is_member
