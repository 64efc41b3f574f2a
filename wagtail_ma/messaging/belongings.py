"""How the tables of this domain follow a person, and what stays when the person is erased."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import F, Q, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext as _

from wagtail_ma.core.belongings import Belonging, Outward, Person, declare
from wagtail_ma.messaging import suppressions
from wagtail_ma.messaging.models import Consent, Delivery
from wagtail_ma.messaging.reasons import title_of

State = Delivery.State
UNSENT = (State.PLANNED, State.READY, State.CLAIMED)
# Not empty: two of one sending must differ.
ERASED = "erased:"


def scrub_deliveries(person: Person) -> None:
    """A mail's numbers stay right; to whom it went is forgotten, what waits is not sent."""
    rows = Delivery.objects.filter(
        Q(lead__in=person.lead_ids)
        | Q(visitor__in=person.visitor_ids)
        | Q(born_visitor__in=person.visitor_ids)
        | Q(email__in=person.emails)
    )
    ids = list(rows.values_list("pk", flat=True))
    found = Delivery.objects.filter(pk__in=ids)
    found.filter(state__in=UNSENT).update(state=State.CANCELLED, lease_until=None, reason="")
    text = Delivery._meta.get_field("email")
    found.update(
        email=Concat(Value(ERASED), Cast(F("pk"), text)),
        lead=None,
        visitor=None,
        born_visitor=None,
        extra={},
        reason="",
    )


def forget_consents(person: Person) -> None:
    """Consents go; whoever had refused mail stays refused, by keyed hash."""
    for email in person.emails:
        latest = Consent.objects.filter(email=email).order_by("-at", "-pk").first()
        if latest is not None and not latest.is_granted:
            suppressions.add(email, reason=suppressions.UNSUBSCRIBED, now=person.now)
    Consent.objects.filter(
        Q(visitor__in=person.visitor_ids)
        | Q(born_visitor__in=person.visitor_ids)
        | Q(email__in=person.emails)
    ).delete()


def sent(visitor_ids: Collection[int], since: datetime, until: datetime) -> list[Outward]:
    """The mails that went out to these, or may have (one whose fate is unknown)."""
    gone = Delivery.objects.filter(
        Q(visitor__in=visitor_ids) | Q(born_visitor__in=visitor_ids),
        state__in=(State.SENDING, State.SENT, State.UNKNOWN),
        sending_at__gte=since,
        sending_at__lte=until,
    ).select_related("mail")
    return [
        Outward(
            row.sending_at or row.created_at,
            "mail",
            _("Mail “%(name)s” to %(email)s: %(state)s")
            % {"name": title_of(row), "email": row.email, "state": row.get_state_display()},
        )
        for row in gone
    ]


declare(
    Belonging(
        "wagtail_ma.Delivery",
        "decision",
        fields=("lead", "visitor", "born_visitor"),
        erase=scrub_deliveries,
        # Mails to staff about them have no visitor.
        told_if=Q(visitor__isnull=False),
        is_told=True,
        outward=sent,
    )
)
declare(
    Belonging(
        "wagtail_ma.Consent",
        "decision",
        fields=("visitor", "born_visitor"),
        erase=forget_consents,
        active_at="at",
        is_told=True,
    )
)
