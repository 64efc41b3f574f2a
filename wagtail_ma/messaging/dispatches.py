"""A mail to many: planned once, its recipients written down, released, paused, cancelled.

Every step is a guarded update, so two clicks, two colleagues or two workers do it once; writing the
recipients down goes on where a killed worker stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from wagtail_ma.messaging import reasons, recipients
from wagtail_ma.messaging.compile import CannotCompile
from wagtail_ma.messaging.models import Delivery, Dispatch, Mail
from wagtail_ma.messaging.ready import version_to_send

logger = logging.getLogger(__name__)

State = Dispatch.State

# Deliveries released by one statement.
CHUNK = 2_000
# One call ends itself after this; the rest is done by the next.
ADVANCE_SECONDS = 15
# "Send now" can be taken back for so long.
UNDO_SECONDS = 60

WAITING = (Delivery.State.PLANNED, Delivery.State.READY, Delivery.State.CLAIMED)


class AlreadyPlanned(ValueError):
    """This mail is on its way already."""


def plan(
    mail: Mail,
    *,
    include: Collection[int],
    exclude: Collection[int],
    scheduled_at: datetime | None,
    expected_count: int,
    by: Any,
    now: datetime,
) -> Dispatch:
    """Have a mail sent to an audience, once.

    Whoever got this very mail before does not get it again, whatever the audience.

    :param include: ids of segments; empty for everybody who agreed to mail.
    :param scheduled_at: when; None for now, which leaves :data:`UNDO_SECONDS` to think again.
    :param expected_count: how many people ``by`` saw and confirmed.
    :raises AlreadyPlanned: it is on its way (a second click, a colleague).
    :raises ValueError: the mail is of a kind that goes to single people.
    """
    if not mail.is_bulk:
        raise ValueError("only newsletters and mails to segments go to an audience")
    earliest = now + timedelta(seconds=UNDO_SECONDS)
    try:
        with transaction.atomic():
            dispatch = Dispatch.objects.create(
                mail=mail,
                scheduled_at=max(scheduled_at or earliest, earliest),
                expected_count=expected_count,
                created_by=by,
                created_at=now,
            )
            dispatch.include.set(include)
            dispatch.exclude.set(exclude)
    except IntegrityError as error:
        raise AlreadyPlanned("this mail is being sent already") from error
    return dispatch


def pause(dispatch_id: int, *, reason: str = "", now: datetime) -> bool:
    """Hold a sending: what is not in the middle of being handed over stays here.

    :returns: False when it is not being sent (any more).
    """
    active = Dispatch.objects.filter(pk=dispatch_id, state__in=[State.RUNNING, State.PREPARING])
    if not active.update(state=State.PAUSED, reason=reason[:255]):
        return False
    _waiting(dispatch_id).exclude(state=Delivery.State.PLANNED).update(
        state=Delivery.State.PLANNED, owner="", lease_until=None
    )
    return True


def resume(dispatch_id: int, *, now: datetime) -> bool:
    """Go on with a paused sending. Nobody gets it twice.

    :returns: False when it is not paused (any more).
    """
    # Preparing goes on where it stopped; it finds nothing more to write down if it was finished.
    paused = Dispatch.objects.filter(pk=dispatch_id, state=State.PAUSED)
    return paused.update(state=State.PREPARING, reason="", resumed_at=now) == 1


def cancel(dispatch_id: int, *, now: datetime) -> bool:
    """Give up a sending for good; what has left has left.

    :returns: False when it is over already.
    """
    open_ones = Dispatch.objects.filter(pk=dispatch_id, ended_at__isnull=True)
    if not open_ones.update(state=State.CANCELLED, ended_at=now):
        return False
    _waiting(dispatch_id).update(state=Delivery.State.CANCELLED, reason=reasons.CANCELLED, lease_until=None)
    return True


def advance(*, now: datetime) -> int:
    """Bring all open sendings forward: start what is due, write recipients down, note what is done.

    Bounded and repeatable.

    :returns: how many recipients were written down.
    """
    deadline = time.monotonic() + ADVANCE_SECONDS
    written = 0
    _start(now=now)
    for dispatch in Dispatch.objects.filter(state=State.PREPARING).order_by("scheduled_at"):
        written += _prepare(dispatch, now=now, deadline=deadline)
    for dispatch in Dispatch.objects.filter(state=State.RUNNING):
        _release(dispatch.pk, deadline=deadline)
        _finish(dispatch, now=now)
    return written


def _start(*, now: datetime) -> None:
    due = Dispatch.objects.filter(state=State.PLANNED, scheduled_at__lte=now).select_related("mail")
    for dispatch in due:
        mine = Dispatch.objects.filter(pk=dispatch.pk, state=State.PLANNED)
        mail = dispatch.mail
        if mail is None:
            mine.update(state=State.CANCELLED, reason=reasons.NOT_READY, ended_at=now)
        elif now > dispatch.scheduled_at + timedelta(hours=mail.latest_hours):
            mine.update(state=State.EXPIRED, reason=reasons.TOO_LATE, ended_at=now)
        else:
            try:
                version = version_to_send(mail, now=now)
            except CannotCompile:
                logger.warning("mail %s cannot be sent", mail.pk, exc_info=True)
                mine.update(state=State.PAUSED, reason=reasons.NOT_READY)
                continue
            mine.update(state=State.PREPARING, version=version, started_at=now)


def _prepare(dispatch: Dispatch, *, now: datetime, deadline: float) -> int:
    """Write down who gets it, in chunks; then release it all."""
    mail = dispatch.mail
    if mail is None:
        return 0
    if dispatch.version_id is None:
        # It was paused before it could start.
        try:
            dispatch.version = version_to_send(mail, now=now)
        except CannotCompile:
            Dispatch.objects.filter(pk=dispatch.pk, state=State.PREPARING).update(
                state=State.PAUSED, reason=reasons.NOT_READY
            )
            return 0
        Dispatch.objects.filter(pk=dispatch.pk).update(version=dispatch.version, started_at=now)
    include, exclude = (
        list(ids.values_list("pk", flat=True)) for ids in (dispatch.include, dispatch.exclude)
    )
    written, are_all = recipients.write_down(dispatch, mail, include, exclude, now=now, deadline=deadline)
    if are_all:
        preparing = Dispatch.objects.filter(pk=dispatch.pk, state=State.PREPARING, cursor=dispatch.cursor)
        preparing.update(state=State.RUNNING)
    return written


def _release(dispatch_id: int, *, deadline: float) -> None:
    """Let its deliveries go, in short statements; a paused one is left alone."""
    while time.monotonic() < deadline:
        planned = Delivery.objects.filter(dispatch=dispatch_id, state=Delivery.State.PLANNED)
        ids = list(planned.values_list("pk", flat=True)[:CHUNK])
        if not ids:
            return
        released = Delivery.objects.filter(
            pk__in=ids, state=Delivery.State.PLANNED, dispatch__state=State.RUNNING
        ).update(state=Delivery.State.READY)
        if not released:
            return


def _finish(dispatch: Dispatch, *, now: datetime) -> None:
    left = Delivery.objects.filter(dispatch=dispatch, state__in=[*WAITING, Delivery.State.SENDING])
    if not left.exists():
        Dispatch.objects.filter(pk=dispatch.pk, state=State.RUNNING).update(state=State.DONE, ended_at=now)


def _waiting(dispatch_id: int) -> QuerySet[Delivery]:
    return Delivery.objects.filter(dispatch=dispatch_id, state__in=WAITING)
