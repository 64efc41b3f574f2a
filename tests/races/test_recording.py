"""Several processes record at the same time; here threads with connections of their own."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, close_old_connections, connection, connections, transaction
from django.test import Client
from django.urls import reverse

from tests.factories import CHROME, engagement_hit, page_hit
from wagtail_ma import flow
from wagtail_ma.people import drawn_keys
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.tracking import batch, page_token, pages, writing
from wagtail_ma.tracking.hits import Heard
from wagtail_ma.tracking.models import PageView, TrackedPage, Visit
from wagtail_ma.tracking.page_token import PageRef
from wagtail_ma.tracking.writing import Busy, write_facts, write_raw

pytestmark = pytest.mark.django_db(transaction=True)


def together(*calls: Callable[[], Any]) -> None:
    """Run all calls in threads that start at the same moment; a failure in one fails the test."""
    start = threading.Barrier(len(calls))
    failures: list[BaseException] = []

    def run(call: Callable[[], Any]) -> None:
        try:
            start.wait(timeout=30)
            call()
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failures, failures


def record(hit: Any, now: datetime) -> None:
    """As the tracker does it: when the server is busy, again."""
    for _ in range(50):
        try:
            flow.record_hit(hit, now=now)
            return
        except Busy:
            continue
    raise AssertionError("busy for ever")


@contextmanager
def write_lock() -> Iterator[None]:
    """Another process holds SQLite's write lock."""
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


only_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite has one writer")


def test_first_hits_of_a_visit__at_once__one_visit(home: Any, now: datetime) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    later = now + timedelta(hours=2)
    together(*[lambda: record(page_hit(home, browser_key=key), later) for _ in range(6)])
    assert (Visit.objects.count(), PageView.objects.count()) == (2, 7)


def test_same_message__at_once__one_row(home: Any, now: datetime) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    hit = page_hit(home, browser_key=key)
    together(*[lambda: record(hit, now) for _ in range(6)])
    assert PageView.objects.filter(view_id=hit.view_id).count() == 1


def test_first_messages_of_a_view__at_once_and_without_cookie__one_visitor(home: Any, now: datetime) -> None:
    for _ in range(8):
        view_id = uuid4()
        hits = [
            page_hit(home, view_id=view_id, referrer="https://www.bing.com/"),
            engagement_hit(view_id, 3, page=home),
            engagement_hit(view_id, 4, page=home),
        ]
        together(*[lambda hit=hit: record(hit, now + timedelta(seconds=4)) for hit in hits])
    assert (Visitor.objects.count(), Identity.objects.count(), Visit.objects.count()) == (8, 8, 8)
    assert set(PageView.objects.values_list("engaged_seconds", flat=True)) == {4}
    assert set(Visit.objects.values_list("medium", flat=True)) == {"organic"}


def test_totals_of_one_view__at_once__largest_wins(home: Any, now: datetime) -> None:
    view_id = uuid4()
    key = flow.record_hit(page_hit(home, view_id=view_id), now=now).browser_key
    later = now + timedelta(minutes=2)
    hits = [engagement_hit(view_id, s, page=home, browser_key=key) for s in (5, 20, 35, 50, 65, 110)]
    together(*[lambda hit=hit: record(hit, later) for hit in hits])
    assert PageView.objects.get().engaged_seconds == 110


def test_first_hits_of_a_page__at_once__one_page(home: Any, now: datetime) -> None:
    pages.forget()
    together(*[lambda: record(page_hit(home), now) for _ in range(4)])
    assert (TrackedPage.objects.count(), Visitor.objects.count(), PageView.objects.count()) == (1, 4, 4)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs row locks")
def test_batches_of_the_same_messages__at_once__everything_once(home: Any, now: datetime) -> None:
    for _ in range(6):
        hits = [page_hit(home) for _ in range(5)]
        heard = [
            Heard(
                hit._replace(
                    browser_key=drawn_keys.draw(hit.view_id, now=now), is_key_fresh=True, is_first=True
                ),
                now,
            )
            for hit in hits
        ]
        # (A message is sent again to another process when the answer to it got lost.)
        together(
            *[lambda heard=heard: write_patiently(heard) for _ in range(2)],
            *[lambda heard=heard[::-1]: write_patiently(heard) for _ in range(2)],
        )
        views = [
            Heard(each.hit._replace(view_id=uuid4(), is_first=False), now + timedelta(seconds=5))
            for each in heard
        ]
        in_another_order = views[::-1]
        together(
            *[lambda views=views: write_patiently(views) for _ in range(2)],
            *[lambda views=in_another_order: write_patiently(views) for _ in range(2)],
        )
    assert (Visitor.objects.count(), Identity.objects.count(), Visit.objects.count()) == (30, 30, 30)
    assert PageView.objects.count() == 60


def write_patiently(heard: list[Heard]) -> None:
    """As the buffer does it."""
    for _ in range(50):
        try:
            batch.write_all(heard)
            return
        except Busy:
            time.sleep(0.01)
    raise AssertionError("busy for ever")


def test_hit_during_a_merge__facts_follow_the_identity(home: Any, now: datetime) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    winner = Visitor.objects.create(first_seen_at=now)
    merging, hitting = threading.Event(), threading.Event()

    def merge() -> None:
        with transaction.atomic():
            identity = Identity.objects.select_for_update().get(key=key)
            merging.set()
            hitting.wait(timeout=30)
            identity.visitor = winner
            identity.save()
            Visit.objects.filter(identity=identity).update(visitor=winner)
            PageView.objects.filter(visit__identity=identity).update(visitor=winner)

    def hit() -> None:
        merging.wait(timeout=30)
        hitting.set()
        record(page_hit(home, browser_key=key), now)

    together(merge, hit)
    assert set(PageView.objects.values_list("visitor_id", flat=True)) == {winner.pk}
    assert PageView.objects.count() == 2


