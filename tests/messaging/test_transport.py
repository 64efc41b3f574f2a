"""The line to a real SMTP server that misbehaves in the ways servers do."""

from __future__ import annotations

import asyncio
import socket
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller

from wagtail_ma.messaging.fill import Filled
from wagtail_ma.messaging.message import compose
from wagtail_ma.messaging.transport import Fate, Line, NoConnection


class Server:
    """Takes mails; ``misbehave`` says how it answers the next ones."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.misbehave: list[str] = []
        self.sessions: set[int] = set()

    def _next(self, *known: str) -> str:
        return self.misbehave.pop(0) if self.misbehave and self.misbehave[0] in known else ""

    async def handle_RCPT(self, server, session, envelope, address, options):
        fault = self._next("450", "550", "drop before data")
        if fault == "drop before data":
            server.transport.abort()
        if fault in ("450", "550"):
            return f"{fault} 5.1.1 no"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        self.sessions.add(id(session))
        fault = self._next("drop in data", "554", "451", "hang up afterwards")
        if fault == "drop in data":
            server.transport.abort()
            return "250 never heard"
        if fault in ("554", "451"):
            return f"{fault} no"
        self.taken.append(envelope.original_content)
        if fault == "hang up afterwards":
            asyncio.get_running_loop().call_later(0.01, server.transport.abort)
        return "250 taken"


@pytest.fixture
def server(settings):
    handler = Server()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler
    controller.stop()


def a_message(text="Hello"):
    filled = Filled(
        subject="件名 🎉",
        html=f"<p>{text}</p>",
        text=text,
        from_name="Example, Inc.",
        from_email="news@example.com",
        unsubscribe_url="https://example.com/u/1",
    )
    return compose(filled, to="ann@example.com", message_id="<1@example.com>")


@pytest.mark.parametrize(
    ("fault", "fate", "is_dead"),
    [
        ("450", Fate.AGAIN, False),
        ("550", Fate.FAILED, True),
        ("451", Fate.AGAIN, False),
        ("554", Fate.FAILED, False),
        ("drop before data", Fate.AGAIN, False),
        ("drop in data", Fate.UNKNOWN, False),
    ],
)
def test_line__server_misbehaves__fate_is_told_and_next_mail_goes_out(server, fault, fate, is_dead):
    server.misbehave = [fault]
    with Line() as line:
        line.open()
        outcome = line.send(a_message())
        assert (outcome.fate, outcome.is_dead) == (fate, is_dead)
        line.open()
        assert line.send(a_message()).fate is Fate.SENT
    assert len(server.taken) == 1


def test_line__many_mails__one_session(server):
    with Line() as line:
        for _number in range(5):
            line.open()
            assert line.send(a_message()).fate is Fate.SENT
    assert len(server.sessions) == 1


def test_line__server_hung_up_while_idle__renewed_and_sent_once(server):
    server.misbehave = ["hang up afterwards"]
    with Line() as line:
        line.open()
        assert line.send(a_message()).fate is Fate.SENT
        # Until the server's hang-up has arrived.
        line._connection.connection.sock.recv(1)
        assert line.send(a_message()).fate is Fate.SENT
    assert len(server.taken) == 2
    assert len(server.sessions) == 2


def test_line__nobody_there__no_connection(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", probe.getsockname()[1]
    with Line() as line, pytest.raises(NoConnection):
        line.open()


@pytest.mark.parametrize(
    "text", ["x" * 3000, ".\r\n.hidden\r\n..\r\n", "だ" * 1200, "lone\rreturn", "㈱①髙🎉", "a\n\nb "]
)
def test_message__difficult_text__arrives_as_it_was(server, text):
    with Line() as line:
        line.open()
        assert line.send(a_message(text)).fate is Fate.SENT
    sent = message_from_bytes(server.taken[0], policy=policy.default)
    arrived = sent.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip("\n")
    wanted = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    assert arrived.strip() == wanted.strip()
    assert sent["From"].addresses[0].display_name == "Example, Inc."
    assert all(len(line) <= 998 for line in server.taken[0].split(b"\r\n"))
