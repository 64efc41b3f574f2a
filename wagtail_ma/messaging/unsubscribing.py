"""Unsubscribing: at once, for ever, without log-in, however often it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from wagtail_ma.core.tokens import read_mail_token
from wagtail_ma.messaging import consents, fill, reasons, suppressions
from wagtail_ma.messaging.models import Delivery


@dataclass(frozen=True)
class Subscription:
    """What an unsubscribe link stands for.

    :param masked_email: enough to recognise one's own address, too little for anybody else;
        "" when it is not known any more.
    :param language: of the mail, "" when unknown.
    """

    masked_email: str
    language: str
    is_active: bool


def look_up(token: str) -> Subscription:
    """What the link stands for; changes nothing.

    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    delivery = _delivery_of(token)
    if delivery is None or "@" not in delivery.email:
        return Subscription("", "", is_active=False)
    return Subscription(
        masked_email=_mask(delivery.email),
        language=_language_of(delivery),
        is_active=not suppressions.stopping(delivery.email, is_marketing=True).exists(),
    )


def unsubscribe(token: str, *, now: datetime) -> Subscription:
    """Stop all marketing mail to the address that the link was sent to. Idempotent.

    Works when the mail, its version or the lead are deleted: the delivery knows the address.

    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    delivery = _delivery_of(token)
    if delivery is None or "@" not in delivery.email:
        return Subscription("", "", is_active=False)
    with transaction.atomic():
        suppressions.add(delivery.email, reason=suppressions.UNSUBSCRIBED, now=now)
        if delivery.visitor is not None:
            consents.record(
                delivery.visitor,
                email=delivery.email,
                is_granted=False,
                text="",
                source_kind="mail",
                source_key=f"delivery:{delivery.pk}",
                now=now,
            )
        Delivery.objects.filter(
            email=delivery.email, is_marketing=True, state__in=["ready", "claimed"]
        ).update(state=Delivery.State.CANCELLED, reason=reasons.UNSUBSCRIBED, lease_until=None)
    return Subscription(_mask(delivery.email), _language_of(delivery), is_active=False)


def _delivery_of(token: str) -> Delivery | None:
    public_id, _number = read_mail_token(fill.UNSUBSCRIBE, token)
    found = Delivery.objects.select_related("version", "visitor", "lead").filter(public_id=public_id)
    return found.first()


def _language_of(delivery: Delivery) -> str:
    if delivery.version is not None:
        return str(delivery.version.compiled.get("language", ""))
    return delivery.lead.language if delivery.lead is not None else ""


def _mask(email: str) -> str:
    """``a…@example.com``: a forwarded mail must not give the address away."""
    local, _at, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"