def test_remembered_page__deleted_meanwhile__recorded_anew(home: Any, now: datetime) -> None:
    flow.record_hit(page_hit(home), now=now)
    TrackedPage.objects.all().delete()
    flow.record_hit(page_hit(home), now=now)
    assert PageView.objects.get().tracked_page.page_id == home.pk


@only_sqlite
def test_write_facts__database_locked__busy_soon_and_time_out_restored(now: datetime) -> None:
    with connection.cursor() as cursor:
        usual = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
    with write_lock():
        began = time.monotonic()
        with pytest.raises(Busy), write_facts():
            raise AssertionError("not reached")
        # The project's own time-out is 20 seconds.
        assert writing.LOCK_WAIT_MS / 1000 * 0.8 < time.monotonic() - began < 2
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA busy_timeout").fetchone()[0] == usual == 20_000
    with write_facts():
        Visitor.objects.create(first_seen_at=now)
    assert Visitor.objects.count() == 1


@only_sqlite
@pytest.mark.parametrize("way", [write_facts, lambda: nullcontext(write_raw(connection, lambda _raw: None))])
def test_first_write_of_a_thread__not_connected_yet__written(way: Any, now: datetime) -> None:
    def write() -> None:
        with way():
            pass
        Visitor.objects.create(first_seen_at=now)

    together(write)
    assert Visitor.objects.count() == 1


@only_sqlite
def test_write_raw__database_locked__busy_soon_and_time_out_restored(now: datetime) -> None:
    usual = connection.cursor().execute("PRAGMA busy_timeout").fetchone()[0]
    done: list[int] = []
    with write_lock():
        began = time.monotonic()
        with pytest.raises(Busy):
            write_raw(connection, lambda _raw: done.append(1))
        assert writing.LOCK_WAIT_MS / 1000 * 0.8 < time.monotonic() - began < 2
    assert not done
    assert connection.cursor().execute("PRAGMA busy_timeout").fetchone()[0] == usual == 20_000
    write_raw(connection, _insert_visitor)
    assert Visitor.objects.count() == 1


def _insert_visitor(raw: Any) -> None:
    raw.execute(
        "INSERT INTO wagtail_ma_visitor (first_seen_at, bucket, excluded_reason, is_customer) "
        "VALUES ('2026-03-03 00:00:00', 1, '', 0)"
    )


@only_sqlite
def test_write_raw__lock_free_after_a_moment__written() -> None:
    is_held = threading.Event()

    def hold() -> None:
        with write_lock():
            is_held.set()
            time.sleep(0.05)

    def write() -> None:
        is_held.wait(5)
        write_raw(connection, _insert_visitor)

    together(hold, write)
    assert Visitor.objects.count() == 1


def test_write_raw__reader_in_the_way_of_the_commit__waits_for_it(tmp_path: Path) -> None:
    """A database without write-ahead log: nobody commits while somebody reads."""
    path = tmp_path / "rollback.sqlite3"
    writer = sqlite3.connect(path, isolation_level=None, timeout=0)
    writer.execute("CREATE TABLE t (n)")
    writer.execute("INSERT INTO t VALUES (1), (2)")
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    rows = reader.execute("SELECT n FROM t")
    rows.fetchone()
    waiting = threading.Timer(0.05, rows.close)
    waiting.start()
    writing._in_transaction(writer, lambda raw: raw.execute("INSERT INTO t VALUES (3)"))
    waiting.join()
    assert reader.execute("SELECT COUNT(*) FROM t").fetchone() == (3,)


@only_sqlite
@pytest.mark.parametrize("is_nested", [False, True])
def test_write_raw__fails_half_way__nothing_written_and_next_one_works(is_nested: bool) -> None:
    def fail(raw: Any) -> None:
        _insert_visitor(raw)
        raise RuntimeError("half way")

    def break_a_rule(raw: Any) -> None:
        _insert_visitor(raw)
        raw.execute(
            "INSERT INTO wagtail_ma_identity (kind, key, visitor_id, created_at) VALUES ('', '', 0, '')"
        )

    with transaction.atomic() if is_nested else nullcontext():
        with pytest.raises(RuntimeError):
            write_raw(connection, fail)
        assert Visitor.objects.count() == 0
    if not is_nested:
        # (The foreign key is looked at in the end.)
        with pytest.raises(IntegrityError):
            write_raw(connection, break_a_rule)
        assert Visitor.objects.count() == 0
    write_raw(connection, _insert_visitor)
    assert Visitor.objects.count() == 1 and connection.get_autocommit()


@only_sqlite
def test_hit__database_locked__503_page_renders_and_resent_message_is_recorded(
    home: Any, client: Client, now: datetime, caplog: Any
) -> None:
    token = page_token.make(PageRef(None, home.pk, "/", "en"))
    body = json.dumps({"k": "p", "v": str(uuid4()), "t": token, "u": "http://testserver/"})

    def post() -> Any:
        return client.post(reverse("wagtail_ma:hit"), body, content_type="text/plain", HTTP_USER_AGENT=CHROME)

    flow.record_hit(page_hit(home), now=now)
    client.get("/")
    with write_lock():
        refused = post()
        assert (refused.status_code, refused["Retry-After"]) == (503, "1")
        assert client.get("/").status_code == 200
    # Errors are mailed to administrators; this is none.
    assert "ERROR" not in {record.levelname for record in caplog.records}
    assert post().status_code == 204
    close_old_connections()
    assert PageView.objects.count() == 2
