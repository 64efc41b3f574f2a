"""Senders are killed in the middle of everything: nobody gets a mail twice, nobody is forgotten."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from django.db import connection
from django.utils import timezone

from tests import factories
from wagtail_ma.messaging import queue, sending
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.messaging.models_of_sending import SendingRules

# The whole storm: WAGTAIL_MA_STORM_MAILS=2000 (some minutes).
MAILS = int(os.environ.get("WAGTAIL_MA_STORM_MAILS", "120"))
MESSAGE_ID = re.compile(rb"^Message-ID: *(<[^>]+>)", re.I | re.M)


class Sink:
    """A mail server that remembers what it has taken. As slow as a real one, so that many senders
    die between their first byte and its answer."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.readers: Counter[str] = Counter()

    async def handle_DATA(self, server, session, envelope):
        await asyncio.sleep(0.02)
        self.taken[MESSAGE_ID.search(envelope.original_content)[1].decode()] += 1
        self.readers[envelope.rcpt_tos[0]] += 1
        await asyncio.sleep(0.02)
        return "250 taken"


@contextmanager
def running(handler):
    """The server on a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        handler.port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()


@pytest.fixture
def sink():
    with running(Sink()) as handler:
        yield handler


def plan(people, *, occurrences=("storm",)):
    now = timezone.now()
    mail = factories.make_mail(timing="any")
    for number in range(people):
        lead = factories.make_lead(f"p{number}@example.com", now=now)
        factories.make_consent(lead, now=now)
        for occurrence in occurrences:
            queue.enqueue(mail, lead, occurrence=occurrence, now=now)
    return now


def senders(sink, *options):
    """Run the nursery to its end: how many were killed, and how many failed by themselves."""
    script = Path(__file__).with_name("mail_senders.py")
    database = str(connection.settings_dict["NAME"])
    arguments = [sys.executable, str(script), database, str(sink.port), "1", *options]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=420, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    kills, _poisoned, failures = map(int, done.stdout.split())
    return kills, failures


@pytest.mark.parametrize("connections", [1, 3])
def test_storm__senders_killed_all_the_time__no_mail_twice_none_forgotten(
    transactional_db, sink, connections
):
    now = plan(MAILS)
    most = str(max(30, MAILS // 10))
    kills, failures = senders(sink, "--connections", str(connections), "--most-kills", most)
    sending.reap(now=now + timedelta(hours=1))

    state = dict(Delivery.objects.values_list("message_id", "state"))
    failed = Delivery.objects.exclude(state__in=["sent", "unknown"])
    assert list(failed.values_list("state", "reason", "claims", "attempts")) == []
    assert len(state) == MAILS
    assert [key for key, count in sink.taken.items() if count > 1] == []
    # What is called sent has arrived; what has arrived is called sent or unknown.
    sent = {key for key, value in state.items() if value == "sent"}
    assert sent <= sink.taken.keys() <= state.keys()
    # The storm was one, and each death cost at most one mail's certainty for each connection.
    assert kills >= 3
    assert failures == 0
    assert MAILS - len(sent) <= kills * connections
    # And nothing of it is ever sent again by itself.
    before = sum(sink.taken.values())
    assert sending.drain(now=now + timedelta(hours=2)) == 0
    assert sum(sink.taken.values()) == before


def test_senders__eight_at_once__each_mail_once(transactional_db, sink):
    plan(100)
    kills, failures = senders(sink, "--senders", "8", "--most-kills", "0", "--connections", "2")
    assert (kills, failures) == (0, 0)
    assert len(sink.taken) == 100 and set(sink.taken.values()) == {1}
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}


def test_senders__cap_of_two__nobody_ever_gets_three(transactional_db, sink):
    SendingRules.objects.create(most_per_lead=2, most_per_lead_days=7)
    plan(15, occurrences="abcd")
    senders(sink, "--senders", "6", "--most-kills", "0", "--connections", "2")
    assert len(sink.readers) == 15 and set(sink.readers.values()) == {2}
    assert Counter(Delivery.objects.values_list("state", flat=True)) == {"sent": 30, "skipped": 30}


def test_senders__one_mail_kills_its_sender__given_up_others_arrive(transactional_db, sink):
    plan(12)
    senders(sink, "--senders", "2", "--most-kills", "0", "--poison", "p5@example.com")
    found = dict(Delivery.objects.values_list("email", "state"))
    assert found.pop("p5@example.com") == "failed"
    poison = Delivery.objects.get(state="failed")
    assert (poison.reason, poison.claims) == ("poison", 3), "three senders died, no more"
    # (The first death may cost one mail that was being handed over its certainty.)
    assert set(found.values()) <= {"sent", "sending"} and set(sink.readers.values()) == {1}
    assert list(found.values()).count("sent") >= 12 - 1 - 1


def test_senders__so_many_a_minute__no_more_though_several_send_and_are_killed(transactional_db, sink):
    allowed, most_kills, batch = 20, 5, 2
    SendingRules.objects.create(per_minute=allowed)
    plan(60)
    storm = {"senders": 3, "most-kills": most_kills, "batch": batch, "minute": allowed}
    kills, failures = senders(sink, *(f"--{name}={value}" for name, value in storm.items()))
    assert (kills, failures) == (most_kills, 0)
    # What a killed sender had taken from the limit, a batch and the mail before it, is lost for this
    # minute; all else has left.
    assert allowed - kills * (batch + 1) <= sum(sink.taken.values()) <= allowed
    assert Delivery.objects.filter(state__in=["ready", "claimed"]).count() >= 60 - allowed


def test_send_loop__sigterm_in_the_middle__ends_soon_and_knows_everything(transactional_db, sink):
    plan(120)
    code = (
        "import sys; from django.conf import settings as s; import os;"
        "os.environ['DJANGO_SETTINGS_MODULE']='tests.settings';"
        "s.DATABASES['default']['NAME']=sys.argv[1];"
        "s.EMAIL_BACKEND='django.core.mail.backends.smtp.EmailBackend';"
        "s.EMAIL_HOST='127.0.0.1'; s.EMAIL_PORT=int(sys.argv[2]);"
        "from django.core.management import execute_from_command_line as run;"
        "run(['manage.py', 'ma_send_loop'])"
    )
    root = Path(__file__).resolve().parents[2]
    database = str(connection.settings_dict["NAME"])
    loop = subprocess.Popen([sys.executable, "-c", code, database, str(sink.port)], cwd=root)
    until = time.monotonic() + 60
    while len(sink.taken) < 10 and time.monotonic() < until:
        time.sleep(0.05)
    loop.send_signal(signal.SIGTERM)
    assert loop.wait(timeout=15) == 0
    states = Counter(Delivery.objects.values_list("state", flat=True))
    assert states.keys() <= {"sent", "ready"}
    assert 10 <= states["sent"] == len(sink.taken) < 120
