"""Statements that are planned once per connection (PostgreSQL)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from wagtail_ma.core import planned

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL alone has this way"),
]
SQL = "SELECT %s::int + 1 AS planned_test"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: Any) -> Iterator[None]:
    """A connection of its own."""
    monkeypatch.setattr(planned, "_is_given_up", False)
    connection.close()
    yield
    connection.close()


def prepared() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE %s", ["%planned_test%"])
        return [name for (name,) in cursor]


def lose() -> None:
    """As if a pooler had given us another connection."""
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")


def run(times: int) -> None:
    for number in range(times):
        assert planned.run(SQL, [number]) == ([(number + 1,)], 1)


def test_often__prepared() -> None:
    run(5)
    assert prepared() == []
    run(1)
    assert len(prepared()) == 1


def test_more_and_more__planned_anew_now_and_then_and_the_old_plan_forgotten() -> None:
    names = set()
    for _ in range(110):
        run(10)
        names.update(prepared())
        assert len(prepared()) == 1
    # From the 6th, the 16th, the 64th, the 256th and the 1024th.
    assert len(names) == 5


def test_another_statement__another_name_everywhere() -> None:
    other = SQL.replace("+ 1", "+ 2")
    for number in range(20):
        assert planned.run(SQL, [number]).rows == [(number + 1,)]
        assert planned.run(other, [number]).rows == [(number + 2,)]
    first = set(prepared())
    connection.close()
    for number in range(40):
        assert planned.run(other, [number]).rows == [(number + 2,)]
    # A pooler that hands over the connection of another process finds the same statement by this name.
    assert len(first) == 2
    assert first & set(prepared())


def test_statement_without_rows__their_number() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE planned_rows (n int)")
    for _ in range(12):
        assert planned.run("INSERT INTO planned_rows VALUES (%s), (2)", [1]) == ([], 2)


def test_lost__runs_without_from_then_on(caplog: Any) -> None:
    run(30)
    lose()
    run(15)
    assert prepared() == []
    assert caplog.text.count("A prepared statement was lost") == 1


def test_lost_in_a_transaction__the_caller_tries_again(caplog: Any) -> None:
    run(30)
    lose()
    with pytest.raises(DatabaseError), transaction.atomic():
        run(1)
    with transaction.atomic():
        run(15)
    assert prepared() == []


def test_another_error__raised_as_usual() -> None:
    with pytest.raises(DatabaseError, match="out of range"):
        planned.run(SQL, [2**31 - 1])
    run(15)
    assert prepared()


def test_column_of_another_type_now__runs_without(caplog: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE planned_rows AS SELECT 1::int AS n")
    for _ in range(12):
        assert planned.run("SELECT n, %s::int FROM planned_rows", [1]).rows == [(1, 1)]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE planned_rows ALTER n TYPE text")
    for _ in range(3):
        assert planned.run("SELECT n, %s::int FROM planned_rows", [1]).rows == [("1", 1)]
    assert caplog.text.count("A prepared statement was lost") == 1


def test_pooler_that_django_is_told_of__never(monkeypatch: Any) -> None:
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    run(15)
    assert prepared() == []


def test_statements__seen_by_whoever_counts_them() -> None:
    with CaptureQueriesContext(connection) as captured:
        run(8)
    assert len(captured) == 8
    assert captured[7]["sql"] == "SELECT 7::int + 1 AS planned_test"
