"""Statements that PostgreSQL plans once per connection, and not each time they run.

For the few that write what visitors do: to read and plan one of them takes PostgreSQL longer than to run it.
Django leaves prepared statements to those who ask for them (``prepare_threshold``): a pooler in front of the
database may hand each transaction to another connection, where they are not known. So they are not used
where Django is told of such a pooler (``DISABLE_SERVER_SIDE_CURSORS``), and no more once one has been lost.

A plan that was made for a small table would read all of it when it has grown, until PostgreSQL looks at it
again (within a minute, if nobody has switched that off). So plans are made anew whenever a connection has run
four times as many statements.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

logger = logging.getLogger(__name__)

# So often a statement runs on a connection before it is prepared (the driver's own default).
THRESHOLD = 5
# SQLSTATE of "there is no such prepared statement" and "there is one of this name already".
_LOST = frozenset({"26000", "42P05"})

_is_given_up = False
# Statements that ran on each of the driver's connections.
_runs: WeakKeyDictionary[Any, int] = WeakKeyDictionary()


class Ran(NamedTuple):
    """What a statement returned, and how many rows it found or wrote."""

    rows: list[tuple[Any, ...]]
    number: int


def run(sql: str, values: Sequence[Any]) -> Ran:
    """Run a statement on PostgreSQL, prepared where that is possible.

    :param sql: written once, the same text each time; ``%s`` where values go.
    :raises django.db.Error: what Django's own cursor raises. A prepared statement that got lost is run again
        without; in a transaction, which is lost with it, that is left to the caller.
    """
    global _is_given_up
    connection: Any = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    if _is_given_up or not _may_prepare(connection):
        with connection.cursor() as cursor:
            return _run(cursor, sql, values)
    try:
        with _preparing(connection) as cursor:
            return _run(cursor, _aged(sql, _age(connection.connection)), values)
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) not in _LOST:
            raise
        _is_given_up = True
        logger.warning(
            "Prepared statements are lost between transactions; recording goes on without. If a pooler does "
            "that, set DISABLE_SERVER_SIDE_CURSORS, as Django advises."
        )
        if connection.in_atomic_block:
            raise
    return run(sql, values)


def _may_prepare(connection: Any) -> bool:
    # (Whoever looks at statements would see none of their values.)
    if connection.queries_logged or connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        return False
    # (Older drivers have none; and whoever has wrapped the driver's connection knows best.)
    return hasattr(connection.connection, "prepare_threshold")


@contextmanager
def _preparing(connection: Any) -> Iterator[Any]:
    """Django's own cursor, but for one thing: values do not become part of the statement's text."""
    from django.db.backends.postgresql import base

    raw = connection.connection
    usual, raw.prepare_threshold = raw.prepare_threshold, THRESHOLD
    try:
        with connection.wrap_database_errors:
            driver = base.ServerBindingCursor(raw)  # type: ignore[call-arg]
        with connection._prepare_cursor(driver) as cursor:
            yield cursor
    finally:
        raw.prepare_threshold = usual


def _age(raw: Any) -> int:
    """How old a connection is: one more from the 16th, 64th, 256th … statement that runs on it."""
    _runs[raw] = count = _runs.get(raw, 0) + 1
    return (max(count.bit_length(), 4) - 3) // 2


@lru_cache(maxsize=256)
def _aged(sql: str, age: int) -> str:
    return f"{sql} /* plan {age} */"


def _run(cursor: Any, sql: str, values: Sequence[Any]) -> Ran:
    cursor.execute(sql, values)
    return Ran(cursor.fetchall() if cursor.description else [], cursor.rowcount)
