"""What ten million views cost later: roll-ups, reports, deletion. ``python -m benchmarks.history``

Fills a PostgreSQL database of its own by SQL (30 months; a million visitors), measures, and drops it.
Takes a quarter of an hour and about 6 GB of disk; ``--views`` makes it smaller. ``--write`` puts the
table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

from benchmarks import run

NAME = "wagtail_ma_bench_history"
MONTHS = 30
# Of all views, the share of the first page; of the others, each gets as many as any.
TOP_SHARE = 10
PAGES = 500
VIEWS_PER_VISIT = 3
# What a deletion may not do to recording: a hit each so many seconds, meanwhile.
PAUSE_SECONDS = 0.05
OLD_SHARE = 10


def main() -> None:
    """Set up, measure in a process of its own, clear away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--views", type=int, default=10_000_000)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print("\n".join(measure(options.views)))
        return
    lines = run.in_own_database(NAME, "benchmarks.history", "--views", str(options.views), content=True)
    print("\n".join(lines))
    if options.write:
        run.write(lines, "history")


def measure(views: int) -> list[str]:
    """Markdown."""
    import django

    django.setup()
    from django.utils import timezone

    now = timezone.now()
    rows: list[tuple[str, str, str]] = []

    def note(what: str, seconds: float, budget: float | None = None) -> None:
        verdict = "" if budget is None else f"{'kept' if seconds <= budget else 'MISSED'}: {budget:g} s"
        rows.append((what, f"{seconds * 1000:,.0f} ms" if seconds < 10 else f"{seconds:,.0f} s", verdict))
        print(*rows[-1], sep="  ", file=sys.stderr, flush=True)

    note("filling the tables (SQL)", _timed(lambda: _fill(views)))
    note(f"roll-up of {MONTHS} months, never counted before", _timed(lambda: _roll_up(now)))
    note("roll-up, nothing due", _timed(lambda: _roll_up(now)))
    _measure_screens(note, now)
    _measure_deletion(note, views)
    _measure_page(note)
    lines = [f"| {views:,} views, PostgreSQL | time | budget |", "|---|---:|---|"]
    return [*lines, *(f"| {what} | {took} | {verdict} |" for what, took, verdict in rows)]


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _roll_up(now: Any) -> None:
    from wagtail_ma.tracking import rollups

    while rollups.roll_up(now=now, limit=31):
        pass


def _fill(views: int) -> None:
    """Rows in the order of time, as they would have come."""
    from django.db import connection

    from company.models import ProductPage
    from wagtail_ma.people.models import Identity, Visitor
    from wagtail_ma.tracking.models import PageView, TrackedPage, Visit

    people, visits = views // 10, views // VIEWS_PER_VISIT
    page = ProductPage.objects.live().first()
    step = f"interval '{MONTHS} months' / {views}"
    at = f"now() - interval '{MONTHS} months' + n * {step}"
    with connection.cursor() as cursor:
        # Foreign keys hold by construction; checking each one would take the better part of the time.
        cursor.execute("SET session_replication_role = replica")
        insert(cursor, TrackedPage, PAGES, id="n", key="'bench:' || n", url="'http://localhost/' || n",
                title="'Page ' || n", first_seen_at="now()", labelled_at="now()",
                page_id=f"CASE WHEN n = 1 THEN {page.pk} END")  # fmt: skip
        seen = f"now() - interval '{MONTHS} months'"
        insert(cursor, Visitor, people, id="n", first_seen_at=seen, bucket="n % 10000")
        insert(cursor, Identity, people, id="n", kind="'browser'", key="md5(n::text)", visitor_id="n",
                created_at=seen)  # fmt: skip
        who = f"(n::bigint * 7919) % {people} + 1"
        start = at.replace("n *", f"n * {VIEWS_PER_VISIT} *")
        insert(cursor, Visit, visits, id="n", identity_id=who, visitor_id=who, started_at=start,
                last_at=f"{start} + {VIEWS_PER_VISIT - 1} * {step}", medium="'organic'",
                landing_id=f"n % {PAGES} + 1")  # fmt: skip
        visit = f"(n - 1) / {VIEWS_PER_VISIT} + 1"
        whose = who.replace("n::bigint", f"({visit})::bigint")
        other = f"(n::bigint * 104729) % {PAGES - 1} + 2"
        insert(cursor, PageView, visits * VIEWS_PER_VISIT, visit_id=visit, visitor_id=whose, at=at,
                source="'script'",
                tracked_page_id=f"CASE WHEN n % {TOP_SHARE} = 0 THEN 1 ELSE {other} END",
                view_id="(lpad(to_hex(n), 12, '0') || substr(md5(n::text), 1, 20))::uuid",
                engaged_seconds="(n * 31 % 1200) / 10.0", visible_seconds="(n * 31 % 1200) / 10.0",
                scroll_percent="n % 101")  # fmt: skip
        cursor.execute("SET session_replication_role = DEFAULT")
        for model in (TrackedPage, Visitor, Identity, Visit, PageView):
            table = model._meta.db_table
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
            cursor.execute(f"VACUUM ANALYZE {table}")


