"""Who a mail to many goes to: segments minus segments; and how many of them may get it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery

from wagtail_ma.core.text import normalise_email
from wagtail_ma.messaging import suppressions
from wagtail_ma.messaging.models import Consent, Mail, Suppression
from wagtail_ma.messaging.models_of_sending import Subscription
from wagtail_ma.people.models import Lead
from wagtail_ma.segments.models import Membership

# Addresses looked up by one statement.
CHUNK = 1_000


@dataclass(frozen=True)
class Counted:
    """How many people an audience has, and how many of them may be mailed now."""

    people: int
    agreed: int
    unsubscribed: int
    without_consent: int
    repeated: int


def leads(include: Collection[int], exclude: Collection[int]) -> QuerySet[Lead]:
    """The leads of an audience, by primary key; whoever is excluded from marketing is left out.

    :param include: ids of segments; empty for everybody whose latest word on mail is "yes".
    :param exclude: ids of segments whose members are left out.
    """
    found = Lead.objects.filter(visitor__merged_into__isnull=True, visitor__excluded_reason="").exclude(
        email=""
    )
    membership = Membership.objects.filter(visitor=OuterRef("visitor"))
    if include:
        found = found.filter(Exists(membership.filter(segment__in=list(include))))
    else:
        found = found.annotate(agreed=Subquery(_latest_word())).filter(agreed=True)
    if exclude:
        found = found.exclude(Exists(membership.filter(segment__in=list(exclude))))
    return found.order_by("pk")


def count(include: Collection[int], exclude: Collection[int], mail: Mail) -> Counted:
    """How many people this mail would go to now (bounded memory; a statement per thousand)."""
    people = agreed = stopped = without = repeated = 0
    seen: set[str] = set()
    rows = leads(include, exclude).values_list("email", flat=True)
    chunk: list[str] = []

    def settle() -> None:
        nonlocal agreed, stopped, without
        verdicts = refusals(chunk, mail)
        stopped += sum(verdict == "suppressed" for verdict in verdicts.values())
        without += sum(verdict == "no_consent" for verdict in verdicts.values())
        agreed += len(chunk) - len(verdicts)
        chunk.clear()

    for email in rows.iterator(chunk_size=CHUNK):
        people += 1
        try:
            address = normalise_email(email)
        except ValueError:
            without += 1
            continue
        if address in seen:
            repeated += 1
            continue
        seen.add(address)
        chunk.append(address)
        if len(chunk) >= CHUNK:
            settle()
    settle()
    return Counted(people, agreed, stopped, without, repeated)


def refusals(emails: Collection[str], mail: Mail) -> dict[str, str]:
    """Those of these (normalised) addresses that this mail may not go to now, with the reason: one of
    ``reasons``. Two statements, three where the mail has a topic. The fence asks again."""
    hashes = {digest: email for email in emails for digest in suppressions.hashes(email)}
    rows = Suppression.objects.filter(email_hash__in=hashes)
    if not mail.is_marketing:
        rows = rows.filter(reason__in=suppressions.STOPS_EVERYTHING)
    found = {hashes[digest]: "suppressed" for digest in rows.values_list("email_hash", flat=True)}
    if not mail.is_marketing:
        return found
    latest: dict[str, bool] = {}
    words = Consent.objects.filter(email__in=emails).order_by("at", "pk")
    latest.update(words.values_list("email", "is_granted"))
    for email in emails:
        if not latest.get(email):
            found.setdefault(email, "no_consent")
    if mail.topic is not None:
        choices = Subscription.objects.filter(topic=mail.topic, email_hash__in=hashes)
        wanted = {
            hashes[digest]: is_wanted
            for digest, is_wanted in choices.order_by("at").values_list("email_hash", "is_wanted")
        }
        for email in emails:
            if not wanted.get(email, mail.topic.is_default):
                found.setdefault(email, "not_subscribed")
    return found


def _latest_word() -> QuerySet[Consent, bool]:
    # By the lead's address as it is stored; consents hold the normalised one, so does identify().
    words = Consent.objects.filter(email=OuterRef("email")).order_by("-at", "-pk")
    return words.annotate(word=F("is_granted")).values_list("word", flat=True)[:1]
