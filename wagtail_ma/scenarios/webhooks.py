"""Telling other systems: calls are planned by a step, and made here, in the background.

At least once: a call whose answer got lost is made again, with the same ``Idempotency-Key``. Signed
with the setting ``WEBHOOK_SECRET``, without which nothing is ever sent.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from wagtail_ma.conf import conf
from wagtail_ma.people.models import Lead
from wagtail_ma.scenarios import wire
from wagtail_ma.scenarios.models import Enrolment
from wagtail_ma.scenarios.models_of_webhooks import WebhookCall

State = WebhookCall.State

# After each failure; the one after the last ends it.
BACK_OFF = (
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=24),
)
# Longer than any one call: a process that died while calling is not waited for any longer.
LEASE = timedelta(minutes=5)
AT_ONCE = 50
# One call of :func:`drain` begins no further request after so many seconds.
BUDGET_SECONDS = 15
# Worth another try: too busy, too early, too slow.
PASSING = frozenset({408, 425, 429})

Post = Callable[[str, bytes, Mapping[str, str]], int]


def plan(
    enrolment: Enrolment, *, key: str, url: str, step_id: str, name: str, with_person: bool, now: datetime
) -> WebhookCall:
    """Plan a call, once: the same ``key`` is the same call.

    :param name: what happened, in the editor's words.
    :param with_person: whether the call names the person (address, name, company).
    """
    data = {"step": step_id, "name": name, "at": now.isoformat(), "with_person": with_person}
    return WebhookCall.objects.get_or_create(
        key=key,
        defaults={"enrolment": enrolment, "url": url, "data": data, "due_at": now, "created_at": now},
    )[0]


def drain(*, now: datetime, limit: int = AT_ONCE, post: Post = wire.post) -> int:
    """Make the calls that are due, oldest first.

    :returns: how many were answered well.
    """
    if not conf.WEBHOOK_SECRET:
        return 0
    started = time.monotonic()
    due = WebhookCall.objects.filter(state=State.WAITING, due_at__lte=now).order_by("due_at", "pk")
    done = 0
    for pk in list(due.values_list("pk", flat=True)[:limit]):
        # A lease by guarded update: whoever moves the time has the call.
        mine = WebhookCall.objects.filter(pk=pk, state=State.WAITING, due_at__lte=now)
        if not mine.update(due_at=now + LEASE, attempts=F("attempts") + 1):
            continue
        call = WebhookCall.objects.select_related("enrolment__scenario").get(pk=pk)
        done += _make(call, post, now=now)
        if time.monotonic() - started > BUDGET_SECONDS:
            break
    return done


def body_of(call: WebhookCall) -> bytes:
    """What is sent: JSON, with the person as they are now."""
    enrolment = call.enrolment
    told: dict[str, Any] = {
        "id": call.key,
        "event": call.data["name"],
        "at": call.data["at"],
        "scenario": {"id": enrolment.scenario_id, "name": enrolment.scenario.name},
        "step": call.data["step"],
        "person": {"id": enrolment.visitor_id},
    }
    lead = Lead.objects.filter(visitor_id=enrolment.visitor_id).first() if call.data["with_person"] else None
    if lead is not None:
        told["person"] |= {
            "email": lead.email,
            "family_name": lead.family_name,
            "given_name": lead.given_name,
            "company": lead.company_name,
        }
    return json.dumps(told, ensure_ascii=False).encode()


def signature(secret: str, moment: int, body: bytes) -> str:
    """``t=<seconds>,v1=<hex>``: HMAC-SHA-256 over ``<seconds>.<body>``, so that an old call cannot be
    passed off as a new one."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def _make(call: WebhookCall, post: Post, *, now: datetime) -> bool:
    body = body_of(call)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "wagtail_ma",
        "Idempotency-Key": call.key,
        "X-Wagtail-MA-Signature": signature(conf.WEBHOOK_SECRET, int(now.timestamp()), body),
    }
    try:
        status = post(call.url, body, headers)
    except wire.Refused as error:
        _settle(call, State.FAILED, str(error), now=now)
        return False
    except wire.Unreachable as error:
        _again(call, str(error), now=now)
        return False
    if 200 <= status < 300:
        _settle(call, State.DONE, "", now=now)
        return True
    if status >= 500 or status in PASSING:
        _again(call, f"HTTP {status}", now=now)
    else:
        _settle(call, State.FAILED, f"HTTP {status}", now=now)
    return False


def _again(call: WebhookCall, reason: str, *, now: datetime) -> None:
    if call.attempts > len(BACK_OFF):
        _settle(call, State.FAILED, reason, now=now)
        return
    mine = WebhookCall.objects.filter(pk=call.pk, state=State.WAITING, attempts=call.attempts)
    mine.update(due_at=now + BACK_OFF[call.attempts - 1], reason=reason[:255])


def _settle(call: WebhookCall, state: str, reason: str, *, now: datetime) -> None:
    mine = WebhookCall.objects.filter(pk=call.pk, state=State.WAITING, attempts=call.attempts)
    mine.update(state=state, reason=reason[:255], ended_at=now)
