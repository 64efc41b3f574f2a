"""Taking deliveries that are due, so that nobody else has them."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, QuerySet

from wagtail_ma.messaging import rates
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.messaging.models_of_sending import SendingRules

State = Delivery.State

CLAIM_LEASE = timedelta(minutes=10)
# What a sender held that was never heard of again is taken alone from then on: it may be what kills them.
SUSPECT_CLAIMS = 1
# Making Python's dates and dictionaries of them takes as long as finding the rows.
_NOT_FOR_SENDING = (
    *("created_at", "expires_at", "sending_at", "sent_at", "opened_at", "machine_opened_at"),
    *("lead__created_at", "lead__attributes", "lead__sources"),
)


def is_any_due(*, now: datetime) -> bool:
    """Whether there is anything to send."""
    return _due(now=now).exists()


def peek(*, now: datetime, limit: int) -> list[Delivery]:
    """What will be taken next, most likely, without taking it: only which mails and versions."""
    due = _due(now=now).order_by("priority", "send_after", "id")
    return list(due.only("mail_id", "version_id")[:limit])


def claim(owner: str, *, now: datetime, limit: int) -> list[Delivery]:
    """Take some due rows by guarded update: whoever updates a row first has it.

    :returns: what was taken, with its leads, the next one first; without the columns that only people read.
    """
    due = _due(now=now).order_by("priority", "send_after", "id")
    due = due.select_related("lead").defer(*_NOT_FOR_SENDING)
    can_skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic() if can_skip else nullcontext():
        if can_skip:
            due = due.select_for_update(skip_locked=True, of=("self",))
        batch = _harmless(list(due[:limit]))
        if not batch:
            return []
        ids = [delivery.pk for delivery in batch]
        until = now + CLAIM_LEASE
        # Due still: somebody may have had it in hand meanwhile, and put it off.
        taken = (
            _due(now=now)
            .filter(pk__in=ids)
            .update(state=State.CLAIMED, owner=owner, lease_until=until, claims=F("claims") + 1)
        )
    if taken < len(batch):
        mine = set(
            Delivery.objects.filter(pk__in=ids, state=State.CLAIMED, owner=owner).values_list("pk", flat=True)
        )
        batch = [delivery for delivery in batch if delivery.pk in mine]
    for delivery in batch:
        delivery.state, delivery.owner, delivery.lease_until = State.CLAIMED, owner, until
        delivery.claims += 1
    return batch


def within_domains(
    batch: list[Delivery], owner: str, rules: SendingRules, *, now: datetime
) -> list[Delivery]:
    """Those of the batch that their providers take now; the others wait a little."""
    if rules.per_domain_minute is None or not batch:
        return batch
    wanted = Counter(rates.provider_of(delivery.email) for delivery in batch)
    left: dict[str, int] = {}
    limit = rates.Limit("", rules.per_domain_minute, rates.MINUTE)
    for provider, count in wanted.items():
        mine = rates.Limit(f"to:{provider}:60"[:100], limit.most, limit.seconds)
        left[provider] = rates.take([mine], count, now=now)
    kept: list[Delivery] = []
    later: list[Delivery] = []
    for delivery in batch:
        provider = rates.provider_of(delivery.email)
        (kept if left[provider] > 0 else later).append(delivery)
        left[provider] -= 1
    if later:
        Delivery.objects.filter(
            pk__in=[delivery.pk for delivery in later], owner=owner, state=State.CLAIMED
        ).update(
            state=State.READY,
            owner="",
            lease_until=None,
            claims=F("claims") - 1,
            send_after=rates.next_slot(limit, now=now),
        )
    return kept


def _due(*, now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(state=State.READY, send_after__lte=now)


def _harmless(rows: list[Delivery]) -> list[Delivery]:
    """Rows up to the first suspect one; that one alone, when it is the first."""
    for number, delivery in enumerate(rows):
        if delivery.claims >= SUSPECT_CLAIMS:
            return rows[: max(number, 1)]
    return rows
