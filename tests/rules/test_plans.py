"""Which index each shape of a rule uses on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from tests.factories import condition, make_browser, make_view
from wagtail_ma.core.placeholders import Statement
from wagtail_ma.rules import compile as compiler
from wagtail_ma.rules.tree import Group, parse
from wagtail_ma.segments.queries import buried, population
from wagtail_ma.tracking.models import Visit

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.postgres,
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="PostgreSQL's plans"),
]


def rule(home: Any, **values: Any) -> Group:
    tree = parse("all", [condition("page_viewed", page=home.pk, days=14, **values)])
    assert isinstance(tree, Group)
    return tree


@pytest.fixture
def viewed(home: Any, now: Any) -> list[int]:
    """Enough visitors and views for the plan to matter."""
    browsers = [make_browser(now=now) for _number in range(30)]
    for browser in browsers:
        make_view(browser, home, at=now)
    with connection.cursor() as cursor:
        # Small tables are read whole whatever the index: the question is which index it would be.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("ANALYZE wagtail_ma_pageview, wagtail_ma_visit")
    return [browser.visitor_id for browser in browsers]


@pytest.mark.parametrize("number", [0, 1, 3])
def test_these__views_of_given_visitors__by_the_visitors_index(
    home: Any, viewed: list[int], now: Any, number: int
) -> None:
    comparison = "at_least" if number else "at_most"
    statement = compiler.these([rule(home, number=number, comparison=comparison)], population())
    explained = Statement(f"EXPLAIN {statement.sql}", statement.parameters, statement.using)
    plan = "\n".join(row[0] for row in explained.rows(now=now, ids=viewed[:5]))
    assert "ma_view_visitor" in plan
    assert "hashed SubPlan" not in plan
    assert "ma_view_page" not in plan


# What is known of one visitor is found by the visitor, whatever table it is in.
BY_VISITOR = [
    ("time_on_page", {"seconds": 60}, "ma_view_visitor"),
    ("visit_count", {"number": 3, "days": 30}, "ma_visit_visitor"),
    ("last_visit", {"comparison": "at_least", "days": 60}, "ma_visit_visitor"),
    ("channel", {"visit": "first", "medium": "paid"}, "ma_visit_visitor"),
    ("surge", {"number": 2, "days": 7, "silence": 60}, "ma_visit_visitor"),
    ("form_not_sent", {"days": 7}, "ma_activity_visitor"),
    ("score_earned", {"number": 20, "days": 7}, "ma_entry_visitor"),
]


@pytest.mark.parametrize(("key", "values", "index"), BY_VISITOR)
def test_these__any_facts_of_given_visitors__by_the_visitors_index(
    viewed: list[int], now: Any, key: str, values: dict[str, Any], index: str
) -> None:
    tree = parse("all", [condition(key, **values)])
    assert isinstance(tree, Group)
    statement = compiler.these([tree], population())
    explained = Statement(f"EXPLAIN {statement.sql}", statement.parameters, statement.using)
    plan = "\n".join(row[0] for row in explained.rows(now=now, ids=viewed[:5]))
    assert index in plan, plan
    assert "hashed SubPlan" not in plan


def test_everyone__visits_of_a_period__from_the_index_alone(viewed: list[int], now: Any) -> None:
    one = Visit.objects.latest("pk")
    times = [now - timedelta(days=100 + number) for number in range(600)]
    # Most visits are older: how large the table happens to be on disk then decides nothing.
    Visit.objects.bulk_create(
        Visit(
            identity_id=one.identity_id, visitor_id=one.visitor_id, started_at=at, last_at=at, medium="direct"
        )
        for at in times
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE wagtail_ma_visit")
    tree = parse("all", [condition("visit_count", number=3, days=30)])
    assert isinstance(tree, Group)
    assert "ma_visit_started" in compiler.everyone(tree, population(), now=now, outside=buried()).explain()


def test_everyone__activities_of_a_kind__by_their_kind(viewed: list[int], now: Any) -> None:
    tree = parse("all", [condition("activity", kind="download", number=2, days=30)])
    assert isinstance(tree, Group)
    assert "ma_activity_kind" in compiler.everyone(tree, population(), now=now, outside=buried()).explain()


def test_everyone__views_of_a_page__by_the_pages_index(home: Any, viewed: list[int], now: Any) -> None:
    plan = compiler.everyone(rule(home, number=3), population(), now=now).explain()
    assert "ma_view_page" in plan
    assert "ma_view_visitor" not in plan


def test_everyone__not_viewed__anti_join_and_no_scan_per_visitor(
    home: Any, viewed: list[int], now: Any
) -> None:
    plan = compiler.everyone(rule(home, number=0, comparison="at_most"), population(), now=now).explain()
    assert "Anti Join" in plan
    assert "SubPlan" not in plan


def test_everyone__people_outside_given__no_look_up_of_each_visitor(
    home: Any, viewed: list[int], now: Any
) -> None:
    found = compiler.everyone(rule(home, number=3), population(), now=now, outside=buried())
    plan = found.explain()
    assert "ma_view_page" in plan
    assert "wagtail_ma_visitor_pkey" not in plan
