"""django-q2 as it really runs: a cluster as a process of its own, on the broker of the settings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from tests.factories import page_hit
from wagtail_ma import flow
from wagtail_ma.jobs import queue
from wagtail_ma.people.models import News
from wagtail_ma.scoring.models import Standing

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPT = Path(__file__).with_name("cluster.py")
PATIENCE_SECONDS = 60


@contextmanager
def cluster() -> Iterator[subprocess.Popen[bytes]]:
    """A running cluster, ended with all its children."""
    database = str(connection.settings_dict["NAME"])
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), database],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def within(act: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if act():
            return True
        time.sleep(0.2)
    return False


@pytest.fixture(autouse=True)
def fresh_queue(monkeypatch: Any) -> Iterator[None]:
    """Nothing waits from earlier tests, and this process may send a wake-up at once."""
    from django_q.brokers import get_broker

    broker = get_broker()
    broker.purge_queue()
    monkeypatch.setattr(queue, "_last_wake", 0.0)
    monkeypatch.setattr(queue, "_is_scheduled", False)
    yield
    broker.purge_queue()


def test_hit__wakes_a_real_cluster__which_reacts(home: Any) -> None:
    with cluster():
        flow.record_hit(page_hit(home), now=timezone.now())
        assert News.objects.exists()
        queue.wake()
        assert within(lambda: not News.objects.exists())
    assert Standing.objects.exists()


def test_wake_up__lost_by_the_broker__made_up_by_the_next(home: Any) -> None:
    from django_q.brokers import get_broker

    flow.record_hit(page_hit(home), now=timezone.now())
    queue.wake()
    get_broker().purge_queue()
    assert News.objects.exists()
    with cluster():
        # As the minute tick does.
        from django_q.tasks import async_task

        async_task("wagtail_ma.jobs.queue.run_minute", q_options={"save": False})
        assert within(lambda: not News.objects.exists())


def test_wake_up__twice_at_once__one_standing(home: Any) -> None:
    from django_q.tasks import async_task

    flow.record_hit(page_hit(home), now=timezone.now())
    for _again in range(5):
        async_task("wagtail_ma.jobs.queue.run_minute", q_options={"save": False})
    with cluster():
        assert within(lambda: not News.objects.exists())
    assert Standing.objects.count() == 1


def test_broker__of_the_settings__is_the_one_that_runs() -> None:
    from django_q.brokers import get_broker

    kind = type(get_broker()).__module__.rsplit(".", 1)[-1]
    assert kind == ("redis_broker" if "redis" in settings.Q_CLUSTER else "orm")
