"""A million people wait: finding and moving the few who are due touches nobody else."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.scenarios.stories import a_scenario, an_enrolment, end, wait
from tests.scoring.history import a_visitor
from wagtail_ma.scenarios import runner
from wagtail_ma.scenarios.models import Enrolment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

# The whole million: WAGTAIL_MA_WAITING=1000000 (some 20 seconds; PostgreSQL). By default fewer, same plans.
WAITING = int(os.environ.get("WAGTAIL_MA_WAITING", "200000"))
DUE = 25

FILL_VISITORS = """
insert into wagtail_ma_visitor (first_seen_at, bucket, excluded_reason, is_customer)
select %(now)s, n %% 10000, '', false from generate_series(1, %(count)s) as n
"""
FILL_ENROLMENTS = """
insert into wagtail_ma_enrolment ({columns}) select {values} from (
    select id, row_number() over () as n from wagtail_ma_visitor where first_seen_at = %(now)s
) v
"""


class Undone(Exception):
    """Rolls back."""


def fill(scenario, now, count):
    """Narrow rows, set-based; foreign keys are not looked up one by one."""
    version = scenario.versions.get()
    values = {
        "scenario_id": str(scenario.pk),
        "version_id": str(version.pk),
        "visitor_id": "v.id",
        "born_visitor_id": "v.id",
        "trigger": "'test:' || v.id",
        "status": "'active'",
        "step_id": "'wait'",
        "due_at": "%(now)s::timestamptz + interval '2 days' + n * interval '1 second'",
        "entered_at": "%(now)s",
        "step_entered_at": "%(now)s",
    }
    for field in Enrolment._meta.concrete_fields:
        if field.column not in values and field.column != "id" and not field.null:
            value = field.get_default()
            values[field.column] = f"'{value}'"
    arguments = {"now": now - timedelta(days=1), "count": count}
    with connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(FILL_VISITORS, arguments)
        columns = ", ".join(f'"{name}"' for name in values)
        cursor.execute(
            FILL_ENROLMENTS.format(columns=columns, values=", ".join(values.values())),
            arguments,
        )
        cursor.execute("set local session_replication_role = origin")
        for table in ("wagtail_ma_visitor", "wagtail_ma_enrolment"):
            cursor.execute(f"analyze {table}")


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def explain(sql):
    """All nodes of the plan as it was really carried out."""
    with connection.cursor() as cursor:
        cursor.execute(f"explain (analyze, format json) {sql}")
        found = cursor.fetchone()[0]
    found = json.loads(found) if isinstance(found, str) else found
    return list(nodes(found[0]["Plan"]))


@pytest.mark.postgres
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="PostgreSQL's plans")
def test_run_due__a_million_waiting__reads_only_those_that_are_due(now):
    scenario = a_scenario(now, [wait(), end()])
    fill(scenario, now, WAITING)
    for _number in range(DUE):
        an_enrolment(scenario, a_visitor(now), now)

    with pytest.raises(Undone), transaction.atomic(), CaptureQueriesContext(connection) as captured:
        runner.run_due(now=now)
        assert Enrolment.objects.filter(due_at=now + timedelta(days=1)).count() == DUE
        raise Undone

    assert Enrolment.objects.filter(due_at=now).count() == DUE
    statements = [query["sql"] for query in captured if "wagtail_ma_enrolment" in query["sql"]][:-1]
    assert len(statements) >= 4
    indexes = {node.get("Index Name") for sql in statements for node in look(sql)}
    assert "ma_enrolment_due" in indexes
    assert Enrolment.objects.count() == WAITING + DUE


def look(sql):
    """Carry a statement out, undo it, and see that it has read few enrolments."""
    with pytest.raises(Undone), transaction.atomic():
        found = explain(sql)
        raise Undone
    for node in found:
        if node.get("Relation Name") == "wagtail_ma_enrolment" and node["Node Type"] != "ModifyTable":
            touched = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            assert node["Node Type"] != "Seq Scan", sql
            assert touched <= 2 * DUE, (touched, sql)
    return found


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="SQLite's plan")
def test_run_due__sqlite__finds_by_the_index(now):
    plan = runner._due(now).order_by("due_at", "pk").values_list("pk", flat=True)[:500].explain()
    assert "ma_enrolment_due" in plan
