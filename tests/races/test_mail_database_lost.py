"""The database goes away in the middle of sending: nobody gets a mail twice, and sending goes on."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from tests.races.test_mail_storm import Sink, plan, running
from wagtail_ma.messaging import sending
from wagtail_ma.messaging.models import Delivery

MAILS = 24
# ``ma_send_loop`` on the test database; on SQLite it waits a moment for the lock, not long.
LOOP = """
import os, sys
from django.conf import settings as s
os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'
s.DATABASES['default']['NAME'] = sys.argv[1]
if 'timeout' in s.DATABASES['default'].get('OPTIONS', {}):
    s.DATABASES['default']['OPTIONS']['timeout'] = 0.3
s.EMAIL_BACKEND = 'django.core.mail.backends.smtp.EmailBackend'
s.EMAIL_HOST, s.EMAIL_PORT = '127.0.0.1', int(sys.argv[2])
s.WAGTAIL_MA = {**s.WAGTAIL_MA, 'MAIL_CONNECTIONS': int(sys.argv[3])}
import django
django.setup()
from datetime import timedelta
from wagtail_ma.messaging import claiming
# What was taken, and could not even be given back, is free again soon.
claiming.CLAIM_LEASE = timedelta(seconds=1)
from django.core.management import execute_from_command_line as run
run(['manage.py', 'ma_send_loop', '--pause', '0.2'])
"""


class Cutting(Sink):
    """Takes the database away between taking a mail and saying so: twice in a sending."""

    def __init__(self, cut):
        super().__init__()
        self.cut, self.cut_at = cut, [5, 18]

    async def handle_DATA(self, server, session, envelope):
        answer = await super().handle_DATA(server, session, envelope)
        if self.cut_at and sum(self.taken.values()) >= self.cut_at[0]:
            self.cut_at.pop(0)
            self.cut()
        return answer


def cut_postgresql():
    """What a restart does to every connection, the sender's among them."""
    import psycopg

    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        dbname=settings["NAME"],
        autocommit=True,
    ) as own:
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        own.execute(query)


def cut_sqlite():
    """Somebody holds the one write lock for longer than the sender waits for it."""
    held, name = threading.Event(), str(connection.settings_dict["NAME"])

    def hold():
        own = sqlite3.connect(name, isolation_level=None, timeout=5)
        own.execute("BEGIN IMMEDIATE")
        held.set()
        time.sleep(1.2)
        own.execute("ROLLBACK")
        own.close()

    threading.Thread(target=hold, daemon=True).start()
    assert held.wait(10)


@pytest.mark.parametrize("connections", [1, 3])
def test_send_loop__database_lost_between_the_servers_answer_and_ours__goes_on_and_nobody_twice(
    transactional_db, connections
):
    now = plan(MAILS)
    database = str(connection.settings_dict["NAME"])
    cut = cut_postgresql if connection.vendor == "postgresql" else cut_sqlite
    # (Our own connection is cut as well.)
    connection.close()
    with running(Cutting(cut)) as sink:
        command = [sys.executable, "-c", LOOP, database, str(sink.port), str(connections)]
        root = Path(__file__).resolve().parents[2]
        loop = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while sum(sink.taken.values()) < MAILS and time.monotonic() < until and loop.poll() is None:
            time.sleep(0.1)
        time.sleep(0.5)
        loop.terminate()
        _out, words = loop.communicate(timeout=20)
    assert loop.returncode == 0, words[-3000:]
    assert "the database could not be reached" in words
    assert len(sink.taken) == MAILS and set(sink.taken.values()) == {1}
    sending.reap(now=now + timedelta(hours=1))
    states = Counter(Delivery.objects.values_list("state", flat=True))
    assert states.keys() == {"sent", "unknown"}
    assert 1 <= states["unknown"] <= 2 * connections
    assert sending.drain(now=timezone.now() + timedelta(hours=2)) == 0, "never again by itself"
