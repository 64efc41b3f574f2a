"""The whole way to a real SMTP server, with the answers that servers give."""

from __future__ import annotations

import socket
import time
from collections import Counter
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller

from tests import factories
from wagtail_ma.messaging import dispatches, queue, reasons, sending, transport
from wagtail_ma.messaging.models import Delivery, Dispatch, Suppression

pytestmark = pytest.mark.django_db

ONCE = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Feedback-ID")
UNSUBSCRIBE = ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Auto-Submitted")


class Server:
    """Takes mails; ``answers`` says what to answer to RCPT by address, ``after`` when to say 421."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.answers: dict[str, str] = {}
        self.sessions: Counter[int] = Counter()
        self.most_per_session = 0
        self.slow = 0.0

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.answers.get(address) or self.answers.get("*")
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_MAIL(self, server, session, envelope, address, options):
        import asyncio

        await asyncio.sleep(self.slow)
        self.sessions[id(session)] += 1
        if self.most_per_session and self.sessions[id(session)] > self.most_per_session:
            return "421 4.7.0 enough for now"
        envelope.mail_from = address
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        self.taken.append((envelope.rcpt_tos[0], envelope.original_content))
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


def plan(now, count, *, occurrence="", mail=None, **fields):
    mail = mail or factories.make_mail(timing="any")
    for number in range(count):
        lead = factories.make_lead(f"p{number}@example.com", now=now, **fields)
        factories.make_consent(lead, now=now)
        queue.enqueue(mail, lead, occurrence=occurrence, now=now)
    return mail


def test_drain__real_server__one_header_each_and_both_parts(now, server):
    plan(now, 3, family_name="髙橋")
    assert sending.drain(now=now) == 3
    assert len(server.sessions) == 1, "one connection for all"
    for to, data in server.taken:
        sent = message_from_bytes(data, policy=policy.default)
        assert [len(sent.get_all(name)) for name in (*ONCE, *UNSUBSCRIBE)] == [1] * 12
        delivery = Delivery.objects.get(email=to)
        assert sent["To"] == to and sent["Message-ID"] == delivery.message_id
        assert sent["List-Unsubscribe"].startswith("<http") and sent["List-Unsubscribe"].count("<") == 1
        fields = sent["Feedback-ID"].split(":")
        assert len(fields) == 4 and 5 <= len(fields[3]) <= 15
        assert str(delivery.public_id) not in sent["Feedback-ID"] and to not in sent["Feedback-ID"]
        assert "髙橋" in sent.get_body(("html",)).get_content()
        assert "髙橋" in sent.get_body(("plain",)).get_content()
        assert max(map(len, data.split(b"\r\n"))) <= 78 + 20
        assert data.isascii()


def test_drain__put_off__same_message_id_at_the_next_try(now, server):
    plan(now, 1)
    server.answers["*"] = "450 4.2.1 later"
    sending.drain(now=now)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("ready", 1)
    server.answers.clear()
    sending.drain(now=now + timedelta(minutes=2))
    sent = message_from_bytes(server.taken[0][1], policy=policy.default)
    assert sent["Message-ID"] == delivery.message_id


def test_drain__dead_address__suppressed_and_the_connection_goes_on(now, server):
    plan(now, 3)
    server.answers["p1@example.com"] = "550 5.1.1 nobody here"
    sending.drain(now=now)
    failed = Delivery.objects.get(email="p1@example.com")
    assert (failed.state, failed.refusal) == ("failed", "dead")
    assert Suppression.objects.count() == 1
    assert len(server.taken) == 2 and len(server.sessions) == 1


@pytest.mark.parametrize(
    "words", ["550 5.7.26 unauthenticated", "550 5.7.515 access denied", "554 looks like SPAM"]
)
def test_drain__against_policy__paused_and_nobody_suppressed(now, server, words, monkeypatch):
    monkeypatch.setattr(sending, "WATCH_EVERY", 1)
    mail = factories.make_mail(timing="any")
    for number in range(12):
        factories.make_consent(factories.make_lead(f"p{number}@example.com", now=now), now=now)
    dispatches.plan(mail, include=[], exclude=[], scheduled_at=None, expected_count=12, by=None, now=now)
    later = now + timedelta(minutes=1)
    dispatches.advance(now=later)
    server.answers["*"] = words
    sending.drain(now=later)
    dispatch = Dispatch.objects.get()
    assert (dispatch.state, dispatch.reason) == ("paused", reasons.POLICY)
    states = Counter(Delivery.objects.values_list("state", flat=True))
    assert states["failed"] == 5 and states["planned"] == 7
    assert not Suppression.objects.exists()


def test_drain__421_after_some_mails__new_connection_none_lost_none_twice(now, server):
    server.most_per_session = 3
    plan(now, 10)
    sending.drain(now=now)
    for minutes in (2, 10, 30, 100):
        sending.drain(now=now + timedelta(minutes=minutes))
    assert Counter(to for to, _data in server.taken) == {f"p{n}@example.com": 1 for n in range(10)}
    assert len(server.sessions) >= 4


def test_drain__server_as_slow_as_tar__ends_in_time(now, server, monkeypatch):
    monkeypatch.setattr(sending, "DRAIN_SECONDS", 0.5)
    monkeypatch.setattr(transport, "TIMEOUT_SECONDS", 1)
    server.slow = 0.4
    plan(now, 20)
    began = time.monotonic()
    done = sending.drain(now=now)
    assert time.monotonic() - began < 10 and 0 < done < 20
    states = Counter(Delivery.objects.values_list("state", flat=True))
    assert states == {"sent": done, "ready": 20 - done}


def test_drain__several_connections__all_arrive_once(transactional_db, now, server, settings):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "MAIL_CONNECTIONS": 5}
    server.slow = 0.02
    plan(now, 40)
    assert sending.drain(now=now) == 40
    assert Counter(to for to, _data in server.taken) == {f"p{n}@example.com": 1 for n in range(40)}
    assert 1 < len(server.sessions) <= 5


def test_drain__several_connections_to_a_server_that_takes_one__fewer_are_used(
    transactional_db, now, server, settings
):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "MAIL_CONNECTIONS": 4}
    server.most_per_session = 5
    plan(now, 30)
    for minutes in (0, 2, 10, 30, 100, 400):
        sending.drain(now=now + timedelta(minutes=minutes))
    assert Counter(to for to, _data in server.taken) == {f"p{n}@example.com": 1 for n in range(30)}


@pytest.mark.parametrize("name", ["x\r\nBcc: evil@example.com", "x\nBcc: e@example.com", "\u202eevil\x1b"])
def test_drain__line_breaks_from_a_form__no_header_at_the_server(now, server, name):
    mail = factories.make_mail(subject='For {{ lead.full_name|default:"you" }}', timing="any")
    plan(now, 1, mail=mail, family_name=name)
    sending.drain(now=now)
    sent = message_from_bytes(server.taken[0][1], policy=policy.default)
    assert sent["Bcc"] is None and len(sent.get_all("To")) == 1
    assert "\n" not in str(sent["Subject"])


def test_drain__words_of_another_language__arrive_as_written(now, server):
    words = "㈱ ① 髙 﨑 ～ 🎉 " * 9
    mail = factories.make_mail(subject=words[:60].strip(), text=f"<p>{words}</p><p>.</p>", timing="any")
    plan(now, 1, mail=mail)
    sending.drain(now=now)
    sent = message_from_bytes(server.taken[0][1], policy=policy.default)
    assert sent["Subject"] == words[:60].strip()
    assert words.strip() in sent.get_body(("plain",)).get_content()


def test_drain__mail_service_of_anymail__gets_text_html_and_headers(now, settings):
    from django.core import mail as outgoing

    settings.EMAIL_BACKEND = "anymail.backends.test.EmailBackend"
    plan(now, 2)
    assert sending.drain(now=now) == 2
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
    handed = outgoing.outbox[0].anymail_test_params
    assert handed["to"][0].addr_spec == "p0@example.com"
    assert "Hello" in handed["text_body"] and "<html" in handed["html_body"]
    assert handed["extra_headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize(
    ("status", "state"), [(429, "ready"), (503, "ready"), (400, "failed"), (500, "unknown")]
)
def test_drain__mail_service_refuses__settled_accordingly(now, settings, monkeypatch, status, state):
    import requests
    from anymail.backends.test import EmailBackend
    from anymail.exceptions import AnymailRequestsAPIError

    def refuse(self, messages):
        answer = requests.Response()
        answer.status_code, answer.reason, answer._content = status, "no", b"{}"
        raise AnymailRequestsAPIError("no", response=answer)

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    settings.EMAIL_BACKEND = "anymail.backends.test.EmailBackend"
    plan(now, 1)
    sending.drain(now=now)
    assert Delivery.objects.get().state == state
