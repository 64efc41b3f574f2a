"""Unsubscribing: at once, for ever, without log-in, however often it is asked; and taking it back.

Whoever has the link can stop mail, choose less of it, and, for a few minutes, undo what was stopped: a
forwarded mail gives away no more than that.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from wagtail_ma.core.tokens import read_mail_token
from wagtail_ma.messaging import consents, fill, reasons, suppressions
from wagtail_ma.messaging.models import Consent, Delivery, MailTopic, Suppression
from wagtail_ma.messaging.models_of_sending import MailPace, Subscription

# Unsubscribing can be taken back for so long.
UNDO = timedelta(minutes=10)
# Behind the source of the unsubscription that was taken back.
UNDONE = ":undone"


class Why(models.TextChoices):
    """Why somebody unsubscribed, if they say so."""

    TOO_MANY = "too_many", _("Too many mails")
    NOT_OF_INTEREST = "not_of_interest", _("Not of interest to me")
    NEVER_ASKED = "never_asked", _("I never asked for them")
    OTHER = "other", _("Another reason")


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
    :param pace_days: at most one mail in so many days is wanted; 0 for all.
    :param can_undo: it was unsubscribed just now, and can be taken back.
    """

    masked_email: str
    language: str
    is_active: bool
    topics: tuple[TopicChoice, ...] = ()
    pace_days: int = 0
    can_undo: bool = False


NOBODY = Subscribed("", "", is_active=False)


def look_up(token: str, *, now: datetime) -> Subscribed:
    """What the link stands for; changes nothing.

    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    delivery = _delivery_of(token)
    return NOBODY if delivery is None else _told(delivery, now=now)


def choose(
    token: str, topic_ids: Collection[int], *, pace_days: int | None = None, now: datetime
) -> Subscribed:
    """Store which topics the reader wants, and how often; what still waits of other topics never leaves.

    :param topic_ids: of the wanted ones; unknown ids count for nothing.
    :param pace_days: at most one mail in so many days (``MailPace.Days``), 0 for all; None and any other
        number change nothing.
    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    delivery = _delivery_of(token)
    if delivery is None:
        return NOBODY
    newest, *older = suppressions.hashes(delivery.email)
    unwanted = []
    with transaction.atomic():
        Subscription.objects.filter(email_hash__in=older).delete()
        if pace_days == 0:
            MailPace.objects.filter(email_hash__in=[newest, *older]).delete()
        elif pace_days in MailPace.Days.values:
            MailPace.objects.filter(email_hash__in=older).delete()
            MailPace.objects.update_or_create(email_hash=newest, defaults={"days": pace_days, "at": now})
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
    return _told(delivery, now=now)


def unsubscribe(token: str, *, now: datetime) -> Subscribed:
    """Stop all marketing mail to the address that the link was sent to. Idempotent.

    Works when the mail, its version or the lead are deleted: the delivery knows the address.

    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    delivery = _delivery_of(token)
    if delivery is None:
        return NOBODY
    with transaction.atomic():
        suppressions.add(delivery.email, reason=suppressions.UNSUBSCRIBED, now=now)
        if delivery.visitor is not None:
            consents.record(
                delivery.visitor,
                email=delivery.email,
                is_granted=False,
                text="",
                source_kind="mail",
                source_key=_key(delivery),
                now=now,
            )
        _waiting(delivery.email).update(
            state=Delivery.State.CANCELLED, reason=reasons.UNSUBSCRIBED, lease_until=None
        )
    return _told(delivery, now=now)


def subscribe_again(token: str, *, now: datetime) -> Subscribed:
    """Take back an unsubscription of the last minutes: all is as it was, but for the mail that waited.

    Nothing happens when it is too late, or the address is stopped for other reasons as well.

    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    delivery = _delivery_of(token)
    if delivery is None:
        return NOBODY
    with transaction.atomic():
        if _can_undo(delivery.email, now=now):
            suppressions.lift_unsubscription(delivery.email)
            _grant_again(delivery, now=now)
    return _told(delivery, now=now)


def say_why(token: str, why: str, *, now: datetime) -> Subscribed:
    """Store why somebody unsubscribed by this link; what is no reason, or comes later, is passed over.

    :param why: one of :class:`Why`.
    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    delivery = _delivery_of(token)
    if delivery is None:
        return NOBODY
    if why in Why.values:
        Consent.objects.filter(
            email=delivery.email,
            source_kind="mail",
            source_key=_key(delivery),
            is_granted=False,
            at__gt=now - UNDO,
        ).update(why=why)
    return _told(delivery, now=now)


def _told(delivery: Delivery, *, now: datetime) -> Subscribed:
    is_active = not suppressions.stopping(delivery.email, is_marketing=True).exists()
    hashes = suppressions.hashes(delivery.email)
    pace = MailPace.objects.filter(email_hash__in=hashes).order_by("-at").first()
    return Subscribed(
        masked_email=_mask(delivery.email),
        language=_language_of(delivery),
        is_active=is_active,
        topics=_topics(delivery.email) if is_active else (),
        pace_days=pace.days if pace is not None else 0,
        can_undo=not is_active and _can_undo(delivery.email, now=now),
    )


def _can_undo(email: str, *, now: datetime) -> bool:
    rows = list(Suppression.objects.filter(email_hash__in=suppressions.hashes(email)))
    is_fresh = [row.reason == suppressions.UNSUBSCRIBED and row.at > now - UNDO for row in rows]
    return bool(rows) and all(is_fresh)


def _grant_again(delivery: Delivery, *, now: datetime) -> None:
    """The word that was taken back counts again, in the same words as then."""
    latest = list(Consent.objects.filter(email=delivery.email).order_by("-at", "-pk")[:2])
    if len(latest) < 2 or delivery.visitor is None:
        return
    refusal, before = latest
    if refusal.is_granted or refusal.source_kind != "mail" or not before.is_granted:
        return
    consents.record(
        delivery.visitor,
        email=delivery.email,
        is_granted=True,
        text=before.text,
        basis=before.basis,
        source_kind=refusal.source_kind,
        source_key=f"{refusal.source_key}{UNDONE}",
        now=now,
        is_verified=True,
    )


def _key(delivery: Delivery) -> str:
    return f"delivery:{delivery.pk}"


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
    # (Of somebody who was erased the address is not known any more.)
    return found.filter(email__contains="@").first()


def _language_of(delivery: Delivery) -> str:
    if delivery.version is not None:
        return str(delivery.version.compiled.get("language", ""))
    return delivery.lead.language if delivery.lead is not None else ""


def _mask(email: str) -> str:
    """``a…@example.com``: a forwarded mail must not give the address away."""
    local, _at, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"
