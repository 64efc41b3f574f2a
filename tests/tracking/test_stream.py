"""Hits that go through Redis."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import page_hit
from wagtail_ma import flow
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.tracking import stream as stream_module
from wagtail_ma.tracking.hits import Heard, Hit
from wagtail_ma.tracking.models import PageView, Visit
from wagtail_ma.tracking.page_token import PageRef
from wagtail_ma.tracking.stream import FIELD, Stream, Unavailable, Writer, dump, load

redis = pytest.importorskip("redis")
URL = "redis://127.0.0.1:6379/15"


def is_there() -> bool:
    try:
        return redis.Redis.from_url(URL, socket_connect_timeout=1).ping()
    except redis.RedisError:
        return False


needs_redis = pytest.mark.skipif(not is_there(), reason="Redis does not answer")
texts = st.text(max_size=40)


@pytest.fixture
def stream(settings: Any, monkeypatch: Any) -> Any:
    """A stream of its own, removed afterwards."""
    name = f"wagtail_ma:test:{uuid4().hex}"
    settings.WAGTAIL_MA = {"RECORDING": "redis", "REDIS_URL": URL, "REDIS_STREAM": name}
    own = Stream()
    monkeypatch.setattr(stream_module, "stream", own)
    yield own
    redis.Redis.from_url(URL).delete(name)


@given(
    hit=st.builds(
        Hit,
        kind=st.sampled_from("pec"),
        view_id=st.uuids(),
        url=texts,
        browser_key=st.none() | texts,
        page=st.none()
        | st.builds(PageRef, site_id=st.integers(), page_id=st.none(), path=texts, locale=texts),
        referrer=texts,
        engaged_ms=st.integers(0, 10**9),
        event_id=st.none() | st.uuids(),
        data=st.dictionaries(texts, texts | st.integers() | st.booleans() | st.none(), max_size=3),
        is_bot=st.booleans(),
        is_key_fresh=st.booleans(),
        source=st.sampled_from(["script", "server"]),
        user_agent=texts,
        title=texts,
    ),
    at=st.datetimes(timezones=st.just(UTC)),
)
def test_message__dumped_and_loaded__same(hit: Hit, at: datetime) -> None:
    assert load({FIELD: dump(Heard(hit, at))}) == Heard(hit, at)


@pytest.mark.parametrize("body", [{}, {FIELD: b"{"}, {FIELD: b'{"kind": "p"}'}, {FIELD: b"[]"}, None])
def test_entry__not_ours__logged_and_skipped(body: Any, caplog: Any) -> None:
    assert load(body) is None
    assert "no hit" in caplog.text


@needs_redis
@pytest.mark.django_db
def test_hits__through_redis__written_once(stream: Any, home: Any, now: datetime) -> None:
    first = flow.receive(page_hit(home), now=now)
    assert first.browser_key and first.is_fresh
    for second in range(1, 4):
        hit = page_hit(home, browser_key=first.browser_key, is_key_fresh=True)
        flow.receive(hit, now=now + timedelta(seconds=second))
    assert not PageView.objects.exists()
    assert flow.write_gathered() == 4
    assert flow.write_gathered() == 0
    assert (Visitor.objects.count(), Visit.objects.count(), PageView.objects.count()) == (1, 1, 4)


@needs_redis
@pytest.mark.django_db
def test_writer_that_died_after_reading__another_one_writes_it(
    stream: Any, home: Any, now: datetime, monkeypatch: Any
) -> None:
    flow.receive(page_hit(home), now=now)
    dead = Writer("dead")
    assert len(dead._new(0)) == 1
    living = Writer("living")
    assert living.work() == 0
    monkeypatch.setattr(stream_module, "DEAD_AFTER_MS", 0)
    assert Writer("next").work() == 1
    assert PageView.objects.count() == 1
    assert living.waiting() == 0


@needs_redis
@pytest.mark.django_db
def test_writer_that_died_before_acknowledging__nothing_doubled(
    stream: Any, home: Any, now: datetime, monkeypatch: Any
) -> None:
    flow.receive(page_hit(home), now=now)
    act = page_hit(home, kind="c", event_id=uuid4(), name="video_play", browser_key="b", is_key_fresh=True)
    flow.receive(act, now=now)
    writer = Writer("one")
    entries = writer._new(0)
    stream_module.batch.write_all([load(body) for _id, body in entries])
    assert writer.work() == 2
    assert (PageView.objects.count(), Visit.objects.count()) == (1, 2)


@pytest.mark.django_db
def test_redis_away__recorded_directly_and_said_once(
    stream: Any, settings: Any, home: Any, now: datetime, caplog: Any
) -> None:
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "REDIS_URL": "redis://127.0.0.1:1/0"}
    with caplog.at_level(logging.ERROR):
        first = flow.receive(page_hit(home), now=now)
        for _ in range(3):
            flow.receive(page_hit(home, browser_key=first.browser_key, is_key_fresh=True), now=now)
    assert caplog.text.count("recorded without Redis") == 1
    assert (Visitor.objects.count(), PageView.objects.count()) == (1, 4)


@needs_redis
@pytest.mark.django_db
def test_answer_got_lost_though_the_message_was_taken__browser_gets_its_key(
    stream: Any, home: Any, now: datetime, monkeypatch: Any
) -> None:
    def taken_and_written(heard: Heard) -> None:
        Stream._add(stream, heard)
        flow.write_gathered()
        raise TimeoutError

    monkeypatch.setattr(stream, "_add", taken_and_written)
    recorded = flow.receive(page_hit(home), now=now)
    assert recorded.browser_key == Identity.objects.get().key
    assert (Visitor.objects.count(), PageView.objects.count()) == (1, 1)


@needs_redis
def test_stream__nearly_full__not_taken(stream: Any, settings: Any, now: datetime) -> None:
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "REDIS_MAX_HITS": 10}
    for _ in range(10):
        stream.add(Heard(page_hit(), now))
    stream._looked_at = -1e9
    with pytest.raises(Unavailable):
        stream.add(Heard(page_hit(), now))
    assert Writer().waiting() == 10


@needs_redis
def test_stream__connection_closed_by_redis__same_message_on_a_new_one(stream: Any, now: datetime) -> None:
    stream.add(Heard(page_hit(), now))
    mine = stream._lines.line.ask("CLIENT", "ID")
    assert redis.Redis.from_url(URL).client_kill_filter(_id=mine) == 1
    stream.add(Heard(page_hit(), now))
    assert Writer().waiting() == 2


@needs_redis
def test_stream__answer_too_late__not_taken_for_the_next_one(
    stream: Any, now: datetime, monkeypatch: Any
) -> None:
    monkeypatch.setattr(stream_module, "ANSWER_SECONDS", 0.1)
    stream.add(Heard(page_hit(), now))
    line, name = stream._lines.line, stream_module.conf.REDIS_STREAM
    with pytest.raises(redis.TimeoutError):
        line.ask("BLPOP", f"{name}:nothing", 1)
    # (The late answer to that would be "nothing".)
    assert line.ask("XLEN", name) == 1


@needs_redis
def test_stream__redis_refuses_a_command__said_and_not_sent_twice(stream: Any, now: datetime) -> None:
    stream.add(Heard(page_hit(), now))
    line = stream._lines.line
    with pytest.raises(redis.ResponseError):
        line.ask("XADD", stream_module.conf.REDIS_STREAM)
    stream.add(Heard(page_hit(), now))
    assert Writer().waiting() == 2
