"""The statements of ``batch_usual.py``: each writes many rows, of several tables (PostgreSQL).

Rows come as one text in JSON: the driver takes several times as long to write arrays.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from wagtail_ma.core import planned
from wagtail_ma.core.prepared import cast_type
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking.models import PageView, Visit
from wagtail_ma.tracking.usual import TOTALS, insert_select, table

# Values by the names that a statement has for them: texts, numbers and what else JSON has a word for.
Rows = Sequence[Mapping[str, Any]]
_BROWSER = f"'{Identity.Kind.BROWSER.value}'"
# What is told of the visit of a first view beside its time.
_ORIGIN: list[Any] = [
    field
    for field in Visit._meta.concrete_fields
    if field.attname not in {"id", "identity_id", "visitor_id", "started_at", "last_at"}
]


def look_up_by_keys() -> None:
    """Until the end of the (outermost) transaction, rows are found by their keys.

    A table that has grown since PostgreSQL last looked at it seems small: it would read all of it to find
    some hundred rows.
    """
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(
            "; ".join(f"SET LOCAL enable_{way} = off" for way in ("seqscan", "hashjoin", "mergejoin"))
        )


def insert_first(rows: Rows) -> set[int]:
    """Write new browsers with all that they begin with.

    :param rows: ``n``, ``key``, ``bucket`` of the visitor, ``view_id``, ``at``, and the columns of the visit.
    :returns: ``n`` of those that were written; not written is whose key or view is known.
    :raises django.db.IntegrityError: one of them is being written by another process at this moment.
    """
    return _numbers(*_first_sql(), rows)


def insert_next(rows: Rows, *, timeout: timedelta) -> set[int]:
    """Write further views of visits that are going on, and prolong these.

    :param rows: ``n``, ``identity_id`` and ``visitor_id`` of a browser that is locked, ``view_id``, ``at``,
        ``tracked_page_id``.
    :param timeout: so long a visit waits.
    :returns: ``n`` of those that were written; not written is what has no open visit, and known views.
    """
    sql, constants = _next_sql()
    return _numbers(sql, [timeout, *constants], rows)


def lock_views(view_ids: Collection[UUID]) -> Iterator[tuple[Any, ...]]:
    """Known views whose visits are locked, as everywhere: so their visitor is right even when a merge is
    under way.

    :returns: id that the browser made, key, time, :data:`usual.TOTALS`; key, end and visitor of the visit.
    """
    wanted = list(view_ids)
    given = json.dumps([view_id.hex for view_id in wanted])
    # (The driver takes longer to make an id than a number.)
    for number, *row in planned.run(_lock_sql(), [given]).rows:
        yield wanted[number - 1], *row


def raise_totals(totals: Rows, visits: Rows) -> None:
    """Raise totals of views (never lower one, whatever another process did meanwhile), prolong their visits.

    :param totals: ``id`` of the view and what it has now.
    :param visits: ``id``, ``last_at``, ``visitor_id``, and ``news_at`` if react should look.
    """
    sql, constants = _raise_sql()
    planned.run(sql, [json.dumps(totals), json.dumps(visits), *constants])


def _numbers(sql: str, constants: Sequence[Any], rows: Rows) -> set[int]:
    done = planned.run(sql, [json.dumps(rows, ensure_ascii=False), *constants])
    return {number for (number,) in done.rows}


@cache
def _first_sql() -> tuple[str, list[Any]]:
    # Keys are drawn before anything is written, so that rows can refer to each other.
    keys = {"visitor_id": Visitor, "identity_id": Identity, "visit_id": Visit}
    sequences = ", ".join(
        f"pg_get_serial_sequence('{table(model)}', 'id')::regclass AS {name}" for name, model in keys.items()
    )
    drawn = ", ".join(f"nextval(sequences.{name}) AS {name}" for name in keys)
    origin = [field.column for field in _ORIGIN]
    parts = {
        "somebody": insert_select(Visitor, "bucket", id="visitor_id", first_seen_at="at"),
        "me": insert_select(Identity, "visitor_id", "key", id="identity_id", kind=_BROWSER, created_at="at"),
        "begun": insert_select(
            Visit, "identity_id", "visitor_id", *origin, id="visit_id", started_at="at", last_at="at"
        ),
        "seen": insert_select(
            PageView, "visit_id", "visitor_id", "view_id", "at", tracked_page_id="landing_id"
        ),
        "told": insert_select(News, "visitor_id", "at"),
    }
    inserts = ", ".join(f"{name} AS ({sql} FROM given)" for name, (sql, _constants) in parts.items())
    return (
        f"""
        WITH sequences AS (SELECT {sequences}), given AS MATERIALIZED (
            SELECT new.*, {drawn}
            FROM sequences, json_to_recordset(%s) AS new (
                n int, key text, bucket int, view_id uuid, at timestamptz,
                {_columns(_ORIGIN)}
            )
            WHERE NOT EXISTS (
                SELECT FROM {table(Identity)} known WHERE known.kind = {_BROWSER} AND known.key = new.key
            ) AND NOT EXISTS (SELECT FROM {table(PageView)} known WHERE known.view_id = new.view_id)
        ), {inserts}
        SELECT n FROM given
        """,  # noqa: S608
        [constant for _sql, constants in parts.values() for constant in constants],
    )


@cache
def _next_sql() -> tuple[str, list[Any]]:
    view, view_constants = insert_select(
        PageView, "visit_id", "visitor_id", "tracked_page_id", "view_id", "at"
    )
    news, news_constants = insert_select(News, "visitor_id", at="max(at)")
    return (
        f"""
        WITH given AS MATERIALIZED (
            SELECT new.*, going_on.* FROM json_to_recordset(%s) AS new (
                n int, identity_id bigint, visitor_id bigint, view_id uuid, at timestamptz,
                tracked_page_id bigint
            ), LATERAL (
                SELECT id AS visit_id FROM {table(Visit)} visit
                WHERE visit.identity_id = new.identity_id
                    AND visit.last_at > new.at - %s::interval AND visit.started_at <= new.at
                ORDER BY visit.started_at DESC LIMIT 1
            ) going_on
            WHERE NOT EXISTS (SELECT FROM {table(PageView)} known WHERE known.view_id = new.view_id)
        ), prolonged AS (
            UPDATE {table(Visit)} visit SET last_at = GREATEST(visit.last_at, latest.at)
            FROM (SELECT visit_id, max(at) AS at FROM given GROUP BY visit_id) latest
            WHERE visit.id = latest.visit_id
        ), seen AS (
            {view} FROM given
        ), told AS (
            {news} FROM given GROUP BY visitor_id
        )
        SELECT n FROM given
        """,  # noqa: S608
        [*view_constants, *news_constants],
    )


@cache
def _lock_sql() -> str:
    return f"""
        SELECT given.number, seen.id, seen.at, {", ".join(f"seen.{name}" for name in TOTALS)},
            visit.id, visit.last_at, visit.visitor_id
        FROM json_array_elements_text(%s) WITH ORDINALITY AS given (view_id, number)
        JOIN {table(PageView)} seen ON seen.view_id = given.view_id::uuid
        JOIN {table(Visit)} visit ON visit.id = seen.visit_id
        ORDER BY visit.id FOR NO KEY UPDATE OF visit
    """  # noqa: S608


@cache
def _raise_sql() -> tuple[str, list[Any]]:
    fields: list[Any] = [PageView._meta.get_field(name) for name in TOTALS]
    raised = ", ".join(f"{name} = GREATEST(view.{name}, total.{name})" for name in TOTALS)
    news, constants = insert_select(News, "visitor_id", at="max(news_at)")
    return (
        f"""
        WITH total AS MATERIALIZED (
            SELECT * FROM json_to_recordset(%s)
            AS given (id bigint, {_columns(fields)})
        ), given AS MATERIALIZED (
            SELECT * FROM json_to_recordset(%s)
            AS given (id bigint, last_at timestamptz, visitor_id bigint, news_at timestamptz)
        ), raised AS (
            UPDATE {table(PageView)} view SET {raised} FROM total WHERE view.id = total.id
        ), prolonged AS (
            UPDATE {table(Visit)} visit SET last_at = GREATEST(visit.last_at, given.last_at)
            FROM given WHERE visit.id = given.id AND given.last_at IS NOT NULL
        )
        {news} FROM given WHERE news_at IS NOT NULL GROUP BY visitor_id
        """,  # noqa: S608
        constants,
    )


def _columns(fields: Sequence[Any]) -> str:
    """Their names and types, for what rows in JSON are read as."""
    connection = connections[DEFAULT_DB_ALIAS]
    return ", ".join(f"{field.column} {cast_type(field, connection)}" for field in fields)
