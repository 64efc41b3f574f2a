"""One line to the mail server, and what became of what was said on it.

Goes through Django's e-mail backend, whichever it is. With SMTP the one question that decides
between "try again" and "nobody knows" is whether the text of the mail had begun to go out; that
is watched.
"""

from __future__ import annotations

import logging
import re
import smtplib
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend

from wagtail_ma.core.errors import MarketingError

logger = logging.getLogger(__name__)

# Django waits for ever by default.
TIMEOUT_SECONDS = 30
# Servers like a fresh connection now and then.
MESSAGES_PER_CONNECTION = 100
# RFC 3463: bad mailbox, bad mailbox syntax, null MX. Not 5.2.2 (full) nor 5.7.x (policy).
DEAD_ADDRESS = re.compile(r"\b5\.1\.(?:1|3|10)\b")
# RFC 3463, 7372: security or policy. Gmail 5.7.26, Yahoo 5.7.9, Microsoft 5.7.515 say "not
# authenticated"; it is about us, not about the address.
AGAINST_POLICY = re.compile(r"\b5\.7\.\d+\b|\b(?:spam|dmarc|spf|dkim|blacklist|blocklist|reputation)\b", re.I)


class NoConnection(MarketingError):
    """The mail server cannot be reached; nothing was said."""


class Fate(Enum):
    """What became of a mail."""

    SENT = "sent"
    AGAIN = "again"
    FAILED = "failed"
    UNKNOWN = "unknown"
    # The server could not be reached: nothing was said.
    UNSAID = "unsaid"


class Refusal:
    """Why a server refused a mail for good."""

    DEAD = "dead"
    POLICY = "policy"
    OTHER = "other"


@dataclass(frozen=True)
class Outcome:
    """:param detail: the server's words, for people.
    :param refusal: of a failure: one of :class:`Refusal`.
    :param is_crowded: the server wants fewer connections."""

    fate: Fate
    detail: str = ""
    refusal: str = ""
    is_crowded: bool = False

    @property
    def is_dead(self) -> bool:
        """Whether the mailbox does not exist."""
        return self.refusal == Refusal.DEAD


class Line:
    """A connection that is opened when needed, kept, and renewed when it breaks."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._used = 0
        self._has_begun = False

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Connect, unless connected.

        :raises NoConnection: the server cannot be reached or refuses us.
        """
        if self._connection is not None and self._used < MESSAGES_PER_CONNECTION:
            return
        self.close()
        try:
            connection: Any = get_connection()
            if getattr(connection, "timeout", 0) is None:
                connection.timeout = TIMEOUT_SECONDS
            connection.open()
        except Exception as error:
            raise NoConnection(_words(error)) from error
        self._connection = connection
        self._used = 0
        self._watch(connection)

    @property
    def speaks_smtp(self) -> bool:
        """Whether it is Django's own SMTP backend."""
        return isinstance(self._connection, EmailBackend)

    def close(self) -> None:
        """Hang up; never raises."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.close()
        except Exception:
            logger.info("closing the mail connection failed", exc_info=True)

    def send(self, message: EmailMessage) -> Outcome:
        """Hand over one mail. An idle line that the server has dropped is renewed once, as long as
        nothing of the mail has gone out. Never raises an ordinary exception."""
        was_used = self._used > 0
        outcome = self._send_once(message)
        if outcome.fate is Fate.AGAIN and self._connection is None and was_used:
            try:
                self.open()
            except NoConnection as error:
                return Outcome(Fate.AGAIN, str(error))
            outcome = self._send_once(message)
        return outcome

    def _send_once(self, message: EmailMessage) -> Outcome:
        self._has_begun = False
        self._used += 1
        try:
            count = self._connection.send_messages([message])
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()), (550, b""))
            return _refused(code, words)
        except smtplib.SMTPResponseException as error:
            # An answer, so the mail was not taken; smtplib has reset or closed the line.
            if error.smtp_code == 421:
                self.close()
                return Outcome(Fate.AGAIN, _words(error), is_crowded=True)
            if not 400 <= error.smtp_code < 600:
                return Outcome(Fate.UNKNOWN, _words(error))
            return _refused(error.smtp_code, error.smtp_error)
        except Exception as error:
            if (status := getattr(error, "status_code", None)) is not None:
                # A mail service (django-anymail) has answered, so it did not take the mail.
                self.close()
                return _refused_by_service(int(status), error)
            logger.warning("sending a mail was cut short", exc_info=True)
            is_smtp = self._is_watched()
            self.close()
            if is_smtp and not self._has_begun:
                return Outcome(Fate.AGAIN, _words(error))
            return Outcome(Fate.UNKNOWN, _words(error))
        if count == 0:
            self.close()
            return Outcome(Fate.FAILED, "the mail backend sent nothing")
        return Outcome(Fate.SENT)

    def _watch(self, connection: Any) -> None:
        """Notice when smtplib begins with DATA: from there on, silence means "nobody knows"."""
        smtp = getattr(connection, "connection", None)
        if not isinstance(smtp, smtplib.SMTP):
            return
        data = smtp.data

        def watched(text: Any) -> Any:
            self._has_begun = True
            return data(text)

        smtp.data = watched  # type: ignore[method-assign,assignment]

    def _is_watched(self) -> bool:
        return isinstance(getattr(self._connection, "connection", None), smtplib.SMTP)


def _refused(code: int, words: bytes | str) -> Outcome:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    detail = f"{code} {text}"[:250]
    if 400 <= code < 500:
        return Outcome(Fate.AGAIN, detail)
    if DEAD_ADDRESS.search(text):
        return Outcome(Fate.FAILED, detail, Refusal.DEAD)
    return Outcome(Fate.FAILED, detail, Refusal.POLICY if AGAINST_POLICY.search(text) else Refusal.OTHER)


def _refused_by_service(status: int, error: Exception) -> Outcome:
    """HTTP: 429 and 503 mean later; other faults of the service may hide that the mail was taken."""
    if status in (429, 503):
        return Outcome(Fate.AGAIN, _words(error), is_crowded=True)
    if 400 <= status < 500:
        return Outcome(Fate.FAILED, _words(error), Refusal.OTHER)
    return Outcome(Fate.UNKNOWN, _words(error))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:250]
