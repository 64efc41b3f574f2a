"""A long history costs a sender nothing: its statements are few, and find what they need by index."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from wagtail_ma.core.many_rows import InsertRows
from wagtail_ma.messaging import claiming, dispatches, sending, settling, unsubscribing, watching
from wagtail_ma.messaging.models import Delivery, Dispatch
from wagtail_ma.messaging.models_of_sending import SendingRules

pytestmark = pytest.mark.django_db

HISTORY = 12_000
TABLE = Delivery._meta.db_table
SCAN = {
    "postgresql": re.compile(rf"Seq Scan on {TABLE}\b"),
    # (A scan of a partial index reads what is in it, not the table.)
    "sqlite": re.compile(rf"SCAN (?:{TABLE}|U\d+|[A-Z]\d+)(?! USING)"),
}


@pytest.fixture
def long_history(now):
    """What was sent in the past, to people and by sendings that are of no interest any more."""
    mail = factories.make_mail(name="Old", timing="any")
    old = Dispatch.objects.create(mail=mail, state="done", scheduled_at=now, created_at=now, ended_at=now)
    rows = [
        Delivery(
            mail=mail,
            dispatch=old,
            email=f"old{number}@example.com",
            state="sent",
            occurrence=str(number),
            send_after=now - timedelta(days=30),
            sending_at=now - timedelta(days=30),
            sent_at=now - timedelta(days=30),
            created_at=now,
        )
        for number in range(HISTORY)
    ]
    InsertRows(Delivery).run(rows)
    _analyse()


def _analyse() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {TABLE}")


def _statements(work: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as caught:
        work()
    found = [query["sql"] for query in caught]
    return [sql for sql in found if TABLE in sql and sql.startswith(("SELECT", "UPDATE", "DELETE"))]


def _scans(statements: list[str]) -> list[str]:
    """Those that read the whole table, with what the database says."""
    kind = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    found = []
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(f"{kind} {sql}")
            plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
            if SCAN[connection.vendor].search(plan):
                found.append(f"{sql}\n{plan}")
    return found


def _readers(now, count):
    for number in range(count):
        factories.make_consent(factories.make_lead(f"new{number}@example.com", now=now), now=now)


def test_plans__a_whole_sending__never_reads_the_whole_queue(now, long_history, mailoutbox):
    SendingRules.objects.create(most_per_lead=3)
    _readers(now, 4)
    mail = factories.make_mail(timing="any")
    dispatch = dispatches.plan(
        mail, include=[], exclude=[], scheduled_at=None, expected_count=4, by=None, now=now
    )
    later = now + timedelta(minutes=2)

    def everything() -> None:
        dispatches.advance(now=later)
        sending.drain(now=later, limit=2)
        dispatches.pause(dispatch.pk, now=later)
        dispatches.resume(dispatch.pk, now=later)
        dispatches.advance(now=later)
        sending.drain(now=later)
        watching.watch(dispatch.pk, now=later)
        dispatches.advance(now=later)

    statements = _statements(everything)
    assert len(mailoutbox) == 4
    assert len(statements) > 20
    assert _scans(statements) == []


def test_plans__dead_senders_and_late_mail__found_by_index(now, long_history):
    assert _scans(_statements(lambda: settling.reap(now=now))) == []
    assert _scans(_statements(lambda: settling.expire(now=now))) == []
    assert _scans(_statements(lambda: settling.is_pausing(now=now))) == []
    assert _scans(_statements(lambda: claiming.peek(now=now, limit=50))) == []
    assert _scans(_statements(lambda: list(unsubscribing._waiting("new0@example.com")))) == []


def test_plans__a_statement_that_reads_everything__is_noticed(long_history):
    assert _scans(_statements(lambda: Delivery.objects.filter(attempts=7).exists()))


@pytest.mark.parametrize("history", [0, HISTORY])
def test_claim__however_long_the_history__as_many_statements(
    now, history, request, django_assert_max_num_queries
):
    if history:
        request.getfixturevalue("long_history")
    _readers(now, 30)
    mail = factories.make_mail(name="New", timing="any")
    dispatches.plan(mail, include=[], exclude=[], scheduled_at=None, expected_count=30, by=None, now=now)
    later = now + timedelta(minutes=2)
    dispatches.advance(now=later)
    with django_assert_max_num_queries(5):
        assert len(claiming.claim("me", now=later, limit=25)) == 25
