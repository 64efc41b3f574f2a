"""A sending that goes wrong is paused by itself: before the sender's good name is gone."""

from __future__ import annotations

from datetime import datetime

from wagtail_ma.messaging import dispatches, reasons
from wagtail_ma.messaging.models import Delivery, Dispatch
from wagtail_ma.messaging.transport import Refusal

State = Delivery.State

LAST = 100
# Of the last hundred: so many failed in any way; so many refused by a server's rules.
MOST_FAILED = 20
MOST_AGAINST_POLICY = 5
# Dead addresses of all, once this many were tried.
DEAD_FROM = 200
MOST_DEAD = 0.05


def watch(dispatch_id: int, *, now: datetime) -> str:
    """Pause a running sending when too much of it fails.

    :returns: why, one of ``reasons``; "" when all is well.
    """
    dispatch = Dispatch.objects.filter(pk=dispatch_id, state=Dispatch.State.RUNNING).first()
    reason = _trouble(dispatch) if dispatch else ""
    if reason:
        dispatches.pause(dispatch_id, reason=reason, now=now)
    return reason


def _trouble(dispatch: Dispatch) -> str:
    tried = Delivery.objects.filter(dispatch=dispatch, state__in=[State.SENT, State.FAILED])
    if dispatch.resumed_at:
        tried = tried.filter(sending_at__gt=dispatch.resumed_at)
    last = list(tried.order_by("-sending_at").values_list("state", "refusal")[:LAST])
    if sum(refusal == Refusal.POLICY for _state, refusal in last) >= MOST_AGAINST_POLICY:
        return reasons.POLICY
    if len(last) >= LAST and sum(state == State.FAILED for state, _refusal in last) > MOST_FAILED:
        return reasons.TOO_MANY_FAILED
    if len(last) >= LAST:
        total = tried.count()
        if total >= DEAD_FROM and tried.filter(refusal=Refusal.DEAD).count() > total * MOST_DEAD:
            return reasons.TOO_MANY_DEAD
    return ""
