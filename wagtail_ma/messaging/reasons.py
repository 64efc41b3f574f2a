"""A delivery in words: what it was, and why it did not go out (short codes in the table)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from wagtail_ma.messaging.models import Delivery

NOT_READY = "not_ready"
NO_CONSENT = "no_consent"
SUPPRESSED = "suppressed"
UNSUBSCRIBED = "unsubscribed"
LEAD_GONE = "lead_gone"
BAD_ADDRESS = "bad_address"
BROKEN = "broken"
TOO_LATE = "too_late"
INTERRUPTED = "interrupted"
NO_CONNECTION = "no_connection"
GAVE_UP = "gave_up"
CANCELLED = "cancelled"
REPEATED = "repeated"
NOT_SUBSCRIBED = "not_subscribed"
ENOUGH = "enough"
PACE = "pace"
GOAL = "goal"
POISON = "poison"
NOT_ALLOWED = "not_allowed"
TOO_MANY_FAILED = "too_many_failed"
TOO_MANY_DEAD = "too_many_dead"
POLICY = "policy"

LABELS = {
    NOT_READY: _("The mail was not ready to be sent (not published, or something missing)."),
    NO_CONSENT: _("The person has not agreed to marketing mail."),
    SUPPRESSED: _("The address must not be mailed (unsubscribed, dead, or stopped by hand)."),
    UNSUBSCRIBED: _("Unsubscribed before it went out."),
    LEAD_GONE: _("The person's record was deleted."),
    BAD_ADDRESS: _("The address is not a mail address."),
    BROKEN: _("The mail could not be put together."),
    TOO_LATE: _("It should have gone out long before; nothing was sending then."),
    INTERRUPTED: _("The sender was interrupted. It may or may not have arrived, and is not sent again."),
    NO_CONNECTION: _("The mail server cannot be reached; it is tried again."),
    GAVE_UP: _("The mail server put it off too often."),
    CANCELLED: _("The sending was cancelled."),
    REPEATED: _("Another person with the same address gets it."),
    NOT_SUBSCRIBED: _("The person does not subscribe to this topic."),
    ENOUGH: _("The person got as many mails as anybody may get in these days."),
    PACE: _("The person wants mail less often, and had some lately."),
    GOAL: _("The person is in the segment that does not get this mail."),
    POISON: _("Sending it stopped the sender again and again."),
    NOT_ALLOWED: _("This installation may only mail the addresses on its list (MAIL_ALLOWLIST)."),
    TOO_MANY_FAILED: _("Paused by itself: too many of the last mails failed."),
    TOO_MANY_DEAD: _("Paused by itself: too many addresses do not exist."),
    POLICY: _("Paused by itself: mail servers refuse this mail by their rules (authentication, spam)."),
}


def label(reason: str) -> str:
    """The reason for people; what the mail server said is shown as it is."""
    code, _colon, words = reason.partition(": ")
    if code not in LABELS:
        return reason
    return f"{LABELS[code]} {words}".strip()


def title_of(delivery: Delivery) -> str:
    """The mail's name, or the subject of one that we wrote ourselves."""
    return str(delivery.mail or delivery.extra.get("subject") or delivery.extra.get("title") or "—")
