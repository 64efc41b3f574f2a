"""Confirming an address by mail (double opt-in).

Nothing but the button in the mail proves that whoever typed an address owns it. Until then the
consent is only asked for; afterwards it is recorded, and it may lift an unsubscription.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.urls import reverse

from wagtail_ma.core import tokens
from wagtail_ma.forms import mails
from wagtail_ma.forms.models import Submission
from wagtail_ma.forms.public_form import CONSENT
from wagtail_ma.messaging import consents
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people import merge
from wagtail_ma.people.models import Identity, IdentityLink, Lead
from wagtail_ma.tracking import activities

PURPOSE = "form_confirm"
KIND = "form_confirm"
METHOD = "confirmation"
MAX_AGE = timedelta(days=mails.CONFIRM_DAYS)
# Nobody's mailbox is filled with requests to confirm, whoever types its address.
MAILS_PER_DAY = 3


def make_link(submission: Submission, *, now: datetime) -> str:
    """The path of the page with the button; valid for seven days."""
    return reverse("wagtail_ma:form_confirm", args=[tokens.dumps(PURPOSE, (submission.pk,), now=now)])


def ask(submission: Submission, lead: Lead, *, now: datetime, language: str = "") -> Delivery | None:
    """Send the mail that asks to confirm, unless this address got enough of them today.

    :returns: the planned mail, None when none is sent.
    """
    email = str(submission.data.get("email", ""))
    today = Delivery.objects.filter(
        builtin=mails.CONFIRM, email=email, created_at__gt=now - timedelta(days=1)
    )
    if today.count() >= MAILS_PER_DAY:
        return None
    submission.asked_at = now
    submission.save(update_fields=["asked_at"])
    url = make_link(submission, now=now)
    return mails.send_confirmation(submission, lead, url, now=now, language=language)


def look_up(token: str, *, now: datetime) -> Submission:
    """The submission that a link is for; changes nothing.

    :raises wagtail_ma.core.tokens.ExpiredToken: older than seven days.
    :raises wagtail_ma.core.tokens.BadToken: forged, or its sender has been erased.
    """
    payload = tokens.loads(PURPOSE, token, now=now, max_age_seconds=MAX_AGE.total_seconds())
    match payload:
        case (int(submission_id),):
            found = Submission.objects.select_related("form", "version", "identity")
            submission = found.filter(pk=submission_id).first()
            if submission is not None:
                return submission
    raise tokens.BadToken("nobody was asked to confirm this")


def confirm(token: str, *, browser_id: int | None, now: datetime) -> Submission:
    """The button was pressed: record the consent, and that the address is proven. Idempotent.

    :param browser_id: the identity of the browser in which it was pressed, None if unknown. Only
        the one that sent the form is tied to the address by it: a link can be forwarded.
    :raises wagtail_ma.core.tokens.BadToken: see :func:`look_up`.
    """
    submission = look_up(token, now=now)
    with transaction.atomic():
        # Identities first, as a merge does it: the other way round the two could block each other.
        wanted = {submission.identity_id, submission.browser_id} - {None}
        locked = merge.lock([pk for pk in wanted if pk is not None])
        pending = Submission.objects.filter(pk=submission.pk, confirmed_at__isnull=True)
        identity = locked.get(submission.identity_id)
        if identity is None or pending.update(confirmed_at=now) == 0:
            return submission
        submission.confirmed_at = now
        _record_consent(submission, identity, now=now)
        if browser_id is not None and browser_id == submission.browser_id and browser_id in locked:
            _verify(submission, locked[browser_id], now=now)
        activities.add(
            identity,
            kind=KIND,
            now=now,
            source_key=f"confirmation:{submission.pk}",
            object_kind="form",
            object_key=str(submission.form_id or ""),
            data={"form": submission.form.name if submission.form else ""},
        )
    return submission


def _record_consent(submission: Submission, identity: Identity, *, now: datetime) -> None:
    if not submission.data.get(CONSENT):
        return
    consents.record(
        identity.visitor,
        email=str(submission.data["email"]),
        is_granted=True,
        text=submission.version.content["consent_text"] if submission.version else "",
        source_kind=METHOD,
        source_key=str(submission.pk),
        now=now,
        is_verified=True,
    )


def _verify(submission: Submission, browser: Identity, *, now: datetime) -> None:
    """Note that the owner of the address sits at this browser, if it is still theirs."""
    owners = Identity.objects.filter(
        kind=Identity.Kind.EMAIL, key=submission.data["email"], visitor_id=browser.visitor_id
    )
    if owners.exists():
        IdentityLink.objects.create(
            identity=browser,
            to_visitor_id=browser.visitor_id,
            method=METHOD,
            strength=IdentityLink.Strength.VERIFIED,
            evidence={"form": submission.form_id, "submission": submission.pk},
            at=now,
        )
