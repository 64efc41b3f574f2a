"""How fast react is, and how long computing all scores again takes, on PostgreSQL.

    python -m benchmarks.scoring [--visitors N] [--reacting N] [--large]

Makes a database of its own with N visitors, three visits and ten views each (--large: 80,000 visitors, who
make a million facts), 30 scoring rules and 20 segments, then has ``flow.react`` work through visitors with
news and ``ma_rescore`` through everything. CPU time is that of this process; the database's own is not in
it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.segments import PAGES, POSTGRES

DATABASE = "wagtail_ma_bench_scoring"
RULES, SEGMENTS = 30, 20
USUAL, LARGE = 5_000, 80_000
# Budgets of the two.
REACT_PER_SECOND, RESCORE_SECONDS_PER_MILLION = 500, 300


def label_pages() -> None:
    """Classes and topics, as on a site whose editors have said what its pages are."""
    from wagtail_ma.tracking import page_classes
    from wagtail_ma.tracking.models import PageClass, Topic, TrackedPage

    page_classes.ensure_built_in()
    classes = list(PageClass.objects.order_by("pk"))
    topics = [Topic.objects.create(name=f"Topic {n}", kind=("product", "concern")[n % 2]) for n in range(8)]
    for number, page in enumerate(TrackedPage.objects.order_by("pk")[:PAGES]):
        page.page_class = classes[number % len(classes)]
        page.save(update_fields=["page_class"])
        page.topics.set([topics[number % len(topics)]])


def make_rules(pages: dict[str, int]) -> int:
    """The default rules, and more for pages, classes and topics until there are :data:`RULES`."""
    from wagtail.models import Page

    from wagtail_ma.scoring.defaults import ensure_default_rules
    from wagtail_ma.scoring.models import ScoringRule
    from wagtail_ma.tracking.models import Topic

    ensure_default_rules()
    keys = list(Page.objects.filter(pk__in=pages.values()).values_list("translation_key", flat=True))
    topics = list(Topic.objects.all())
    for number in range(RULES - ScoringRule.objects.count()):
        ScoringRule.objects.create(
            name=f"More {number}",
            kind=("page_view", "engaged", "visit")[number % 3],
            min_seconds=20,
            points=1 + number,
            page_key=keys[number % 3] if number % 2 else None,
            topic=None if number % 2 else topics[number % len(topics)],
            max_per_day=2,
            cool_down_hours=(None, 12)[number % 2],
        )
    return ScoringRule.objects.count()


def react(pages: dict[str, int], count: int) -> tuple[float, float, int]:
    """(visitors per second, per second of this process's CPU, members of segments) of react."""
    from django.utils import timezone

    from benchmarks.segments import rules
    from wagtail_ma import flow
    from wagtail_ma.people import news
    from wagtail_ma.people.models import Visitor
    from wagtail_ma.segments.models import Membership, Segment

    for number, (name, (match, raw)) in enumerate(list(rules(pages).items())[:SEGMENTS]):
        Segment.objects.create(name=f"{number} {name}", match=match, rule=raw)
    now = timezone.now()
    # Warm: statements are compiled, the default rules are there; then as if half of it was new.
    ids = list(Visitor.objects.order_by("bucket").values_list("pk", flat=True)[: count + 100])
    news.mark(ids[:100], now=now)
    flow.react(now=timezone.now(), limit=100)
    news.mark(ids[100:], now=now)
    before, cpu = time.perf_counter(), time.process_time()
    done = flow.react(now=timezone.now(), limit=count)
    seconds, used = time.perf_counter() - before, time.process_time() - cpu
    assert done == count, done
    return done / seconds, done / used, Membership.objects.count()


def rescore() -> tuple[float, float, int, int]:
    """(seconds, of them CPU of this process, facts, entries) of computing all scores again."""
    from django.utils import timezone

    from wagtail_ma.scoring import rescore as rescoring
    from wagtail_ma.scoring.models import ScoreEntry
    from wagtail_ma.tracking.models import Activity, PageView, Visit

    facts = sum(table.objects.count() for table in (Visit, PageView, Activity))
    rescoring.request(now=timezone.now())
    before, cpu = time.perf_counter(), time.process_time()
    rescoring.rescore(
        now=timezone.now(),
        progress=lambda done, total: print(f"\r  {done:,} / {total:,}", end="", flush=True),
    )
    print()
    seconds, used = time.perf_counter() - before, time.process_time() - cpu
    return seconds, used, facts, ScoreEntry.objects.filter(model__is_current=True).count()


def _measure(visitors: int, reacting: int) -> list[str]:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "example_site"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.site_settings")
    os.environ["WAGTAIL_MA_DATABASE"] = urlsplit(POSTGRES)._replace(path=f"/{DATABASE}").geturl()
    import django
    from django.core.management import call_command

    django.setup()
    from django.db import connection

    from benchmarks.segments import fill

    print("Setting up ...", flush=True)
    call_command("migrate", verbosity=0)
    pages: dict[str, Any] = fill(visitors)
    label_pages()
    rules = make_rules(pages)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    try:
        print("react ...", flush=True)
        per_second, per_cpu, members = react(pages, reacting)
        print("ma_rescore ...", flush=True)
        seconds, used, facts, entries = rescore()
    finally:
        connection.close()
    million, million_cpu = seconds / facts * 1_000_000, used / facts * 1_000_000
    return [
        "| what | figure | budget |",
        "|---|---:|---:|",
        f"| react, {rules} scoring rules, {SEGMENTS} segments ({members:,} memberships made), visitors/s | "
        f"{per_second:,.0f} | |",
        f"| the same per second of CPU of the worker | {per_cpu:,.0f} | {REACT_PER_SECOND} |",
        f"| scores of {visitors:,} visitors from {facts:,} facts ({entries:,} entries), s "
        f"| {seconds:.0f} | |",
        f"| the same per million facts, s | {million:.0f} | {RESCORE_SECONDS_PER_MILLION} |",
        f"| of them CPU of the worker, s | {million_cpu:.0f} | |",
    ]


def main() -> None:
    """Fill, measure, print, clear away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=USUAL)
    parser.add_argument("--reacting", type=int, default=2_000)
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} visitors: a million facts")
    options = parser.parse_args()
    visitors = LARGE if options.large else options.visitors

    import psycopg

    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {DATABASE}")
        try:
            lines = _measure(visitors, options.reacting)
        finally:
            server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
