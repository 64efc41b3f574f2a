"""Processes that gather hits end, or are killed in the middle: nothing doubled, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from tests.factories import CHROME, engagement_hit, page_hit
from wagtail_ma import flow
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.tracking import page_token
from wagtail_ma.tracking import stream as stream_module
from wagtail_ma.tracking.models import Activity, PageView, Visit
from wagtail_ma.tracking.page_token import PageRef

redis = pytest.importorskip("redis")
URL = "redis://127.0.0.1:6379/15"
PEOPLE, VIEWS_EACH = 40, 6


@pytest.fixture
def stream(settings: Any, monkeypatch: Any) -> Any:
    name = f"wagtail_ma:test:{uuid4().hex}"
    client = redis.Redis.from_url(URL, socket_connect_timeout=1)
    try:
        client.ping()
    except redis.RedisError:
        pytest.skip("Redis does not answer")
    settings.WAGTAIL_MA = {"RECORDING": "redis", "REDIS_URL": URL, "REDIS_STREAM": name}
    # A busy machine is slow to answer: no reason to go round Redis here.
    monkeypatch.setattr(stream_module, "CONNECT_SECONDS", 10)
    monkeypatch.setattr(stream_module, "ANSWER_SECONDS", 10)
    monkeypatch.setattr(stream_module, "stream", stream_module.Stream())
    yield name
    client.delete(name)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [1, 2])
def test_writers_killed_while_hits_arrive__nothing_lost_nothing_doubled(
    stream: str, home: Any, seed: int
) -> None:
    database = str(connection.settings_dict["NAME"])
    script = Path(__file__).with_name("hit_writers.py")
    command = [sys.executable, str(script), database, stream, str(seed)]
    nursery = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    now = timezone.now()
    keys: list[str | None] = [None] * PEOPLE
    for number in range(VIEWS_EACH):
        for person in range(PEOPLE):
            at = now + timedelta(seconds=number)
            common = {"browser_key": keys[person], "is_key_fresh": keys[person] is not None}
            hit = page_hit(home, **common)
            recorded = flow.receive(hit, now=at)
            keys[person] = keys[person] or recorded.browser_key
            common = {"browser_key": keys[person], "is_key_fresh": True}
            flow.receive(
                engagement_hit(hit.view_id, number, page=home, **common), now=at + timedelta(seconds=9)
            )
        act = page_hit(home, kind="c", event_id=uuid4(), name="video_play", **common)
        flow.receive(act, now=at)
    out, _ = nursery.communicate(timeout=120)
    kills, _died, failures = map(int, out.split())
    assert (nursery.returncode, failures) == (0, 0)
    assert kills > 3
    assert redis.Redis.from_url(URL).xlen(stream) == 0
    assert PageView.objects.count() == PEOPLE * VIEWS_EACH
    assert sorted(PageView.objects.values_list("engaged_seconds", flat=True)) == sorted(
        [float(number) for number in range(VIEWS_EACH)] * PEOPLE
    )
    assert (Visitor.objects.count(), Identity.objects.count(), Visit.objects.count()) == (PEOPLE,) * 3
    assert Activity.objects.count() == VIEWS_EACH


def post(port: int, token: str) -> int:
    body = {"k": "p", "v": str(uuid4()), "t": token, "u": "http://localhost/"}
    headers = {"Content-Type": "text/plain", "User-Agent": CHROME, "Host": "localhost"}
    request = Request(f"http://127.0.0.1:{port}/ma/e/", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=30) as answer:
        return answer.status


@pytest.fixture
def server() -> Any:
    """gunicorn with two workers that gather hits and do not write them for a while."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = str(connection.settings_dict["NAME"])
    application = Path(__file__).with_name("buffered_wsgi.py").stem
    # fmt: off
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", f"tests.races.{application}", "--bind", f"127.0.0.1:{port}",
         "--workers", "2", "--log-level", "error", "--no-control-socket"],
        env={**os.environ, "BUFFERED_DATABASE": database},
        cwd=Path(__file__).resolve().parents[2],
    )
    # fmt: on
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield process, port
    process.kill()
    process.wait()


@pytest.mark.django_db(transaction=True)
def test_server_ends_by_sigterm__what_was_gathered_is_written(home: Any, server: Any) -> None:
    process, port = server
    token = page_token.make(PageRef(None, home.pk, "/", "en"))
    assert [post(port, token) for _ in range(20)] == [204] * 20
    assert PageView.objects.count() == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert (PageView.objects.count(), Visitor.objects.count()) == (20, 20)
