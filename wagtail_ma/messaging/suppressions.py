"""Addresses that must not be mailed, kept by keyed hash only.

A hash survives erasing the person and importing them again, and tells nobody the address. The
part behind a plus sign is left out: ``ann+news@`` and ``ann@`` are one mailbox, and being too
careful costs one mail, not one complaint.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from django.db.models import QuerySet

from wagtail_ma.conf import conf
from wagtail_ma.core.text import normalise_email
from wagtail_ma.messaging.models import Suppression

UNSUBSCRIBED = "unsubscribe"
HARD_BOUNCE = "hard_bounce"
MANUAL = "manual"

# Not even a download link: the mailbox does not exist.
STOPS_EVERYTHING = (HARD_BOUNCE,)


def hashes(email: str) -> list[str]:
    """The keyed hashes of an address, under the newest secret first (hexadecimal).

    Several, because the installation's secrets may have been changed since a row was written.

    :raises ValueError: not a mail address.
    """
    local, _at, domain = normalise_email(email).rpartition("@")
    mailbox = f"{local.split('+')[0] or local}@{domain}".encode()
    return [
        hmac.digest(secret, b"wagtail_ma.suppression\x00" + mailbox, hashlib.sha256).hex()
        for secret in conf.secrets()
    ]


def add(email: str, *, reason: str, now: datetime) -> Suppression:
    """Stop mailing an address; harmless when repeated (a graver reason replaces a lighter one).

    :param reason: one of the constants of this module.
    :raises ValueError: not a mail address.
    """
    newest, *_older = known = hashes(email)
    present = Suppression.objects.filter(email_hash__in=known).order_by("pk").first()
    if present is None:
        present, _created = Suppression.objects.get_or_create(
            email_hash=newest, defaults={"reason": reason, "at": now}
        )
    if present.reason == UNSUBSCRIBED and reason != UNSUBSCRIBED:
        present.reason = reason
        present.save(update_fields=["reason"])
    return present


def lift_unsubscription(email: str) -> None:
    """Forget an unsubscription because the person has opted in anew (other reasons stay)."""
    Suppression.objects.filter(email_hash__in=hashes(email), reason=UNSUBSCRIBED).delete()


def stopping(email: str, *, is_marketing: bool) -> QuerySet[Suppression]:
    """The rows that forbid a mail to this address, for use in ``Exists``.

    :param is_marketing: transactional mail is stopped by dead addresses only.
    :raises ValueError: not a mail address.
    """
    rows = Suppression.objects.filter(email_hash__in=hashes(email))
    return rows if is_marketing else rows.filter(reason__in=STOPS_EVERYTHING)
