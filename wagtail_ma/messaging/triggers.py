"""Mails that a rule sends: somebody enters a segment, that is, its conditions become true for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from wagtail_ma.messaging import queue
from wagtail_ma.messaging.models import Delivery, Mail
from wagtail_ma.people.models import Lead
from wagtail_ma.segments.causes import Change


def plan(changes: Iterable[Change], *, now: datetime) -> int:
    """Plan the triggered mails for those who have just entered a segment, in the caller's transaction.

    Once for each person and mail, or again after as many days as its editor says. Whoever has no
    address, or is excluded from marketing, gets none. Consent, the goal and the rest are asked at the
    moment of sending. Whom a merge, its undoing, another scoring or an import brought in has done
    nothing to be answered: no mail.

    :param changes: what ``segments.refresh.refresh_visitors`` reported.
    :returns: how many were planned.
    """
    entered: dict[int, list[int]] = defaultdict(list)
    for change in changes:
        if change.entered and not change.cause:
            entered[change.segment_id].append(change.visitor_id)
    if not entered:
        return 0
    mails = Mail.objects.filter(
        kind=Mail.Kind.TRIGGERED, live=True, trigger_segment__in=entered
    ).select_related("sender", "topic")
    planned = 0
    for mail in mails:
        leads = Lead.objects.filter(
            visitor__in=entered[mail.trigger_segment_id or 0],
            visitor__excluded_reason="",
            visitor__merged_into__isnull=True,
        )
        recent = _had_lately(mail, leads, now=now)
        for lead in leads:
            if lead.pk not in recent:
                planned += _plan_one(mail, lead, now=now)
    return planned


def _had_lately(mail: Mail, leads: Iterable[Lead], *, now: datetime) -> set[int]:
    """Those who have had it, or have it planned, too short a time ago."""
    rows = Delivery.objects.filter(mail=mail, lead__in=[lead.pk for lead in leads])
    if mail.trigger_again_days is not None:
        rows = rows.filter(created_at__gt=now - timedelta(days=mail.trigger_again_days))
    return {pk for pk in rows.values_list("lead_id", flat=True) if pk is not None}


def _plan_one(mail: Mail, lead: Lead, *, now: datetime) -> bool:
    delivery = queue.enqueue(
        mail,
        lead,
        occurrence="" if mail.trigger_again_days is None else f"trigger:{now:%Y-%m-%dT%H:%M}",
        now=now,
        send_after=now + timedelta(minutes=mail.trigger_delay_minutes),
    )
    return delivery is not None
