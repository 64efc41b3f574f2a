"""Plan a mail for somebody. The row is the plan; sending is somebody else's work (sending.py)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from wagtail_ma.core.many_rows import InsertRows
from wagtail_ma.core.text import normalise_email
from wagtail_ma.messaging import message, reasons, timing
from wagtail_ma.messaging.compile import CannotCompile
from wagtail_ma.messaging.models import Delivery, Mail, MailVersion, draw_public_id
from wagtail_ma.messaging.ready import version_to_send
from wagtail_ma.people.models import Lead

logger = logging.getLogger(__name__)

# By the unique key alone: ``ignore_conflicts`` on SQLite hides everything else that a row may be refused for.
_insert = InsertRows(Delivery, unique=("mail", "lead", "occurrence"))


def enqueue(
    mail: Mail,
    lead: Lead,
    *,
    occurrence: str,
    now: datetime,
    send_after: datetime | None = None,
    extra: Mapping[str, Any] | None = None,
    version: MailVersion | None = None,
) -> Delivery | None:
    """Plan one mail to one person, once: the same (mail, lead, occurrence) is the same delivery.

    Inside the caller's transaction, if there is one: the plan stands or falls with the step that
    made it. Consent is not asked here but at the moment of sending, when it counts.

    :param occurrence: names the occasion, e.g. ``"enrolment:5:<step>:1"`` (at most 120 characters).
    :param send_after: not before; default ``now``. A mail for the reader's best hour waits for it then.
    :param extra: values for this occasion.
    :param version: the mail as it goes out now (:func:`version_of`), where it was looked up before.
    :returns: the delivery: ready, or skipped with its reason when the mail cannot be sent as it
        is; None when the lead has no usable address.
    """
    same = Delivery.objects.filter(mail=mail, lead=lead, occurrence=occurrence)
    try:
        email = normalise_email(lead.email)
    except ValueError:
        return same.first()
    version = version or version_of(mail, now=now)
    send_after = _best_moment(mail, lead, send_after or now, now=now)
    public_id = draw_public_id()
    delivery = Delivery(
        mail=mail,
        lead=lead,
        occurrence=occurrence,
        public_id=public_id,
        version=version,
        visitor_id=lead.visitor_id,
        born_visitor_id=lead.visitor_id,
        email=email,
        is_marketing=mail.is_marketing,
        extra=dict(extra or {}),
        state=Delivery.State.READY if version else Delivery.State.SKIPPED,
        reason="" if version else reasons.NOT_READY,
        send_after=send_after,
        expires_at=send_after + timedelta(hours=mail.latest_hours),
        priority=Delivery.Priority.SINGLE if mail.is_marketing else Delivery.Priority.ASKED_FOR,
        created_at=now,
        message_id=message.message_id(public_id, mail.sender.email),
    )
    # The unique key decides; two statements, where "get or create" takes five.
    _insert.run([delivery])
    return same.get()


def _best_moment(mail: Mail, lead: Lead, at: datetime, *, now: datetime) -> datetime:
    """This moment, or the next hour at which this person usually visits, where the mail is for that."""
    if mail.timing != Mail.Timing.BEST:
        return at
    hours = timing.best_hours([lead.visitor_id], now=now)
    return timing.at_best_hour(at, hours.get(lead.visitor_id))


def version_of(mail: Mail, *, now: datetime) -> MailVersion | None:
    """The mail as it goes out now; None when it cannot be sent as it is."""
    try:
        return version_to_send(mail, now=now)
    except CannotCompile:
        logger.warning("mail %s cannot be sent", mail.pk, exc_info=True)
        return None
