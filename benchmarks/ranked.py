"""How fast the ranked list and the page of a lead are, on PostgreSQL.

    python -m benchmarks.ranked [--visitors N] [--large] [--write]

Makes a database of its own, fills it by SQL (``--large``: a million visitors with a score, 2.5 million
ledger entries; one lead with ten years of history), measures, and drops it. Data are what a screen asks
the database and makes of it: rows, the line beside each score, what they are hot by, the count. The time
of the whole screen, with Wagtail's own statements and templates around it, is printed beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import run
from benchmarks.history import insert

NAME = "wagtail_ma_bench_ranked"
USUAL, LARGE = 50_000, 1_000_000
ROUNDS = 7
# Budgets in milliseconds: the first page of the list, and all of a lead's page; and its statements.
LIST_MS, LEAD_MS, LEAD_STATEMENTS = 50, 300, 25
# Of the visitors: one in so many has a name, is a customer, is excluded, was active lately.
NAMED, CUSTOMER, EXCLUDED, ACTIVE = 20, 50, 100, 5
# One in so many of the first has this many entries in the last 30 days, the others one.
BUSY_SHARE, BUSY_ENTRIES = 20, 30
# The lead with a long history: views over these years.
YEARS, VIEWS_A_YEAR = 10, 1_000


def main() -> None:
    """Set up, measure in a process of its own, clear away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=USUAL)
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} visitors")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    visitors = LARGE if options.large else options.visitors
    if options.measure:
        print("\n".join(measure(visitors)))
        return
    lines = run.in_own_database(NAME, "benchmarks.ranked", "--visitors", str(visitors))
    print("\n".join(lines))
    if options.write:
        run.write(lines, "ranked")


def measure(visitors: int) -> list[str]:
    """Markdown."""
    import django

    django.setup()
    from django.utils import timezone

    lead = fill(visitors)
    now = timezone.now()
    lines = [f"| {visitors:,} visitors with a score, PostgreSQL | ms | SQL | budget |", "|---|---:|---:|---|"]
    for name, query in LISTS.items():
        lines.append(_line(f"data: {name}", lambda q=query: first_page(q, now), LIST_MS))
    lines += screens(lead)
    return lines


def _line(
    name: str, call: Callable[[], Any], budget: float | None = None, most_statements: int | None = None
) -> str:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    call()
    with CaptureQueriesContext(connection) as captured:
        call()
    statements = list(captured)
    ms = statistics.median(_timed(call) for _ in range(ROUNDS)) * 1000
    verdict = ""
    if budget is not None:
        kept = ms <= budget and (most_statements is None or len(statements) <= most_statements)
        asked = f"{budget:g} ms" + (f", {most_statements} statements" if most_statements else "")
        verdict = f"{'kept' if kept else 'MISSED'}: {asked}"
    line = f"| {name} | {ms:,.0f} | {len(statements)} | {verdict} |"
    print(line, file=sys.stderr, flush=True)
    if os.environ.get("BENCH_STATEMENTS"):
        for each in statements:
            print(f"    {each['time']} {each['sql'][:400]}", file=sys.stderr)
    return line


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


# Of the list: which one, and filters.
LISTS: dict[str, dict[str, Any]] = {
    "active prospects": {"which": "active"},
    "everybody": {"which": "all"},
    "customers": {"which": "customers"},
    "everybody, last seen first": {"which": "all", "order": "-last_seen_at"},
    "everybody of one band of fit": {"which": "all", "filters": {"fit": "A"}},
    "everybody with a score of 25 to 50": {"which": "all", "filters": {"engagement": "3"}},
    "active prospects with a name": {"which": "active", "filters": {"who": "lead"}},
    "everybody interested in a topic, most first": {"which": "all", "order": "-interest", "topic": True},
}


