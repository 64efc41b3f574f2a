"""Full refresh of twenty typical segments against SQL written by hand, on PostgreSQL.

    python -m benchmarks.segments [--visitors N] [--large] [--rounds N] [--fill] [--keep]

Makes a database of its own, fills it with visitors and ten views each (--large: one million visitors) and
compares: both ways must find the same people, in at most 1.5 times the time. The statements written by
hand are in ``benchmarks/reference/segments.py``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

LARGE = 1_000_000
DATABASE = "wagtail_ma_bench_segments"
POSTGRES = os.environ.get("POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")
# Share of all views, by popularity of the page: the first few are what everybody reads.
PAGES = 200

FILL = [
    "INSERT INTO wagtail_ma_visitor (id, first_seen_at, bucket, excluded_reason, is_customer) "
    "SELECT n, now() - (n %% 365) * interval '1 day', (n::bigint * 7919) %% 10000, '', false "
    "FROM generate_series(1, {n}) n",
    "INSERT INTO wagtail_ma_identity (id, kind, key, visitor_id, created_at) "
    "SELECT n, 'browser', 'b' || n, n, now() FROM generate_series(1, {n}) n",
    "INSERT INTO wagtail_ma_visit (id, identity_id, visitor_id, started_at, last_at, referrer_host, medium, "
    "source, campaign, device, language, country, region, is_bot) "
    "SELECT n, v, v, at, at + interval '5 minutes', '', "
    "(ARRAY['organic','direct','paid','referral','email'])[1 + floor(random() * 5)::int], '', '', "
    "(ARRAY['desktop','mobile'])[1 + floor(random() * 2)::int], 'ja', '', '', n %% 50 = 0 FROM "
    "(SELECT n, 1 + floor(random() ^ 2 * {n})::int AS v, now() - random() ^ 2 * interval '365 days' AS at "
    "FROM generate_series(1, {n} * 3) n) q",
    "INSERT INTO wagtail_ma_pageview (visit_id, visitor_id, tracked_page_id, view_id, at, "
    "source, engaged_seconds, visible_seconds, scroll_percent, is_doubtful) "
    "SELECT t.id, t.visitor_id, "
    "{first} + floor(random() ^ 3 * {pages})::int, gen_random_uuid(), t.started_at + g * interval '30 "
    "seconds', 'script', random() * 60, 60, 50, false FROM wagtail_ma_visit t, "
    "generate_series(1, 3 + (t.id %% 3 = 0)::int) g",
]


def views(page: Any, **values: Any) -> dict[str, Any]:
    return {"type": "page_viewed", "value": {"page": page, **values}}


def condition(key: str, **values: Any) -> dict[str, Any]:
    return {"type": key, "value": values}


def rules(page: dict[str, int]) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """The same segments as an editor would build them."""
    price, product, case = page["price"], page["product"], page["case"]
    either = {"match": "any", "conditions": [views(price, days=7), views(case, days=7)]}
    none = {"comparison": "at_most", "number": 0}
    # fmt: off
    return {
        "price viewed in 14 days": ("all", [views(price, days=14)]),
        "price viewed 3 times in 14 days": ("all", [views(price, number=3, days=14)]),
        "price viewed twice in 90 days": ("all", [views(price, number=2, days=90)]),
        "product viewed in 3 visits in 30 days": ("all", [views(product, number=3, count="visits", days=30)]),
        "price never viewed": ("all", [views(price, **none)]),
        "price not viewed in 30 days": ("all", [views(price, days=30, **none)]),
        "any page 20 times in 30 days": ("all", [views(None, number=20, days=30)]),
        "case read for 60 seconds": ("all", [condition("time_on_page", page=case, seconds=60, days=90)]),
        "price read for 30 seconds at once": ("all", [views(price, seconds=30)]),
        "product, then price": ("all", [condition("viewed_in_order", first=product, second=price, days=30)]),
        "3 visits in 30 days": ("all", [condition("visit_count", number=3, days=30)]),
        "one visit ever": ("all", [condition("visit_count", comparison="exactly", number=1)]),
        "not here for 60 days": ("all", [condition("last_visit", comparison="at_least", days=60)]),
        "came from a search, ever": ("all", [condition("channel", visit="any", medium="organic")]),
        "came first from an advertisement": ("all", [condition("channel", visit="first", medium="paid")]),
        "used a mobile": ("all", [condition("device", visit="any", device="mobile")]),
        "first seen in 7 days": ("all", [condition("first_seen", comparison="within", days=7)]),
        "ten per cent": ("all", [condition("random_share", percent=10)]),
        "price 2 times in 30 days, from a search": ("all", [
            views(price, number=2, days=30), condition("channel", visit="any", medium="organic")]),
        "price or case in 7 days, not product in 30": ("all", [
            {"type": "group", "value": either}, views(product, days=30, **none)]),
    }
    # fmt: on


def fill(visitors: int) -> dict[str, int]:
    """Make the rows; ids of three Wagtail pages by name."""
    from django.contrib.contenttypes.models import ContentType
    from django.db import connection
    from django.utils import timezone
    from wagtail.models import Page

    from wagtail_ma.tracking.models import TrackedPage

    root = Page.get_first_root_node()
    kind = ContentType.objects.get_for_model(Page)
    made = {
        name: root.add_child(instance=Page(title=name, slug=f"bench-{name}", content_type=kind))
        for name in ("price", "product", "case")
    }
    tracked = TrackedPage.objects.bulk_create(
        TrackedPage(key=f"bench:{n}", url=f"http://localhost/{n}", title=str(n), first_seen_at=timezone.now())
        for n in range(PAGES)
    )
    # Popular, less popular, seldom read.
    for (_name, page), number in zip(made.items(), (20, 2, 100), strict=True):
        row = TrackedPage.objects.filter(pk=tracked[number].pk)
        row.update(page_id=page.pk, translation_key=page.translation_key)
    _set_defaults()
    with connection.cursor() as cursor:
        # Indexes are made afterwards, and what we make ourselves needs no check of its references.
        cursor.execute("SET session_replication_role = replica")
        again = [sql for table in ("wagtail_ma_visit", "wagtail_ma_pageview") for sql in _drop(table, cursor)]
        for statement in [*FILL, *again, "SET session_replication_role = DEFAULT", "VACUUM ANALYZE"]:
            print(f"  {statement.split('(')[0].strip()} ...", flush=True)
            filled = statement.format(n=visitors, pages=PAGES, first=tracked[0].pk)
            cursor.execute(filled.replace("%%", "%"), None)
    return {name: page.pk for name, page in made.items()}


def _drop(table: str, cursor: Any) -> list[str]:
    """Drop the indexes of a table but for its primary key; the statements that make them again."""
    cursor.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = %s::regclass AND contype = 'u'",
        [table],
    )
    unique = cursor.fetchall()
    cursor.execute(
        "SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE tablename = %s AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)",
        [table],
    )
    plain = cursor.fetchall()
    for name, _definition in unique:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _definition in plain:
        cursor.execute(f"DROP INDEX {name}")
    return [
        *(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}" for name, definition in unique),
        *(definition for _name, definition in plain),
    ]


def _set_defaults() -> None:
    """What a row does not say is empty, as the models would have it."""
    from django.db import connection, models

    from wagtail_ma.models import Identity, PageView, Visit, Visitor

    empty = {models.BooleanField: "false", models.CharField: "''", models.IntegerField: "0"}
    for model in (Visitor, Identity, Visit, PageView):
        for field in model._meta.concrete_fields:
            default = next((sql for kind, sql in empty.items() if isinstance(field, kind)), None)
            if default and not field.null and not field.primary_key:
                change = f"ALTER COLUMN {field.column} SET DEFAULT {default}"
                with connection.cursor() as cursor:
                    cursor.execute(f"ALTER TABLE {model._meta.db_table} {change}")


def compare(pages: dict[str, int], rounds: int) -> list[tuple[str, int, float, float]]:
    """(segment, members, seconds by hand, seconds of ours) each; the medians over the rounds."""
    from django.db import connection
    from django.utils import timezone

    from benchmarks.reference.segments import STATEMENTS
    from wagtail_ma.people.models import Visitor
    from wagtail_ma.rules import compile as compiler
    from wagtail_ma.rules.tree import Group, parse
    from wagtail_ma.segments.queries import buried, population
    from wagtail_ma.tracking.models import TrackedPage

    assert Visitor.objects.exists()
    now = timezone.now()
    lists: dict[str, Any] = {
        name: list(TrackedPage.objects.filter(page_id=pk).values_list("pk", flat=True))
        for name, pk in pages.items()
    }
    found = []
    for name, (match, raw) in rules(pages).items():
        tree = parse(match, raw)
        assert isinstance(tree, Group), tree
        found_by_us = compiler.everyone(tree, population(), now=now, outside=buried())
        sql, parameters = found_by_us.query.sql_with_params()
        pairs: list[tuple[str, Any]] = [(STATEMENTS[name], {**lists, "now": now}), (sql, parameters)]
        times: list[list[float]] = [[], []]
        answers = set()
        for _round in range(rounds):
            for number, (statement, values) in enumerate(pairs):
                with connection.cursor() as cursor:
                    before = time.perf_counter()
                    cursor.execute(f"SELECT count(*), sum(q.id) FROM ({statement}) AS q(id)", values)
                    answers.add(cursor.fetchone())
                    times[number].append(time.perf_counter() - before)
        if len(answers) != 1:
            raise SystemExit(f"{name}: not the same people, {answers}")
        hand, ours = (statistics.median(some) for some in times)
        found.append((name, next(iter(answers))[0], hand, ours))
        print(
            f"  {name}: {found[-1][1]:,} people, {hand * 1000:.0f} ms by hand, {ours / hand:.2f}", flush=True
        )
    return found


def react(pages: dict[str, int], rounds: int) -> float:
    """Median seconds in which the twenty segments are decided for 500 visitors, in pieces as react does."""
    from django.utils import timezone

    from wagtail_ma.flow import CHUNK
    from wagtail_ma.people.models import Visitor
    from wagtail_ma.segments import refresh
    from wagtail_ma.segments.models import Segment

    Segment.objects.all().delete()
    for name, (match, raw) in rules(pages).items():
        Segment.objects.create(name=name, match=match, rule=raw)
    count, now = Visitor.objects.count(), timezone.now()
    seconds = []
    for turn in range(rounds + 1):
        # Others each time: the database has not just read their rows.
        ids = [1 + (turn * 7 + number * (count // 500)) % count for number in range(500)]
        before = time.perf_counter()
        for start in range(0, len(ids), CHUNK):
            refresh.refresh_visitors(ids[start : start + CHUNK], now=now)
        seconds.append(time.perf_counter() - before)
    # The first compiles the statement, which happens once per version of the rules.
    return statistics.median(seconds[1:])


def main() -> None:
    """Fill, compare, print, clear away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=50_000)
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} visitors (takes some minutes)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="leave the database, and take one that was left")
    parser.add_argument("--fill", action="store_true", help="only fill the database, and leave it")
    options = parser.parse_args()
    options.keep = options.keep or options.fill
    visitors = LARGE if options.large else options.visitors

    import psycopg

    with psycopg.connect(POSTGRES, autocommit=True) as server:
        is_there = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if is_there and not options.keep:
            server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
            is_there = None
        if not is_there:
            server.execute(f"CREATE DATABASE {DATABASE}")
        try:
            rounds = 0 if options.fill else options.rounds
            rows = _measure(visitors, rounds, is_filled=bool(is_there))
        finally:
            if not options.keep:
                server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    if not rows:
        return
    print(
        f"\n| segment, {visitors:,} visitors | members | by hand, ms | ours ÷ by hand |\n|---|---:|---:|---:|"
    )
    for name, members, hand, ours in rows:
        print(f"| {name} | {members:,} | {hand * 1000:.0f} | {ours / hand:.2f} |")


def _measure(visitors: int, rounds: int, *, is_filled: bool) -> list[tuple[str, int, float, float]]:
    from urllib.parse import urlsplit

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "example_site"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.site_settings")
    os.environ["WAGTAIL_MA_DATABASE"] = urlsplit(POSTGRES)._replace(path=f"/{DATABASE}").geturl()
    import django
    from django.core.management import call_command

    django.setup()
    from django.db import connection
    from wagtail.models import Page

    if is_filled:
        slugs = {name: f"bench-{name}" for name in ("price", "product", "case")}
        pages = {name: Page.objects.get(slug=slug).pk for name, slug in slugs.items()}
    else:
        print("Setting up ...", flush=True)
        call_command("migrate", verbosity=0)
        pages = fill(visitors)
    if not rounds:
        return []
    try:
        found = compare(pages, rounds)
        print(f"  react: 20 segments for 500 visitors in {react(pages, rounds) * 1000:.0f} ms")
        return found
    finally:
        connection.close()


if __name__ == "__main__":
    main()
