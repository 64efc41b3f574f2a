"""Send what is due. No mail is ever sent twice.

    ready → claimed → sending → sent / failed / back to ready / unknown

* **claim**: a guarded update under a name of our own; two senders never hold the same row.
* **fence**: the step to ``sending`` is committed before the first byte goes out, and asks in the
  same statement whether the address may be mailed. What is found there after a crash is *unknown*:
  it may have arrived, so nothing sends it again by itself.
* **settle**: what the mail server answered.

Statements commit one by one; ``drain`` refuses to run inside a transaction, in which a fence would
be worth nothing.
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q

from wagtail_ma.messaging import consents, fill, merge_fields, reasons, suppressions, transactional
from wagtail_ma.messaging.message import MailMessage, compose
from wagtail_ma.messaging.models import Delivery, MailVersion
from wagtail_ma.messaging.readers import segments_of
from wagtail_ma.messaging.transport import Fate, Line, NoConnection, Outcome

logger = logging.getLogger(__name__)

State = Delivery.State

BATCH = 50
# One call ends itself after this, well before the queue's time-out kills it.
DRAIN_SECONDS = 25
CLAIM_LEASE = timedelta(minutes=10)
SENDING_LEASE = timedelta(minutes=15)
# After a day or two a mail to a visitor's last step does more harm than good.
LATEST = timedelta(hours=72)
# Minutes until the next try after "not now", by number of attempts; then it is given up.
BACK_OFF_MINUTES = (1, 5, 15, 60, 240)
NO_CONNECTION_MINUTES = 3


def drain(*, now: datetime, limit: int = 500) -> int:
    """Send what is due, at most ``limit`` deliveries, for at most half a minute.

    Bounded and repeatable: any number of processes may do it at once, and any of them may be
    killed at any time.

    :returns: how many deliveries were settled one way or the other.
    :raises RuntimeError: called inside a transaction.
    """
    if connection.in_atomic_block:
        with transaction.atomic(durable=True):
            pass  # raises, but in the test cases that wrap everything in a transaction
    reap(now=now)
    _expire(now=now)
    if _is_pausing(now=now):
        return 0
    owner = uuid.uuid4().hex
    deadline = time.monotonic() + DRAIN_SECONDS
    settled = 0
    batch: list[Delivery] = []
    try:
        with Line() as line:
            while settled < limit and time.monotonic() < deadline:
                batch = _claim(owner, now=now, limit=min(BATCH, limit - settled))
                if not batch:
                    break
                settled += _send_batch(batch, owner, line, now=now, deadline=deadline)
    except NoConnection as error:
        logger.warning("the mail server cannot be reached: %s", error)
        _give_back(
            batch,
            owner,
            reason=f"{reasons.NO_CONNECTION}: {error}"[:255],
            # Not ``send_after``: what waited too long for the server is too late all the same.
            lease_until=now + timedelta(minutes=NO_CONNECTION_MINUTES),
        )
    finally:
        _give_back(batch, owner)
    return settled


def reap(*, now: datetime) -> None:
    """Clear up after dead senders: their claims are free again, their sendings are unknown."""
    overdue = Delivery.objects.filter(lease_until__lt=now, state__in=[State.CLAIMED, State.SENDING])
    # Asked first: on SQLite even an update of no row waits for the one write lock.
    if not overdue.exists():
        return
    overdue.filter(state=State.CLAIMED).update(state=State.READY, owner="", lease_until=None)
    overdue.filter(state=State.SENDING).update(
        state=State.UNKNOWN, reason=reasons.INTERRUPTED, lease_until=None
    )


def _is_pausing(*, now: datetime) -> bool:
    """Whether the server could not be reached just now. A long queue does not ask it again and again:
    each time may take half a minute, in which nothing else is done."""
    return Delivery.objects.filter(state=State.READY, lease_until__gt=now).exists()


def send_again(delivery_id: int, *, now: datetime) -> bool:
    """Somebody has decided to send a mail of unknown fate again (it may arrive twice).

    :returns: False when it is not unknown (any more): nothing is done.
    """
    unknown = Delivery.objects.filter(pk=delivery_id, state=State.UNKNOWN)
    return unknown.update(state=State.READY, owner="", send_after=now, reason="") == 1


def _expire(*, now: datetime) -> None:
    late = Delivery.objects.filter(state=State.READY, send_after__lt=now - LATEST)
    if late.exists():
        late.update(state=State.EXPIRED, reason=reasons.TOO_LATE, lease_until=None)


def _claim(owner: str, *, now: datetime, limit: int) -> list[Delivery]:
    """Take some due rows by guarded update: whoever updates a row first has it."""
    due = Delivery.objects.filter(state=State.READY, send_after__lte=now).order_by("send_after", "id")
    can_skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic() if can_skip else nullcontext():
        if can_skip:
            due = due.select_for_update(skip_locked=True)
        ids = list(due.values_list("pk", flat=True)[:limit])
        if not ids:
            return []
        Delivery.objects.filter(pk__in=ids, state=State.READY).update(
            state=State.CLAIMED, owner=owner, lease_until=now + CLAIM_LEASE
        )
    mine = Delivery.objects.filter(pk__in=ids, state=State.CLAIMED, owner=owner)
    return list(mine.select_related("lead").order_by("send_after", "id"))


def _send_batch(batch: list[Delivery], owner: str, line: Line, *, now: datetime, deadline: float) -> int:
    # Versions once per batch: their compiled bodies are large.
    versions = MailVersion.objects.in_bulk({delivery.version_id for delivery in batch} - {None})
    settled = 0
    for delivery in batch:
        if time.monotonic() > deadline:
            break
        settled += _send_one(delivery, versions.get(delivery.version_id), owner, line, now=now)
    return settled


def _send_one(
    delivery: Delivery, version: MailVersion | None, owner: str, line: Line, *, now: datetime
) -> bool:
    """One delivery, from claimed to settled. False when it was taken from us meanwhile."""
    message = _prepare(delivery, version, now=now)
    if message is None:
        return True
    line.open()
    if not _fence(delivery, owner, now=now):
        return _explain(delivery, owner)
    try:
        outcome = line.send(message)
    except BaseException:
        # Time-outs of the queue and shut-downs strike anywhere, also in the middle of a mail.
        _settle(delivery, owner, Outcome(Fate.UNKNOWN, reasons.INTERRUPTED), now=now)
        raise
    _settle(delivery, owner, outcome, now=now)
    return True


def _prepare(delivery: Delivery, version: MailVersion | None, *, now: datetime) -> MailMessage | None:
    """The finished e-mail; None (and the row settled) when there can be none."""
    if delivery.lead is None:
        _end(delivery, State.CANCELLED, reasons.LEAD_GONE)
        return None
    try:
        if delivery.builtin:
            filled = transactional.fill_builtin(delivery)
        elif version is None:
            _end(delivery, State.SKIPPED, reasons.NOT_READY)
            return None
        else:
            values = merge_fields.values_of(delivery.lead, version.compiled["language"])
            segments = segments_of(delivery.visitor_id, version.compiled)
            filled = fill.fill(version.compiled, values, public_id=delivery.public_id, segments=segments)
        return compose(filled, to=delivery.email, message_id=delivery.message_id)
    except Exception as error:
        logger.exception("delivery %s cannot be put together", delivery.pk)
        _end(delivery, State.FAILED, f"{reasons.BROKEN}: {type(error).__name__}"[:255])
        return None


def _fence(delivery: Delivery, owner: str, *, now: datetime) -> bool:
    """Write down, durably, that the sending begins, if the address may be mailed at this moment."""
    try:
        allowed = consents.allowed(delivery.email, is_marketing=delivery.is_marketing)
    except ValueError:
        return False
    begun = (
        Delivery.objects.filter(pk=delivery.pk, state=State.CLAIMED, owner=owner)
        .filter(allowed)
        .update(
            state=State.SENDING,
            sending_at=now,
            lease_until=now + SENDING_LEASE,
            attempts=F("attempts") + 1,
        )
    )
    delivery.attempts += begun
    return begun == 1


def _explain(delivery: Delivery, owner: str) -> bool:
    """The fence was closed: say why. False when the row is not ours any more."""
    try:
        rows = suppressions.stopping(delivery.email, is_marketing=delivery.is_marketing)
        reason = reasons.SUPPRESSED if rows.exists() else reasons.NO_CONSENT
    except ValueError:
        reason = reasons.BAD_ADDRESS
    mine = Delivery.objects.filter(pk=delivery.pk, state=State.CLAIMED, owner=owner)
    return mine.update(state=State.SKIPPED, reason=reason, lease_until=None) == 1


def _settle(delivery: Delivery, owner: str, outcome: Outcome, *, now: datetime) -> None:
    """Write down what the server said. Our own row may be called unknown meanwhile: we know."""
    changes: dict[str, Any] = {"lease_until": None, "reason": outcome.detail[:255]}
    if outcome.fate is Fate.SENT:
        changes |= {"state": State.SENT, "sent_at": now, "reason": ""}
    elif outcome.fate is Fate.AGAIN and delivery.attempts < len(BACK_OFF_MINUTES):
        changes |= {"state": State.READY, "owner": "", "send_after": now + _back_off(delivery)}
    elif outcome.fate is Fate.AGAIN:
        changes |= {"state": State.FAILED, "reason": f"{reasons.GAVE_UP}: {outcome.detail}"[:255]}
    elif outcome.fate is Fate.FAILED:
        changes |= {"state": State.FAILED}
    else:
        changes |= {"state": State.UNKNOWN, "reason": outcome.detail[:255] or reasons.INTERRUPTED}
    mine = Q(pk=delivery.pk, owner=owner, state__in=[State.SENDING, State.UNKNOWN])
    Delivery.objects.filter(mine).update(**changes)
    if outcome.is_dead:
        suppressions.add(delivery.email, reason=suppressions.HARD_BOUNCE, now=now)


def _back_off(delivery: Delivery) -> timedelta:
    minutes = BACK_OFF_MINUTES[max(delivery.attempts, 1) - 1]
    # ± 20 %, drawn once per delivery: what failed together does not come back together.
    return timedelta(minutes=minutes * (0.8 + 0.4 * (delivery.public_id % 1000) / 1000))


def _end(delivery: Delivery, state: str, reason: str) -> None:
    claimed = Delivery.objects.filter(pk=delivery.pk, state=State.CLAIMED, owner=delivery.owner)
    claimed.update(state=state, reason=reason, lease_until=None)


def _give_back(batch: list[Delivery], owner: str, **changes: Any) -> None:
    """Free what we claimed and have not begun (no attempt is counted for it)."""
    ids = [delivery.pk for delivery in batch]
    left = Delivery.objects.filter(pk__in=ids, owner=owner, state=State.CLAIMED)
    if ids and left.exists():
        left.update(**{"state": State.READY, "owner": "", "lease_until": None, **changes})
