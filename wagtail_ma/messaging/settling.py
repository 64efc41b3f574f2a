"""What becomes of a delivery: every way out of claimed and sending, as guarded updates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from wagtail_ma.core import business_time
from wagtail_ma.core.prepared import Slot, Update
from wagtail_ma.messaging import claiming, reasons, suppressions, timing
from wagtail_ma.messaging.models import Delivery, Dispatch, Mail
from wagtail_ma.messaging.models_of_sending import SendingRules
from wagtail_ma.messaging.transport import Fate, Outcome

State = Delivery.State

# Minutes until the next try after "not now", by number of attempts; then it is given up.
BACK_OFF_MINUTES = (1, 5, 15, 60, 240)
NO_CONNECTION_MINUTES = 3
# So many senders died with a delivery in hand, all but the first with this one alone: it is what kills
# them. Where several senders died lately with something else, something else kills them (somebody, or a
# full memory), and the delivery is given some more chances.
POISON_CLAIMS = 3
POISON_CLAIMS_IN_A_STORM = 8
STORM_DEATHS = 3
STORM_LASTS = timedelta(minutes=30)


def _build_sent() -> tuple[Any, dict[str, Any]]:
    field: Any = Delivery._meta.get_field
    rows = Delivery.objects.filter(
        pk=Slot("pk", field("id")),
        owner=Slot("owner", field("owner")),
        state__in=[State.SENDING, State.UNKNOWN],
    )
    now = Slot("now", field("sent_at"))
    return rows, {"state": State.SENT, "sent_at": now, "reason": "", "refusal": "", "lease_until": None}


_sent = Update(_build_sent)


def settle(results: Sequence[tuple[Delivery, Outcome]], owner: str, *, now: datetime) -> None:
    """Write down what the server said, in one transaction. Our own rows may be called unknown
    meanwhile: we know."""
    if not results:
        return
    with transaction.atomic() if len(results) > 1 else nullcontext():
        for delivery, outcome in results:
            if outcome.fate is Fate.SENT:
                _sent.run(pk=delivery.pk, owner=owner, now=now)
            else:
                mine = Q(pk=delivery.pk, owner=owner, state__in=[State.SENDING, State.UNKNOWN])
                Delivery.objects.filter(mine).update(**_changes(delivery, outcome, now=now))
            if outcome.is_dead:
                suppressions.add(delivery.email, reason=suppressions.HARD_BOUNCE, now=now)


def _changes(delivery: Delivery, outcome: Outcome, *, now: datetime) -> dict[str, Any]:
    changes: dict[str, Any] = {"lease_until": None, "reason": outcome.detail[:255]}
    if outcome.fate is Fate.UNSAID:
        # Nothing was said: no attempt is counted.
        waits = now + timedelta(minutes=NO_CONNECTION_MINUTES)
        changes |= {"state": State.READY, "owner": "", "lease_until": waits, "claims": 0}
        return changes | {"attempts": F("attempts") - 1, "reason": _no_connection(outcome.detail)}
    if outcome.fate is Fate.AGAIN and delivery.attempts < len(BACK_OFF_MINUTES):
        later = now + _back_off(delivery)
        return changes | {"state": State.READY, "owner": "", "send_after": later, "claims": 0}
    if outcome.fate is Fate.AGAIN:
        return changes | {"state": State.FAILED, "reason": f"{reasons.GAVE_UP}: {outcome.detail}"[:255]}
    if outcome.fate is Fate.FAILED:
        return changes | {"state": State.FAILED, "refusal": outcome.refusal}
    return changes | {"state": State.UNKNOWN, "reason": outcome.detail[:255] or reasons.INTERRUPTED}


def reap(*, now: datetime) -> None:
    """Clear up after dead senders: their claims are free again, their sendings are unknown."""
    overdue = Delivery.objects.filter(lease_until__lt=now, state__in=[State.CLAIMED, State.SENDING])
    # Asked first: on SQLite even an update of no row waits for the one write lock.
    if not overdue.exists():
        return
    claimed = overdue.filter(state=State.CLAIMED)
    suspect = claimed.filter(claims__gte=POISON_CLAIMS)
    if suspect.exists():
        most = POISON_CLAIMS_IN_A_STORM if _is_storm(now=now) else POISON_CLAIMS
        suspect.filter(claims__gte=most).update(state=State.FAILED, reason=reasons.POISON, lease_until=None)
    claimed.update(state=State.READY, owner="", lease_until=None)
    overdue.filter(state=State.SENDING).update(
        state=State.UNKNOWN, reason=reasons.INTERRUPTED, lease_until=None
    )


def _is_storm(*, now: datetime) -> bool:
    """Whether senders die for other reasons than what they hold."""
    # One of the first is the one that we ask about.
    deaths = -1
    for found in _deaths(now=now):
        deaths += found
        if deaths >= STORM_DEATHS:
            return True
    return False


def _deaths(*, now: datetime) -> Iterator[int]:
    """How many senders died lately, by each kind of what they left behind (some more than needed at most).

    One kind after the other, those first that an index finds: mostly they are enough.
    """
    enough = STORM_DEATHS + 1
    # What is claimed a second time is alone with its sender: so many died with others.
    again = Delivery.objects.filter(claims__gte=2)
    overdue = again.filter(lease_until__lt=now, state=State.CLAIMED)
    yield len(overdue.values_list("pk")[:enough])
    # What is put off may have been so for days: it says nothing of now.
    yield len(again.filter(state=State.READY, send_after__lte=now).values_list("pk")[:enough])
    lately = Delivery.objects.filter(sending_at__gt=now - STORM_LASTS)
    dead = Q(state=State.UNKNOWN, reason=reasons.INTERRUPTED) | Q(
        state=State.SENDING, sending_at__lt=now - claiming.CLAIM_LEASE
    )
    yield len(lately.filter(dead).order_by("owner").values_list("owner", flat=True).distinct()[:enough])
    yield len(lately.filter(state=State.SENT, claims__gte=3).values_list("pk")[:enough])


def expire(*, now: datetime) -> None:
    """What should have gone long before does not go any more."""
    late = Delivery.objects.filter(state=State.READY, expires_at__lt=now)
    if late.exists():
        late.update(state=State.EXPIRED, reason=reasons.TOO_LATE, lease_until=None)


def is_pausing(*, now: datetime) -> bool:
    """Whether the server could not be reached just now. A long queue does not ask it again and again:
    each time may take half a minute, in which nothing else is done."""
    return Delivery.objects.filter(state=State.READY, lease_until__gt=now).exists()


def send_again(delivery_id: int, *, now: datetime) -> bool:
    """Somebody has decided to send a mail of unknown fate again (it may arrive twice).

    :returns: False when it is not unknown (any more): nothing is done.
    """
    again = {"state": State.READY, "owner": "", "send_after": now, "expires_at": None, "claims": 0}
    unknown = Delivery.objects.filter(pk=delivery_id, state=State.UNKNOWN)
    # Alone: its sending may be over.
    return unknown.update(**again, reason="", dispatch=None) == 1


def give_back(batch: Iterable[Delivery], owner: str, **changes: Any) -> None:
    """Free what we claimed and have not begun (no attempt is counted for it)."""
    ids = [delivery.pk for delivery in batch]
    left = Delivery.objects.filter(pk__in=ids, owner=owner, state=State.CLAIMED)
    if ids and left.exists():
        free = {"state": State.READY, "owner": "", "lease_until": None, "claims": F("claims") - 1}
        left.update(**{**free, **changes})


def pause_all(batch: Iterable[Delivery], owner: str, words: str, *, now: datetime) -> None:
    """The server cannot be reached: what we hold is tried again in a few minutes."""
    give_back(
        batch,
        owner,
        reason=_no_connection(words),
        # Not ``send_after``: what waited too long for the server is too late all the same.
        lease_until=now + timedelta(minutes=NO_CONNECTION_MINUTES),
    )


def abandon(in_flight: Iterable[Delivery], owner: str) -> None:
    """We stop in the middle: what was being handed over may have arrived."""
    ids = [delivery.pk for delivery in in_flight]
    if ids:
        Delivery.objects.filter(pk__in=ids, owner=owner, state=State.SENDING).update(
            state=State.UNKNOWN, reason=reasons.INTERRUPTED, lease_until=None
        )


def wait_for_better_hour(
    delivery: Delivery, mail: Mail | None, rules: SendingRules, *, now: datetime
) -> bool:
    """Put a delivery back whose reader is asleep (or whose office is closed) now."""
    if mail is None or not delivery.is_marketing:
        return False
    try:
        at = timing.earliest(mail.timing, rules, timing.zone_of(delivery.lead), now)
    except business_time.NeverOpen:
        return False
    if at <= now:
        return False
    give_back([delivery], delivery.owner, send_after=at)
    return True


def stay_out(delivery: Delivery, owner: str, reason: str) -> bool:
    """The fence stayed shut. False when the row is not ours any more."""
    mine = Delivery.objects.filter(pk=delivery.pk, state=State.CLAIMED, owner=owner)
    if reason:
        return mine.update(state=State.SKIPPED, reason=reason, lease_until=None) == 1
    if delivery.dispatch_id is None:
        return False
    # Its sending is paused or over.
    state = State.PLANNED
    if not Dispatch.objects.filter(pk=delivery.dispatch_id, ended_at__isnull=True).exists():
        state = State.CANCELLED
    return mine.update(state=state, owner="", lease_until=None) == 1


def end(delivery: Delivery, state: str, reason: str) -> None:
    """A claimed delivery that cannot go out at all."""
    claimed = Delivery.objects.filter(pk=delivery.pk, state=State.CLAIMED, owner=delivery.owner)
    claimed.update(state=state, reason=reason[:255], lease_until=None)


def _no_connection(words: str) -> str:
    return f"{reasons.NO_CONNECTION}: {words}"[:255]


def _back_off(delivery: Delivery) -> timedelta:
    minutes = BACK_OFF_MINUTES[max(delivery.attempts, 1) - 1]
    # ± 20 %, drawn once per delivery: what failed together does not come back together.
    return timedelta(minutes=minutes * (0.8 + 0.4 * (delivery.public_id % 1000) / 1000))
