"""Statements that PostgreSQL plans once per connection, and not each time they run.

For the few that write what visitors do: to read and plan one of them takes PostgreSQL longer than to run it.
They are prepared by PostgreSQL's own ``PREPARE``, under names made from their text.

A pooler in front of the database may hand each transaction to another connection, where nothing has been
prepared (or, under the same name, the same). So nothing is prepared where Django is told of such a pooler
(``DISABLE_SERVER_SIDE_CURSORS``), and no more once a prepared statement has been lost. (The driver's own way
numbers its statements: on another connection the same number may be another statement.)

A plan that was made for a small table would read all of it when it has grown, until PostgreSQL looks at it
again (within a minute, if nobody has switched that off). So plans are made anew whenever a connection has run
four times as many statements.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

logger = logging.getLogger(__name__)

# From this one on, the statements of a connection are prepared: many connections serve one request only.
FIRST = 6
# SQLSTATE of "there is no such prepared statement", "there is one of this name already", and of a column that
# has got another type since.
_LOST = frozenset({"26000", "42P05", "0A000"})

_is_given_up = False


class Ran(NamedTuple):
    """What a statement returned, and how many rows it found or wrote."""

    rows: list[tuple[Any, ...]]
    row_count: int


class _Statement(NamedTuple):
    name: str
    prepare: str
    execute: str


@dataclass
class _Prepared:
    """What has been done on a connection, and the name by which each statement is prepared there."""

    run_count: int = 0
    names: dict[str, str] = field(default_factory=dict)


# By the driver's connection, which Django may replace.
_prepared: WeakKeyDictionary[Any, _Prepared] = WeakKeyDictionary()


def run(sql: str, values: Sequence[Any]) -> Ran:
    """Run a statement on PostgreSQL, prepared where that is possible.

    :param sql: the same text each time; ``%s`` where values go, and no other per cent sign.
    :raises django.db.Error: what Django's own cursor raises. A prepared statement that got lost is run again
        without; in a transaction, which is lost with it, that is left to the caller.
    """
    connection: Any = connections[DEFAULT_DB_ALIAS]
    with connection.cursor() as cursor:
        statement = _due(sql, connection)
        if statement is None:
            return _execute(cursor, sql, values)
        try:
            _prepare(sql, statement, cursor, connection)
            return _execute(cursor, statement.execute, values)
        except DatabaseError as error:
            if not _is_lost(error):
                raise
            _give_up()
            if connection.in_atomic_block:
                raise
        return _execute(cursor, sql, values)


def _execute(cursor: Any, sql: str, values: Sequence[Any]) -> Ran:
    cursor.execute(sql, values)
    return Ran(cursor.fetchall() if cursor.description else [], cursor.rowcount)


def _due(sql: str, connection: Any) -> _Statement | None:
    """How to run it prepared, if that is possible and worth while."""
    if _is_given_up or not _may_prepare(connection):
        return None
    prepared = _prepared.setdefault(connection.connection, _Prepared())
    prepared.run_count += 1
    return None if prepared.run_count < FIRST else _statement(sql, _age(prepared.run_count))


def _prepare(sql: str, statement: _Statement, cursor: Any, connection: Any) -> None:
    names = _prepared[connection.connection].names
    before = names.get(sql)
    if before == statement.name:
        return
    if before:
        cursor.execute(f"DEALLOCATE {before}")
    cursor.execute(statement.prepare)
    names[sql] = statement.name


def _may_prepare(connection: Any) -> bool:
    # (Whoever counts statements, or looks at them, sees what they are. And where values travel beside the
    # text, PREPARE cannot take them; the driver prepares by itself there, if it is told to.)
    return not (
        connection.queries_logged
        or connection.features.uses_server_side_binding
        or connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
    )


@lru_cache(maxsize=256)
def _statement(sql: str, age: int) -> _Statement:
    first, *rest = sql.split("%s")
    numbered = first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
    digest = hashlib.sha256(sql.encode()).hexdigest()[:16]
    name = f"wagtail_ma_{digest}_{age}"
    return _Statement(
        name, f"PREPARE {name} AS {numbered}", f"EXECUTE {name} ({', '.join(['%s'] * len(rest))})"
    )


def _age(count: int) -> int:
    """How old a connection is: one more from the 16th, 64th, 256th … statement that runs on it."""
    return (max(count.bit_length(), 4) - 3) // 2


def _is_lost(error: DatabaseError) -> bool:
    cause: Any = error.__cause__
    # (Psycopg 2 calls it otherwise.)
    return (getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)) in _LOST


def _give_up() -> None:
    global _is_given_up
    if _is_given_up:
        return
    _is_given_up = True
    logger.warning(
        "A prepared statement was lost; recording goes on without. If a pooler gives each transaction "
        "another connection, set DISABLE_SERVER_SIDE_CURSORS, as Django advises."
    )
