"""How many mails may leave now: sliding windows that all processes share and that survive a restart.

A window of W seconds is cut into 60 slots; what was let go in the present slot and the 60 before it
may not exceed the limit. So no stretch of W seconds, wherever it begins, ever sees more. (A bucket
that refills would let twice the limit through around its refill.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from wagtail_ma.messaging.models_of_sending import RateWindow, SendingRules

SLOTS = 60
# Others took at the same time: tried again so often, then we wait for the next call.
TRIES = 20
MINUTE, HOUR, DAY = 60, 3_600, 86_400

# Domains of one provider, which count together.
PROVIDERS = {
    **dict.fromkeys(("gmail.com", "googlemail.com"), "google"),
    **dict.fromkeys(("outlook.com", "hotmail.com", "live.com", "outlook.jp", "hotmail.co.jp"), "microsoft"),
    **dict.fromkeys(("yahoo.com", "ymail.com", "aol.com"), "yahoo"),
    **dict.fromkeys(("yahoo.co.jp", "ybb.ne.jp"), "yahoo-japan"),
    **dict.fromkeys(("ezweb.ne.jp", "au.com", "uqmobile.jp"), "au"),
    **dict.fromkeys(("softbank.ne.jp", "i.softbank.jp", "vodafone.ne.jp", "ymobile.ne.jp"), "softbank"),
    **dict.fromkeys(("icloud.com", "me.com", "mac.com"), "apple"),
}


@dataclass(frozen=True)
class Limit:
    """At most ``most`` mails within any ``seconds``; ``key`` names what they share."""

    key: str
    most: int
    seconds: int


def provider_of(email: str) -> str:
    """Whose mailbox it is: domains of one provider count together."""
    domain = email.rpartition("@")[2].lower()
    return PROVIDERS.get(domain, domain)


def rules_now() -> SendingRules:
    """The rules of this installation (made with their defaults when there are none)."""
    return SendingRules.objects.order_by("pk").first() or SendingRules.objects.get_or_create(pk=1)[0]


def limits_of(rules: SendingRules, *, now: datetime) -> list[Limit]:
    """The limits for everything that leaves, the warm-up's included."""
    found = [
        Limit(f"all:{seconds}", most, seconds)
        for most, seconds in (
            (rules.per_second, 1),
            (rules.per_minute, MINUTE),
            (rules.per_hour, HOUR),
            (rules.per_day, DAY),
        )
        if most is not None
    ]
    warm_up = _warm_up(rules, now=now)
    return [*found, Limit("warm-up", warm_up, DAY)] if warm_up is not None else found


def _warm_up(rules: SendingRules, *, now: datetime) -> int | None:
    """Mails a day: first · (1 + growth)^day; None when there is no warm-up or it is far beyond any
    sensible volume."""
    if rules.warm_up_from is None:
        return None
    days = max((timezone.localdate(now) - rules.warm_up_from).days, 0)
    most = rules.warm_up_first * (1 + rules.warm_up_growth / 100) ** min(days, 365)
    return int(most) if most < 1_000_000 else None


def take(limits: Iterable[Limit], wanted: int, *, now: datetime) -> int:
    """Let mails go under all of these limits at once.

    :returns: how many may leave now, 0 to ``wanted``; they are counted as gone.
    """
    taken: list[Limit] = []
    granted = wanted
    for limit in limits:
        found = _take(limit, granted, now=now)
        if found < granted:
            give_back(taken, granted - found, now=now)
            granted = found
        taken.append(limit)
        if not granted:
            break
    return granted


def give_back(limits: Iterable[Limit], count: int, *, now: datetime) -> None:
    """Some of what was taken at this moment did not leave after all."""
    if count <= 0:
        return
    for limit in limits:
        _change(limit, lambda _used: -count, now=now)


def next_slot(limit: Limit, *, now: datetime) -> datetime:
    """When it is worth asking again."""
    return now + timedelta(seconds=max(limit.seconds / SLOTS, 1))


def _take(limit: Limit, wanted: int, *, now: datetime) -> int:
    return max(_change(limit, lambda used: max(min(wanted, limit.most - used), 0), now=now), 0)


def _change(limit: Limit, decide: Callable[[int], int], *, now: datetime) -> int:
    """Add to the present slot what ``decide`` makes of the number used; by guarded update."""
    slot = int(now.timestamp() * SLOTS // limit.seconds)
    for _attempt in range(TRIES):
        window = RateWindow.objects.filter(key=limit.key).first()
        if window is None:
            window = RateWindow.objects.get_or_create(key=limit.key)[0]
        kept = {number: count for number, count in window.slots if number >= slot - SLOTS}
        change = decide(sum(kept.values()))
        if change == 0:
            return 0
        kept[slot] = max(kept.get(slot, 0) + change, 0)
        unchanged = RateWindow.objects.filter(pk=window.pk, version=window.version)
        if unchanged.update(slots=sorted(kept.items()), version=window.version + 1):
            return change
    return 0
