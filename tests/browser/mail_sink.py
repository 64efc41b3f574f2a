"""An SMTP server in the test process that keeps what it is given."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


class MailSink:
    """All mails that came in, oldest first."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to one address so far."""
        return [mail for mail in self.mails if address in str(mail["To"])]

    def wait(
        self,
        address: str,
        matches: Callable[[EmailMessage], bool] = lambda mail: True,
        *,
        seconds: float = 30,
    ) -> EmailMessage:
        """The first mail to ``address`` that matches; AssertionError when none comes in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for mail in self.to(address):
                if matches(mail):
                    return mail
            time.sleep(0.1)
        subjects = [str(mail["Subject"]) for mail in self.to(address)]
        raise AssertionError(f"no such mail to {address} in {seconds} s; there are {subjects}")


def body(mail: EmailMessage, kind: str = "plain") -> str:
    """The text of a mail: ``"plain"`` or ``"html"``."""
    part = mail.get_body((kind,))
    assert part is not None, f"the mail has no {kind} part"
    return str(part.get_content())


@contextmanager
def running_sink() -> Iterator[MailSink]:
    """A sink on a free port until the block ends."""
    sink = MailSink()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        sink.port = probe.getsockname()[1]
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
