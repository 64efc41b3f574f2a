"""How many marketing mails one person gets at most while scenarios run: asked when a step plans one.

Several scenarios may want to write to the same person on the same day; the first has them (scenarios of
higher priority come first), the others note that it was enough.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from wagtail_ma.messaging.fence import COUNTED
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.messaging.models_of_sending import SendingRules
from wagtail_ma.people.models import Lead

State = Delivery.State

DAY, WEEK = timedelta(hours=24), timedelta(days=7)
# Planned, and on their way within a day.
WAITING = (State.READY, State.CLAIMED)


def has_enough(lead: Lead, rules: SendingRules, *, occurrence: str, now: datetime) -> bool:
    """Whether this person has got, or is about to get, as many marketing mails as a scenario may add to.

    Call it in the transaction that plans the mail: until its end nobody else plans one for them.

    :param occurrence: of the mail in question, which does not count.
    """
    if rules.scenario_per_day is None and rules.scenario_per_week is None:
        return False
    if connection.features.has_select_for_update:
        # (SQLite has one writer anyway, and we are it.)
        Lead.objects.select_for_update(no_key=True).filter(pk=lead.pk).values("pk").first()
    # By the index on lead and time of sending.
    mails = Delivery.objects.filter(lead=lead, is_marketing=True).exclude(occurrence=occurrence)
    recent = mails.filter(
        Q(state__in=COUNTED, sending_at__gt=now - WEEK)
        | Q(state__in=WAITING, sending_at__isnull=True, send_after__lte=now + DAY)
    )
    times = list(recent.values_list("sending_at", flat=True))
    today = sum(at is None or at > now - DAY for at in times)
    return _is_full(today, rules.scenario_per_day) or _is_full(len(times), rules.scenario_per_week)


def _is_full(count: int, most: int | None) -> bool:
    return most is not None and count >= most
