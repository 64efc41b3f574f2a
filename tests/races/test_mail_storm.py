"""Senders are killed in the middle of everything: nobody gets a mail twice, nobody is forgotten."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from django.db import connection
from django.utils import timezone

from tests import factories
from wagtail_ma.messaging import queue, sending
from wagtail_ma.messaging.models import Delivery

MAILS = 120
MESSAGE_ID = re.compile(rb"^Message-ID: *(<[^>]+>)", re.I | re.M)


class Sink:
    """A mail server that remembers what it has taken. As slow as a real one, so that many senders
    die between their first byte and its answer."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    async def handle_DATA(self, server, session, envelope):
        await asyncio.sleep(0.02)
        self.taken[MESSAGE_ID.search(envelope.original_content)[1].decode()] += 1
        await asyncio.sleep(0.02)
        return "250 taken"


@pytest.fixture
def sink():
    handler = Sink()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        handler.port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    yield handler
    controller.stop()


@pytest.fixture
def planned(transactional_db):
    now = timezone.now()
    mail = factories.make_mail()
    for number in range(MAILS):
        lead = factories.make_lead(f"p{number}@example.com", now=now)
        factories.make_consent(lead, now=now)
        queue.enqueue(mail, lead, occurrence="storm", now=now)
    return now


def test_storm__senders_killed_all_the_time__no_mail_twice_none_forgotten(planned, sink):
    script = Path(__file__).with_name("mail_senders.py")
    database = str(connection.settings_dict["NAME"])
    arguments = [sys.executable, str(script), database, str(sink.port), "1"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    kills, failures = map(int, done.stdout.split())
    sending.reap(now=planned + timedelta(hours=1))

    state = dict(Delivery.objects.values_list("message_id", "state"))
    assert Counter(state.values()).keys() <= {"sent", "unknown"}
    assert len(state) == MAILS
    assert [key for key, count in sink.taken.items() if count > 1] == []
    # What is called sent has arrived; what has arrived is called sent or unknown.
    sent = {key for key, value in state.items() if value == "sent"}
    assert sent <= sink.taken.keys() <= state.keys()
    # The storm was one, and each death cost at most one mail's certainty.
    assert kills >= 3
    assert failures == 0
    assert MAILS - len(sent) <= kills
    # And nothing of it is ever sent again by itself.
    before = sum(sink.taken.values())
    assert sending.drain(now=planned + timedelta(hours=2)) == 0
    assert sum(sink.taken.values()) == before
