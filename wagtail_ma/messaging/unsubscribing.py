"""Unsubscribing: at once, for ever, without log-in, however often it is asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from wagtail_ma.core.tokens import read_mail_token
from wagtail_ma.messaging import consents, fill, reasons, suppressions
from wagtail_ma.messaging.models import Delivery, MailTopic
from wagtail_ma.messaging.models_of_sending import Subscription


@dataclass(frozen=True)
class TopicChoice:
    """A topic as its reader wants it."""

    pk: int
    name: str
    description: str
    is_wanted: bool


@dataclass(frozen=True)
class Subscribed:
    """What an unsubscribe link stands for.

    :param masked_email: enough to recognise one's own address, too little for anybody else;
        "" when it is not known any more.
    :param language: of the mail, "" when unknown.
    """

    masked_email: str
    language: str
    is_active: bool
    topics: tuple[TopicChoice, ...] = ()


def look_up(token: str) -> Subscribed:
    """What the link stands for; changes nothing.

    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    delivery = _delivery_of(token)
    if delivery is None or "@" not in delivery.email:
        return Subscribed("", "", is_active=False)
    return Subscribed(
        masked_email=_mask(delivery.email),
        language=_language_of(delivery),
        is_active=not suppressions.stopping(delivery.email, is_marketing=True).exists(),
        topics=_topics(delivery.email),
    )


def choose(token: str, topic_ids: Collection[int], *, now: datetime) -> Subscribed:
    """Store which topics the reader wants; what still waits of the others never leaves.

    :param topic_ids: of the wanted ones; unknown ids count for nothing.
    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    delivery = _delivery_of(token)
    if delivery is None or "@" not in delivery.email:
        return Subscribed("", "", is_active=False)
    newest, *older = suppressions.hashes(delivery.email)
    unwanted = []
    with transaction.atomic():
        Subscription.objects.filter(email_hash__in=older).delete()
        for topic in MailTopic.objects.all():
            is_wanted = topic.pk in topic_ids
            Subscription.objects.update_or_create(
                email_hash=newest, topic=topic, defaults={"is_wanted": is_wanted, "at": now}
            )
            if not is_wanted:
                unwanted.append(topic.pk)
        _waiting(delivery.email).filter(mail__topic__in=unwanted).update(
            state=Delivery.State.CANCELLED, reason=reasons.NOT_SUBSCRIBED, lease_until=None
        )
    return look_up(token)


def unsubscribe(token: str, *, now: datetime) -> Subscribed:
    """Stop all marketing mail to the address that the link was sent to. Idempotent.

    Works when the mail, its version or the lead are deleted: the delivery knows the address.

    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    delivery = _delivery_of(token)
    if delivery is None or "@" not in delivery.email:
        return Subscribed("", "", is_active=False)
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
        _waiting(delivery.email).update(
            state=Delivery.State.CANCELLED, reason=reasons.UNSUBSCRIBED, lease_until=None
        )
    return Subscribed(_mask(delivery.email), _language_of(delivery), is_active=False)


def _waiting(email: str) -> QuerySet[Delivery]:
    """The marketing mail that has not left yet."""
    return Delivery.objects.filter(email=email, is_marketing=True, state__in=["planned", "ready", "claimed"])


def _topics(email: str) -> tuple[TopicChoice, ...]:
    choices = Subscription.objects.filter(email_hash__in=suppressions.hashes(email)).order_by("at")
    said = dict(choices.values_list("topic", "is_wanted"))
    return tuple(
        TopicChoice(topic.pk, topic.name, topic.description, said.get(topic.pk, topic.is_default))
        for topic in MailTopic.objects.all()
    )


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