def insert(cursor: Any, model: Any, count: int, **given: str) -> None:
    """``count`` rows (n = 1 …), with what is given as SQL and else nothing in it."""
    usual = {"CharField": "''", "BooleanField": "false", "JSONField": "'{}'"}
    values = {}
    for field in model._meta.concrete_fields:
        if field.attname in given:
            values[field.column] = given[field.attname]
        elif not field.primary_key:
            nothing = "NULL" if field.null else usual.get(field.get_internal_type(), "0")
            values[field.column] = nothing
    columns = ", ".join(f'"{name}"' for name in values)
    select = ", ".join(values.values())
    source = f"generate_series(1, {count}) AS n"
    cursor.execute(f"INSERT INTO {model._meta.db_table} ({columns}) SELECT {select} FROM {source}")


def _measure_screens(note: Any, now: Any) -> None:
    from django.contrib.auth import get_user_model
    from django.test import Client

    from wagtail_ma.admin.page_report import report_url
    from wagtail_ma.reports.overview import overview
    from wagtail_ma.reports.pages import page_report

    for days in (30, 90):
        note(f"numbers of the overview, {days} days", _median(lambda d=days: overview(now=now, days=d)), 1)
        note(
            f"numbers of the most viewed page, {days} days",
            _median(lambda d=days: page_report([1], now=now, days=d)),
            1,
        )
    client = Client(headers={"host": "localhost"})
    client.force_login(get_user_model().objects.create_superuser("bench"))
    for what, url in (
        ("screen: overview", "/admin/marketing/"),
        ("screen: report of the most viewed page", report_url(1)),
    ):
        answer = client.get(url)
        if answer.status_code != 200:
            raise SystemExit(f"{url}: {answer.status_code}")
        note(what, _median(lambda u=url: client.get(u)), 1)


def _median(call: Callable[[], Any], rounds: int = 5) -> float:
    return statistics.median(_timed(call) for _ in range(rounds))


def _measure_deletion(note: Any, views: int) -> None:
    """Old rows go while hits come in."""
    from django.db import connections
    from django.utils import timezone

    from wagtail_ma import flow
    from wagtail_ma.scoring.carry import carry_forward
    from wagtail_ma.tracking import retention
    from wagtail_ma.tracking.hits import Hit

    is_over = threading.Event()
    waits: list[float] = []

    def record() -> None:
        key = None
        while not is_over.wait(PAUSE_SECONDS):
            at = timezone.now()
            hit = Hit(kind="p", view_id=uuid4(), url="http://localhost/now/", browser_key=key)
            began = time.perf_counter()
            key = flow.record_hit(hit, now=at).browser_key
            waits.append(time.perf_counter() - began)
        connections.close_all()

    def delete() -> None:
        deleted, now = 0, timezone.now()
        while deleted < views / OLD_SHARE:
            some = retention.prune(now=now, carry=partial(carry_forward, now=now))
            if not some:
                raise SystemExit("There are fewer old rows than were to be deleted.")
            deleted += some

    recorder = threading.Thread(target=record)
    recorder.start()
    time.sleep(5)
    alone = sorted(waits)
    waits.clear()
    note(f"deleting {views // OLD_SHARE:,} old rows in small portions", _timed(delete))
    busy = sorted(waits)
    is_over.set()
    recorder.join()
    note("recording a hit, alone: median", statistics.median(alone))
    note("recording a hit while rows are deleted: median", statistics.median(busy))
    note("… 99 of 100 within", busy[int(len(busy) * 0.99)], 0.25)


def _measure_page(note: Any) -> None:
    from company.models import ProductPage
    from wagtail_ma.tracking.models import PageView, TrackedPage

    viewed = TrackedPage.objects.get(pk=1)
    count = PageView.objects.filter(tracked_page=viewed).count()
    other = ProductPage.objects.exclude(pk=viewed.page_id).first()
    plain = _timed(other.delete)
    page = ProductPage.objects.get(pk=viewed.page_id)
    note("deleting a page without views", plain)
    note(f"deleting a page with {count:,} views", _timed(page.delete), max(plain * 3, 1))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
