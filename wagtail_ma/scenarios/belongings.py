"""How the tables of this domain follow a person."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from wagtail_ma.core.belongings import Belonging, declare
from wagtail_ma.scenarios.leading import led_by
from wagtail_ma.scenarios.models import Enrolment


def give_way(loser_id: int, winner_id: int, now: datetime) -> None:
    """Where both are inside the same scenario, the loser leaves it: one person, one run."""
    inside = Enrolment.objects.filter(visitor_id=winner_id, status=Enrolment.Status.ACTIVE)
    Enrolment.objects.filter(
        visitor_id=loser_id,
        status=Enrolment.Status.ACTIVE,
        scenario_id__in=inside.values("scenario_id"),
    ).update(
        status=Enrolment.Status.EXITED,
        left_at=now,
        left_reason="merged",
        is_listening=False,
        revision=F("revision") + 1,
    )


def go_on(visitor_id: int, since: datetime, now: datetime) -> None:
    """Whoever left a scenario for somebody they are not goes on where they were."""
    inside = Enrolment.objects.filter(visitor_id=visitor_id, status=Enrolment.Status.ACTIVE)
    Enrolment.objects.filter(
        visitor_id=visitor_id,
        status=Enrolment.Status.EXITED,
        left_reason="merged",
        left_at__gte=since,
    ).exclude(scenario_id__in=inside.values("scenario_id")).update(
        status=Enrolment.Status.ACTIVE,
        left_at=None,
        left_reason="",
        # Asked anew: what they wait for may have happened.
        due_at=now,
        revision=F("revision") + 1,
    )


declare(
    Belonging(
        "wagtail_ma.Enrolment",
        "decision",
        fields=("visitor", "born_visitor"),
        before_merge=give_way,
        after_undo=go_on,
        led_by=led_by,
    )
)
