"""The e-mail itself: addresses and headers. Nothing an editor or a visitor wrote names a header."""

from __future__ import annotations

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


def compose(filled: Filled, *, to: str, message_id: str) -> MailMessage:
    """Make the e-mail; nothing of it can be changed afterwards.

    :param to: a normalised address.
    :param message_id: with angle brackets; the same at every attempt.
    :raises ValueError: (Django's BadHeaderError) a header would be broken.
    """
    message = MailMessage(
        subject=filled.subject,
        body=filled.text,
        from_email=formataddr((filled.from_name, filled.from_email)) if filled.from_email else None,
        to=[to],
        headers=_headers(filled, message_id),
    )
    message.attach_alternative(filled.html, "text/html")
    message.message()
    return message


def message_id(public_id: int, from_email: str) -> str:
    """The Message-ID of a delivery, drawn before the first attempt and kept."""
    domain = from_email.rpartition("@")[2] or urlsplit(conf.BASE_URL).hostname or "localhost"
    return f"<ma.{public_id:016x}@{domain}>"


def _headers(filled: Filled, message_id: str) -> dict[str, str]:
    headers = {
        "Message-ID": message_id,
        # RFC 3834: sent by a machine; absence notes need not answer (the second is for Exchange).
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    if filled.unsubscribe_url:
        domain = filled.from_email.rpartition("@")[2] or "localhost"
        # RFC 2369 and 8058: one POST, without log-in, cookie or page.
        headers["List-Unsubscribe"] = f"<{filled.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        headers["List-Id"] = f"<marketing.{domain}>"
    return headers
