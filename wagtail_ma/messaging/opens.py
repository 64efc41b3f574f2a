"""A mail was opened, says its picture. Weak evidence: never a trigger, never points."""

from __future__ import annotations

from datetime import datetime

from django.db import DatabaseError
from django.db.models import F

from wagtail_ma.core.tokens import BadToken, read_mail_token
from wagtail_ma.messaging import fill
from wagtail_ma.messaging.models import Delivery, MailVersion
from wagtail_ma.messaging.models_of_sending import MailCount
from wagtail_ma.people import unrecorded
from wagtail_ma.tracking.bots import is_bot
from wagtail_ma.tracking.writing import Busy, write_facts

# Proxies that fetch the pictures of mails, whether or not somebody looks: Gmail's and Yahoo's say so;
# Apple's privacy protection says nothing but this.
PROXIES = ("googleimageproxy", "yahoomailproxy", "ggpht.com")
APPLE = "Mozilla/5.0"


def record_open(token: str, *, method: str, user_agent: str, now: datetime) -> bool:
    """Note that the picture of a mail was fetched; only the first time is kept.

    :returns: whether anything was noted. What is no token of ours is not, nor what is opened by
        somebody who is not recorded.
    """
    if method != "GET":
        return False
    is_machine = looks_like_proxy(user_agent)
    try:
        public_id, _number = read_mail_token(fill.OPEN, token)
    except BadToken:
        return _count(token, is_machine)
    name = "machine_opened_at" if is_machine else "opened_at"
    unseen = Delivery.objects.filter(public_id=public_id, **{f"{name}__isnull": True})
    # Asked first: most fetches are repetitions, and a write waits for the one lock of SQLite.
    email = unseen.values_list("email", flat=True).first()
    if email is None or unrecorded.has_address(email):
        return False
    try:
        with write_facts():
            return bool(unseen.update(**{name: now}))
    except (Busy, DatabaseError):
        return False


def looks_like_proxy(user_agent: str) -> bool:
    """Whether a picture was fetched by a mail provider's machine."""
    lowered = user_agent.lower()
    return user_agent.strip() == APPLE or any(name in lowered for name in PROXIES) or is_bot(user_agent)


def count(version_id: int, link: int, *, is_machine: bool) -> bool:
    """One more, where nobody is told from the others (a link by number, or ``MailCount.OPENED``)."""
    if not MailVersion.objects.filter(pk=version_id).exists():
        return False
    try:
        with write_facts():
            row, _made = MailCount.objects.get_or_create(
                version_id=version_id, link=link, is_machine=is_machine
            )
            MailCount.objects.filter(pk=row.pk).update(count=F("count") + 1)
    except (Busy, DatabaseError):
        return False
    return True


def _count(token: str, is_machine: bool) -> bool:
    try:
        version_id, _number = read_mail_token(fill.COUNTED_OPEN, token)
    except BadToken:
        return False
    return count(version_id, MailCount.OPENED, is_machine=is_machine)
