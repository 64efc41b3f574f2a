"""The e-mail itself: addresses and headers. Nothing an editor or a visitor wrote names a header."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formataddr
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from django.core.mail import EmailMultiAlternatives

from wagtail_ma.conf import conf
from wagtail_ma.messaging.fill import Filled


class MailMessage(EmailMultiAlternatives):
    """Built once: checked before the sending is written down, then handed over as it is."""

    @cached_property
    def _built(self) -> Any:
        return super().message()

    def message(self, **options: Any) -> Any:
        return self._built


def compose(
    filled: Filled, *, to: str, message_id: str, marked: Mapping[str, str] | None = None
) -> MailMessage:
    """Make the e-mail; nothing of it can be changed afterwards.

    :param to: a normalised address.
    :param marked: further headers of ours (:func:`stream_headers`).
    :param message_id: with angle brackets; the same at every attempt.
    :raises ValueError: (Django's BadHeaderError) a header would be broken.
    """
    message = MailMessage(
        subject=filled.subject,
        body=filled.text,
        from_email=formataddr((filled.from_name, filled.from_email)) if filled.from_email else None,
        to=[to],
        headers={**headers(filled.unsubscribe_url, filled.from_email, message_id), **(marked or {})},
    )
    message.attach_alternative(filled.html, "text/html")
    message.message()
    return message


def message_id(public_id: int, from_email: str) -> str:
    """The Message-ID of a delivery, drawn before the first attempt and kept."""
    domain = from_email.rpartition("@")[2] or urlsplit(conf.BASE_URL).hostname or "localhost"
    return f"<ma.{public_id:016x}@{domain}>"


def headers(unsubscribe_url: str, from_email: str, message_id: str) -> dict[str, str]:
    """The headers that are the same for every way of sending; all of them ASCII on one line.

    :param unsubscribe_url: "" in mail that nobody can unsubscribe.
    """
    found = {
        "Message-ID": message_id,
        # RFC 3834: sent by a machine; absence notes need not answer (the second is for Exchange).
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    if unsubscribe_url:
        domain = from_email.rpartition("@")[2] or "localhost"
        # RFC 2369 and 8058: one POST, without log-in, cookie or page.
        found["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        found["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        found["List-Id"] = f"<marketing.{domain}>"
    return found


def stream_headers(kind: str, mail_id: int | None, from_email: str) -> dict[str, str]:
    """What tells mail services which stream a mail belongs to, never whom it is for.

    Gmail's Feedback-ID: up to three fields of ours, then a stable name of the sender (5 to 15
    characters). :raises ValueError: never; odd characters are left out.
    """
    domain = re.sub(r"[^a-z0-9]", "", from_email.rpartition("@")[2].lower())
    return {"Feedback-ID": f"{mail_id or 0}:{kind}:wagtail-ma:{(domain or 'localhost')[:15].ljust(5, '0')}"}
