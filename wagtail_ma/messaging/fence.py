"""The fence: one guarded statement that says, durably, "from here on it may have been sent".

It asks everything once more that may have changed since the mail was planned: is it still ours, may
the address be mailed, does the person want this topic, have they had enough (by our rules or by their
own), have they reached the goal, is the sending still on. What it has to ask differs by mail; each kind
of question is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, Q, QuerySet

from wagtail_ma.core.prepared import Slot, Update
from wagtail_ma.core.text import normalise_email
from wagtail_ma.messaging import consents, reasons, suppressions
from wagtail_ma.messaging.models import Consent, Delivery, Dispatch, Mail, Suppression
from wagtail_ma.messaging.models_of_sending import MailPace, SendingRules, Subscription
from wagtail_ma.people.models import Lead
from wagtail_ma.segments.models import Membership

State = Delivery.State

SENDING_LEASE = timedelta(minutes=15)
# What counts as a mail that somebody got.
COUNTED = (State.SENDING, State.SENT, State.UNKNOWN)


@dataclass(frozen=True)
class _Shape:
    """Which questions a fence asks; the values come when it runs."""

    hashes: int
    is_marketing: bool
    topic: str
    most: int
    has_unless: bool
    has_dispatch: bool


def close_behind(
    delivery: Delivery,
    owner: str,
    *,
    mail: Mail | None,
    rules: SendingRules,
    now: datetime,
    has_pace: bool = False,
) -> bool:
    """Write down that the sending begins, if everything still allows it.

    :param has_pace: the reader may have said how often they want mail (it is asked here in any case).
    :returns: False when it does not, or the row is not ours any more (:func:`why_not` says).
    """
    try:
        hashes = suppressions.hashes(delivery.email)
    except ValueError:
        return False
    shape = _shape(delivery, mail, rules, len(hashes))
    values: dict[str, Any] = {
        "pk": delivery.pk,
        "owner": owner,
        "now": now,
        "lease": now + SENDING_LEASE,
        "email": normalise_email(delivery.email),
        **{f"hash{number}": digest for number, digest in enumerate(hashes)},
        "topic": mail.topic_id if mail else None,
        "unless": mail.unless_segment_id if mail else None,
        "visitor": delivery.visitor_id,
        "lead": delivery.lead_id,
        "since": now - timedelta(days=rules.most_per_lead_days),
        **{f"pace{days}": now - timedelta(days=days) for days in MailPace.Days.values},
        "dispatch": delivery.dispatch_id,
    }
    locks = (shape.most or has_pace) and connection.features.has_select_for_update
    with transaction.atomic() if locks else nullcontext():
        if locks:
            # Two mails to one person at the same moment: each must see the other.
            Lead.objects.select_for_update(no_key=True).filter(pk=delivery.lead_id or 0).first()
        begun = _statement(shape).run(**values)
    delivery.attempts += begun
    return begun == 1


def why_not(delivery: Delivery, *, mail: Mail | None, rules: SendingRules, now: datetime) -> str:
    """Why the fence stayed shut for this delivery: one of ``reasons``, "" when it is not ours."""
    try:
        if suppressions.stopping(delivery.email, is_marketing=delivery.is_marketing).exists():
            return reasons.SUPPRESSED
        if not delivery.is_marketing:
            return ""
        if not consents.may_mail(delivery.email):
            return reasons.NO_CONSENT
        hashes = suppressions.hashes(delivery.email)
    except ValueError:
        return reasons.BAD_ADDRESS
    if mail is not None and mail.topic is not None and not _wants(mail, hashes):
        return reasons.NOT_SUBSCRIBED
    if mail is not None and mail.unless_segment_id and _is_in(mail.unless_segment_id, delivery.visitor_id):
        return reasons.GOAL
    most = _most(delivery, rules)
    if most and _recent(delivery.lead_id, now - timedelta(days=rules.most_per_lead_days)).count() >= most:
        return reasons.ENOUGH
    pace = MailPace.objects.filter(email_hash__in=hashes).first()
    if pace is not None and _recent(delivery.lead_id, now - timedelta(days=pace.days)).exists():
        return reasons.PACE
    return ""


def paced(emails: Collection[str]) -> set[str]:
    """Those of these addresses whose readers have said how often they want mail."""
    known = {digest: email for email in emails for digest in _hashes(email)}
    found = MailPace.objects.filter(email_hash__in=known).values_list("email_hash", flat=True)
    return {known[digest] for digest in found}


def _hashes(email: str) -> list[str]:
    try:
        return suppressions.hashes(email)
    except ValueError:
        return []


def _shape(delivery: Delivery, mail: Mail | None, rules: SendingRules, hashes: int) -> _Shape:
    topic = ""
    if delivery.is_marketing and mail is not None and mail.topic is not None:
        topic = "unless refused" if mail.topic.is_default else "if chosen"
    return _Shape(
        hashes=hashes,
        is_marketing=delivery.is_marketing,
        topic=topic,
        most=_most(delivery, rules),
        has_unless=mail is not None and mail.unless_segment_id is not None,
        has_dispatch=delivery.dispatch_id is not None,
    )


def _most(delivery: Delivery, rules: SendingRules) -> int:
    return (rules.most_per_lead or 0) if delivery.is_marketing and delivery.lead_id else 0


@lru_cache(maxsize=256)
def _statement(shape: _Shape) -> Update:
    return Update(_builder(shape))


def _builder(shape: _Shape) -> Callable[[], tuple[QuerySet[Delivery], dict[str, Any]]]:
    def build() -> tuple[QuerySet[Delivery], dict[str, Any]]:
        field: Any = Delivery._meta.get_field
        rows = Delivery.objects.filter(
            pk=Slot("pk", field("id")), state=State.CLAIMED, owner=Slot("owner", field("owner"))
        ).filter(_allowed(shape))
        return rows, {
            "state": State.SENDING,
            "sending_at": Slot("now", field("sending_at")),
            "lease_until": Slot("lease", field("lease_until")),
            "attempts": F("attempts") + 1,
        }

    return build


def _allowed(shape: _Shape) -> Q:
    stopped = Suppression.objects.filter(_hash_is(Suppression, shape.hashes))
    if not shape.is_marketing:
        stopped = stopped.filter(reason__in=suppressions.STOPS_EVERYTHING)
    allowed = ~Q(Exists(stopped))
    if shape.is_marketing:
        words = Consent.objects.filter(email=Slot("email", Consent._meta.get_field("email")))
        latest = words.order_by("-at", "-pk").values("pk")[:1]
        allowed &= Q(Exists(Consent.objects.filter(pk__in=latest, is_granted=True)))
        allowed &= ~Q(Exists(_too_soon(shape)))
    if shape.topic:
        topic = Slot("topic", Subscription._meta.get_field("topic"))
        chosen = Subscription.objects.filter(_hash_is(Subscription, shape.hashes), topic=topic)
        is_chosen = shape.topic == "if chosen"
        found = Q(Exists(chosen.filter(is_wanted=is_chosen)))
        allowed &= found if is_chosen else ~found
    if shape.has_unless:
        segment = Slot("unless", Membership._meta.get_field("segment"))
        visitor = Slot("visitor", Membership._meta.get_field("visitor"))
        allowed &= ~Q(Exists(Membership.objects.filter(segment=segment, visitor=visitor)))
    if shape.has_dispatch:
        pk = Slot("dispatch", Dispatch._meta.get_field("id"))
        allowed &= Q(Exists(Dispatch.objects.filter(pk=pk, state=Dispatch.State.RUNNING)))
    if shape.most:
        field: Any = Delivery._meta.get_field
        recent = _recent(Slot("lead", field("lead")), Slot("since", field("sending_at")))
        # "At least so many": there is one with that number.
        allowed &= ~Q(Exists(recent.order_by("-sending_at")[shape.most - 1 : shape.most]))
    return allowed


def _too_soon(shape: _Shape) -> QuerySet[MailPace]:
    """The reader wants mail less often than this."""
    field: Any = Delivery._meta.get_field
    had_some = Q()
    for days in MailPace.Days.values:
        recent = _recent(Slot("lead", field("lead")), Slot(f"pace{days}", field("sending_at")))
        had_some |= Q(days=days) & Q(Exists(recent))
    return MailPace.objects.filter(_hash_is(MailPace, shape.hashes)).filter(had_some)


def _hash_is(model: Any, count: int) -> Q:
    found = Q()
    for number in range(count):
        found |= Q(email_hash=Slot(f"hash{number}", model._meta.get_field("email_hash")))
    return found


def _recent(lead: Any, since: Any) -> QuerySet[Delivery]:
    return Delivery.objects.filter(lead=lead, sending_at__gt=since, is_marketing=True, state__in=COUNTED)


def _wants(mail: Mail, hashes: list[str]) -> bool:
    choices = Subscription.objects.filter(topic=mail.topic_id, email_hash__in=hashes)
    said = set(choices.values_list("is_wanted", flat=True))
    if mail.topic is not None and mail.topic.is_default:
        return False not in said
    return True in said


def _is_in(segment_id: int, visitor_id: int | None) -> bool:
    return Membership.objects.filter(segment=segment_id, visitor=visitor_id).exists()
