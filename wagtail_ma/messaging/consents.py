"""Who agreed to marketing mail, in which words, and who took it back.

Append-only: the latest word of an address counts. The rows are the record that laws on mail
advertising ask for (when, where, and the text that was shown).
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, Q, QuerySet

from wagtail_ma.core.text import normalise_email
from wagtail_ma.messaging import suppressions
from wagtail_ma.messaging.models import Consent
from wagtail_ma.people.models import Visitor

OPT_IN = "opt-in"


def record(
    visitor: Visitor,
    *,
    email: str,
    is_granted: bool,
    text: str,
    source_kind: str,
    source_key: str,
    now: datetime,
    basis: str = OPT_IN,
    is_verified: bool = False,
) -> Consent:
    """Write down what somebody agreed to or took back.

    Repeating the latest word of an address from the same source writes nothing. An opt-in lifts an
    earlier unsubscription only when ``is_verified``: anybody can type somebody else's address into
    a form (ask :func:`needs_proof` first). A dead address stays dead.

    :param text: the words they saw, in full.
    :param source_kind: ``"form"``, ``"mail"``, ``"import"`` …
    :param source_key: which one, e.g. the submission's or delivery's number.
    :param is_verified: the owner of the mailbox said it: a button in a mail of ours, a log-in.
    :raises ValueError: not a mail address.
    """
    email = normalise_email(email)
    wanted = {
        "email": email,
        "is_granted": is_granted,
        "source_kind": source_kind,
        "source_key": source_key,
    }
    latest = _words_of(email).first()
    if latest is not None and all(getattr(latest, name) == value for name, value in wanted.items()):
        return latest
    if is_granted and basis == OPT_IN and is_verified:
        suppressions.lift_unsubscription(email)
    return Consent.objects.create(
        visitor=visitor, born_visitor=visitor, basis=basis, text=text, at=now, **wanted
    )


def needs_proof(email: str) -> bool:
    """Whether an opt-in must come from the mailbox itself: its owner has refused mail before.

    :raises ValueError: not a mail address.
    """
    stopped = suppressions.stopping(email, is_marketing=True)
    if stopped.filter(reason=suppressions.UNSUBSCRIBED).exists():
        return True
    latest = _words_of(normalise_email(email)).first()
    return latest is not None and not latest.is_granted


def latest_is_grant(email: str) -> Exists:
    """True in the database when the latest word of this address is "yes".

    :raises ValueError: not a mail address.
    """
    latest = _words_of(normalise_email(email)).values("pk")[:1]
    return Exists(Consent.objects.filter(pk__in=latest, is_granted=True))


def allowed(email: str, *, is_marketing: bool) -> Q:
    """The condition under which an address may be mailed, for the statement that starts a sending.

    :raises ValueError: not a mail address.
    """
    condition = ~Q(Exists(suppressions.stopping(email, is_marketing=is_marketing)))
    return condition & Q(latest_is_grant(email)) if is_marketing else condition


def may_mail(email: str) -> bool:
    """Whether marketing mail may go to this address now (False for what is no address)."""
    try:
        is_stopped = Exists(suppressions.stopping(email, is_marketing=True))
        words = _words_of(normalise_email(email)).values_list("is_granted", is_stopped)
    except ValueError:
        return False
    return words.first() == (True, False)


def _words_of(email: str) -> QuerySet[Consent]:
    """What was said about an address, the latest word first."""
    return Consent.objects.filter(email=email).order_by("-at", "-pk")
