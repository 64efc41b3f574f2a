"""Who gets a sending, written down chunk by chunk: a delivery for each person of its audience.

A hundred thousand are some dozens of short transactions; no more than one chunk is ever in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction

from wagtail_ma.core.many_rows import InsertRows
from wagtail_ma.core.text import normalise_email
from wagtail_ma.messaging import audience, message, rates, reasons, timing
from wagtail_ma.messaging.models import Delivery, Dispatch, Mail, draw_public_id

CHUNK = 2_000

# Whoever has this mail already keeps the one; the unique keys decide.
_insert = InsertRows(Delivery, is_repeatable=True)


class Person(NamedTuple):
    """What is asked of a lead."""

    pk: int
    visitor_id: int
    email: str
    time_zone: str


def write_down(
    dispatch: Dispatch,
    mail: Mail,
    include: Collection[int],
    exclude: Collection[int],
    *,
    now: datetime,
    deadline: float,
) -> tuple[int, bool]:
    """Write down who gets it, from where this sending stopped.

    :param deadline: on the monotonic clock; the rest is for the next call.
    :returns: how many were written down, and whether these were the last.
    """
    written = 0
    while time.monotonic() < deadline:
        people = _next(dispatch, include, exclude)
        if not people:
            return written, True
        if not _write(dispatch, mail, people, now=now):
            break
        written += len(people)
    return written, False


def _next(dispatch: Dispatch, include: Collection[int], exclude: Collection[int]) -> list[Person]:
    rows = audience.leads(include, exclude).filter(pk__gt=dispatch.cursor)
    return [Person(*row) for row in rows.values_list(*Person._fields)[:CHUNK]]


def _write(dispatch: Dispatch, mail: Mail, people: Sequence[Person], *, now: datetime) -> bool:
    """One chunk, with the cursor, in one transaction. False when another worker was faster, or the
    sending was paused."""
    rows = _rows(dispatch, mail, people, now=now)
    with transaction.atomic():
        mine = Dispatch.objects.filter(pk=dispatch.pk, state=Dispatch.State.PREPARING, cursor=dispatch.cursor)
        if not mine.update(cursor=people[-1].pk):
            return False
        _insert.run(rows)
    dispatch.cursor = people[-1].pk
    return True


def _rows(dispatch: Dispatch, mail: Mail, people: Sequence[Person], *, now: datetime) -> list[Delivery]:
    addresses = {person.pk: address for person in people if (address := _address(person))}
    refused = audience.refusals(set(addresses.values()), mail)
    mine = Delivery.objects.filter(dispatch=dispatch, email__in=addresses.values())
    taken = set(mine.values_list("email", flat=True))
    when = _moments(mail, people, now=now)
    rows = []
    for person in people:
        email = addresses.get(person.pk, "")
        reason = reasons.BAD_ADDRESS if not email else refused.get(email, "")
        if email in taken:
            reason = reasons.REPEATED
        elif email and not reason:
            taken.add(email)
        public_id = draw_public_id()
        rows.append(
            Delivery(
                public_id=public_id,
                mail_id=mail.pk,
                version_id=dispatch.version_id,
                dispatch_id=dispatch.pk,
                lead_id=person.pk,
                visitor_id=person.visitor_id,
                born_visitor_id=person.visitor_id,
                # Once per person and mail; but who may not have it now may get it another time.
                occurrence=f"dispatch:{dispatch.pk}" if reason else "",
                email=email or person.email,
                is_marketing=mail.is_marketing,
                priority=Delivery.Priority.BULK,
                state=Delivery.State.SKIPPED if reason else Delivery.State.PLANNED,
                reason=reason,
                send_after=when(person),
                created_at=now,
                message_id=message.message_id(public_id, mail.sender.email),
            )
        )
    return rows


def _moments(mail: Mail, people: Sequence[Person], *, now: datetime) -> Callable[[Person], datetime]:
    """When each of them may get it; many share zone and hour, and the answer."""
    rules = rates.rules_now()
    hours: dict[int, int] = {}
    if mail.timing == Mail.Timing.BEST:
        hours = timing.best_hours([person.visitor_id for person in people], now=now)
    known: dict[tuple[ZoneInfo, int | None], datetime] = {}

    def moment(person: Person) -> datetime:
        key = timing.zone_named(person.time_zone), hours.get(person.visitor_id)
        if key not in known:
            zone, hour = key
            known[key] = timing.earliest(mail.timing, rules, zone, timing.at_best_hour(now, hour))
        return known[key]

    return moment


def _address(person: Person) -> str:
    try:
        return normalise_email(person.email)
    except ValueError:
        return ""
