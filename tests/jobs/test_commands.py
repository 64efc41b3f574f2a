"""manage.py ma_tick and ma_doctor."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import override_settings
from django.utils import timezone

from tests.factories import page_hit
from wagtail_ma import flow
from wagtail_ma.jobs import doctor
from wagtail_ma.jobs.models import Heartbeat
from wagtail_ma.jobs.tick import optimise
from wagtail_ma.management.commands.ma_tick import Command
from wagtail_ma.people.models import News, Visitor
from wagtail_ma.tracking.models import PageView, Visit

pytestmark = pytest.mark.django_db


def ill(now: datetime) -> list[str]:
    return [finding.text for finding in doctor.examine(now=now) if not finding.is_healthy]


def beat(now: datetime, **fields: Any) -> None:
    Heartbeat.objects.create(name="tick", last_at=now, **fields)


def test_tick__once__works_and_says_so(home: Any) -> None:
    flow.record_hit(page_hit(home), now=timezone.now())
    out = StringIO()
    call_command("ma_tick", stdout=out)
    assert out.getvalue() == "Done.\n"
    assert not News.objects.exists()
    assert Heartbeat.objects.get(name="tick").error == ""


def test_optimise__once_an_hour__on_sqlite_alone(db: Any, now: datetime) -> None:
    statements: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        done = [optimise(now=now + timedelta(minutes=minutes)) for minutes in (0, 30, 61)]
    is_sqlite = connection.vendor == "sqlite"
    assert done == [is_sqlite, False, is_sqlite]
    assert statements.count("PRAGMA optimize") == 2 * is_sqlite


def test_tick__another_process_works__says_so(db: Any) -> None:
    Heartbeat.objects.create(name="tick", owner="other", lease_until=timezone.now() + timedelta(minutes=1))
    out = StringIO()
    call_command("ma_tick", stdout=out)
    assert "Another process" in out.getvalue()


def test_tick__loop_without_pause__refused(db: Any) -> None:
    with pytest.raises(CommandError):
        call_command("ma_tick", loop=0.0)


def test_tick__loop__outlives_a_fault_of_the_database(db: Any) -> None:
    def fail(*arguments: Any) -> Any:
        raise OperationalError("server closed the connection")

    errors = StringIO()
    with connection.execute_wrapper(fail):
        Command(stderr=errors)._round_or_rest(0)
    assert "trying again: server closed" in errors.getvalue()


def test_doctor__worker_never_ran__ill(home: Any, now: datetime) -> None:
    assert ill(now) == ["The background work has never run"]


def test_doctor__worker_ran_lately__well(home: Any, now: datetime) -> None:
    beat(now - timedelta(minutes=2))
    assert ill(now) == []


@pytest.mark.parametrize(
    ("silence", "error", "text"),
    [(timedelta(minutes=4), "", "last ran"), (timedelta(0), "KeyError: 'x'", "KeyError")],
)
def test_doctor__worker_silent_or_failing__ill(
    home: Any, now: datetime, silence: timedelta, error: str, text: str
) -> None:
    beat(now - silence, error=error)
    assert text in ill(now)[0]


def test_doctor__news_waiting_and_failed__shown(home: Any, now: datetime) -> None:
    beat(now)
    flow.record_hit(page_hit(home), now=now - timedelta(minutes=6))
    News.objects.create(visitor=Visitor.objects.get(), at=now, attempts=2, error="ValueError: no")
    waiting, failed = ill(now)
    assert waiting.endswith(": 1")
    assert "ValueError: no" in failed


def test_doctor__copies_left_behind__reported_and_repaired(home: Any, now: datetime) -> None:
    beat(timezone.now())
    flow.record_hit(page_hit(home), now=timezone.now())
    right = Visitor.objects.get()
    wrong = Visitor.objects.create(first_seen_at=now)
    PageView.objects.update(visitor=wrong)
    Visit.objects.update(visitor=wrong)
    News.objects.all().delete()
    with pytest.raises(SystemExit):
        call_command("ma_doctor", stdout=StringIO())
    out = StringIO()
    call_command("ma_doctor", repair=True, stdout=out)
    assert "Identities repaired: 1" in out.getvalue()
    assert (PageView.objects.get().visitor, Visit.objects.get().visitor) == (right, right)
    assert set(News.objects.values_list("visitor_id", flat=True)) == {right.pk, wrong.pk}


def test_doctor__addresses_not_included__says_what_to_add(db: Any, now: datetime) -> None:
    with override_settings(ROOT_URLCONF="wagtail.admin.urls"):
        findings = doctor.examine(now=now)
    assert 'include("wagtail_ma.urls")' in findings[0].cure