def first_page(query: dict[str, Any], now: Any) -> Any:
    """What the list asks and makes of it, in the ways of its view."""
    from wagtail_ma.admin.ranked import PAGE_SIZE, VisitorFilterSet
    from wagtail_ma.reports import ranked
    from wagtail_ma.reports.keyset import capped_count, page
    from wagtail_ma.tracking.models import Topic

    rows = ranked.listed(query["which"], now=now)
    filters = dict(query.get("filters", {}))
    if query.get("topic"):
        rows = ranked.interested_in(rows, Topic.objects.values_list("pk", flat=True)[0])
    if filters:
        rows = VisitorFilterSet(data=filters, queryset=rows).qs
    found = page(rows, ranked.ORDERS[query.get("order", "-rank")], size=PAGE_SIZE)
    assert len(found.rows) == PAGE_SIZE, len(found.rows)
    return ranked.decorate_page(found.rows, now=now), capped_count(rows)


def screens(lead: int) -> list[str]:
    """The same through the admin, and the page of a lead."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    client = Client(headers={"host": "localhost"})
    client.force_login(get_user_model().objects.create_superuser("bench"))

    def get(url: str) -> None:
        answer = client.get(url)
        if answer.status_code != 200:
            raise SystemExit(f"{url}: {answer.status_code}")

    page = f"/admin/marketing/visitors/{lead}/"
    return [
        _line("screen: active prospects", lambda: get("/admin/marketing/visitors/")),
        _line(
            f"screen: lead with {YEARS} years of history ({YEARS * VIEWS_A_YEAR:,} views)",
            lambda: get(page),
            LEAD_MS,
            LEAD_STATEMENTS,
        ),
    ]


def fill(visitors: int) -> int:
    """Make the rows; the id of the lead with a long history."""
    from django.db import connection
    from django.utils import timezone

    from benchmarks.scoring import label_pages
    from wagtail_ma.people.models import Lead, Visitor
    from wagtail_ma.sales.defaults import ensure
    from wagtail_ma.scoring.current import current_model
    from wagtail_ma.scoring.models import Interest, ScoreEntry, ScoringRule, Standing
    from wagtail_ma.tracking.models import Topic, TrackedPage

    model = current_model(timezone.now())
    ensure()
    TrackedPage.objects.bulk_create(
        TrackedPage(key=f"b:{n}", url=f"http://localhost/{n}", title=str(n), first_seen_at=timezone.now())
        for n in range(200)
    )
    label_pages()
    rules = list(ScoringRule.objects.order_by("pk").values_list("pk", flat=True))
    topics = list(Topic.objects.order_by("pk").values_list("pk", flat=True))
    rule = f"(ARRAY{rules})[1 + n % {len(rules)}]"
    score = f"120 * power(((n::bigint * 7919) % {visitors}) / {visitors}.0, 4)"
    grade = "(ARRAY['A','B','C','C','C','D'])[1 + n % 6]"
    weight = f"(ARRAY{[float(each) for each in model.fit_weights]})[ascii({grade}) - 64]"
    seen = "now() - (1 - power(random(), 3)) * interval '300 days'"
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        insert(cursor, Visitor, visitors, id="n", first_seen_at="now()", bucket="n % 10000",
                excluded_reason=f"CASE WHEN n % {EXCLUDED} = 0 THEN 'bot' ELSE '' END",
                is_customer=f"n % {CUSTOMER} = 1")  # fmt: skip
        insert(cursor, Lead, visitors // NAMED, visitor_id=f"n * {NAMED} - 5", created_at="now()",
                email="'p' || n || '@example.com'", family_name="'Name ' || n", attributes="'{}'",
                company_name="'Company ' || n % 5000")  # fmt: skip
        insert(cursor, Standing, visitors, model_id=str(model.pk), visitor_id="n", engagement_sum=score,
                lifetime=score, fit="30", fit_grade=grade, rank=f"{score} * {weight}", view_count="n % 40",
                visit_count="n % 9", engaged_seconds="n % 4000", last_seen_at=seen,
                active_at=f"CASE WHEN (n::bigint * 104729) % {ACTIVE} = 0 THEN now() - interval '3 days' "
                          "ELSE now() - interval '90 days' END",
                is_excluded=f"n % {EXCLUDED} = 0", is_customer=f"n % {CUSTOMER} = 1",
                is_named=f"n % {NAMED} = {NAMED - 5}")  # fmt: skip
        entry = {"model_id": str(model.pk), "fact_kind": "'view'", "points": "n % 10 + 1"}
        insert(cursor, ScoreEntry, visitors, rule_id=rule, visitor_id="n", fact_id="n",
                at="now() - random() * interval '300 days'", **entry)  # fmt: skip
        cursor.execute(
            f"INSERT INTO {ScoreEntry._meta.db_table} "
            "(model_id, rule_id, visitor_id, fact_kind, fact_id, points, at) "
            f"SELECT {model.pk}, (ARRAY{rules})[1 + n % {len(rules)}], visitor_id, 'view', "
            f"{visitors} + row_number() OVER (), n % 10 + 1, now() - random() * interval '30 days' "
            f"FROM (SELECT visitor_id FROM {Standing._meta.db_table} ORDER BY rank DESC "
            f"LIMIT {visitors // BUSY_SHARE}) q, generate_series(1, {BUSY_ENTRIES}) n"
        )
        insert(cursor, Interest, visitors, model_id=str(model.pk), visitor_id="n",
                topic_id=f"(ARRAY{topics})[1 + n % {len(topics)}]", evidence_sum="n % 60", view_count="3",
                last_at="now()")  # fmt: skip
        _hot(cursor, visitors)
        lead = _long_history(cursor, visitors, rules)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")
    return lead


def _hot(cursor: Any, visitors: int) -> None:
    """One in 500 is hot, five times as many were."""
    from wagtail_ma.sales.models import HotDefinition, HotEntry

    definitions = list(HotDefinition.objects.order_by("pk").values_list("pk", flat=True))
    for every, closed, ended in ((500, "NULL", "''"), (100, "now() - interval '20 days'", "'expired'")):
        whose = {"visitor_id": f"n * {every} - 5", "born_visitor_id": f"n * {every} - 5"}
        insert(cursor, HotEntry, visitors // every, **whose,
                definition_id=f"{definitions[0]} + n % {len(definitions)}",
                opened_at="now() - interval '2 days'", evidence_at="now()", data="'{}'",
                expires_at="now() + interval '9 days'", closed_at=closed, ended=ended)  # fmt: skip


def _long_history(cursor: Any, visitors: int, rules: list[int]) -> int:
    """One lead more, who has read pages for ten years."""
    from django.utils import timezone

    from wagtail_ma.people import news
    from wagtail_ma.people.models import Identity, Lead, Visitor
    from wagtail_ma.tracking.models import PageView, TrackedPage, Visit

    pk, now = visitors + 1, timezone.now()
    for table, column in ((Visitor, pk), (Identity, 1)):
        name = table._meta.db_table
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {column})")
    visitor = Visitor.objects.create(pk=pk, first_seen_at=now)
    browser = Identity.objects.create(kind="browser", key="long", visitor=visitor, created_at=now)
    cursor.execute(
        f"SELECT setval(pg_get_serial_sequence('{Lead._meta.db_table}', 'id'), "
        f"(SELECT max(id) FROM {Lead._meta.db_table}))"
    )
    Lead.objects.create(visitor=visitor, email="long@example.com", family_name="Long", created_at=now)
    views = YEARS * VIEWS_A_YEAR
    at = f"now() - interval '{YEARS} years' + n * (interval '{YEARS} years' / {views})"
    page = TrackedPage.objects.order_by("pk").values_list("pk", flat=True)[0]
    begin = at.replace("n *", "n * 4 *")
    insert(cursor, Visit, views // 4, id="n", started_at=begin, last_at=begin, medium="'organic'",
            landing_id=str(page), identity_id=str(browser.pk), visitor_id=str(pk))  # fmt: skip
    insert(cursor, PageView, views, visit_id=f"1 + (n - 1) / 4 % {views // 4}", at=at, source="'script'",
            tracked_page_id=f"{page} + n % 200", engaged_seconds="n % 200", visible_seconds="n % 200",
            view_id="(lpad(to_hex(n), 12, '0') || substr(md5(n::text), 1, 20))::uuid",
            visitor_id=str(pk))  # fmt: skip
    for table in (Visit, PageView):
        name = table._meta.db_table
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}")
    cursor.execute("SET session_replication_role = DEFAULT")
    cursor.execute("ANALYZE")
    from wagtail_ma import flow

    news.mark([pk], now=now)
    if flow.react(now=timezone.now()) != 1:
        raise SystemExit("The lead with a long history was not scored.")
    return pk


if __name__ == "__main__":
    main()
