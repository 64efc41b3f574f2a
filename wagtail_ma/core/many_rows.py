"""Statements that write many rows at once: their SQL is written once, however many rows there are.

PostgreSQL gets all rows as one text in JSON (its driver takes several times as long to write arrays, and
ten times as long for a list of VALUES), SQLite one row after the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from wagtail_ma.core.prepared import cast_type, database_value


class InsertRows:
    """Inserts rows of a model.

    :param unique: names of fields; a row that has the same values there is kept as it is …
    :param larger: … except for these fields, which get the larger of both values …
    :param smaller: … and these, which get the smaller one.
    :param is_repeatable: a row that any unique key of the model forbids is left out (not with ``unique``).
    """

    def __init__(
        self,
        model: type[Model],
        *,
        unique: tuple[str, ...] = (),
        larger: tuple[str, ...] = (),
        smaller: tuple[str, ...] = (),
        is_repeatable: bool = False,
    ) -> None:
        self._model = model
        self._is_repeatable = is_repeatable
        self._unique, self._larger, self._smaller = unique, larger, smaller
        self._sql: dict[str, str] = {}

    def run(self, rows: Sequence[Any]) -> None:
        """Write them. With ``larger`` or ``smaller``, no two of them may be the same by ``unique``."""
        if rows:
            connection = connections[DEFAULT_DB_ALIAS]
            with connection.cursor() as cursor:
                _execute(cursor, *self._prepared(rows, connection), self._fields, connection)

    def run_with_keys(self, rows: Sequence[Any]) -> bool:
        """Write them and set their primary keys.

        :returns: False if the keys are not told, because rows were left out or the database cannot tell.
        """
        connection = connections[DEFAULT_DB_ALIAS]
        if not rows:
            return True
        if connection.vendor != "postgresql":
            self._model._base_manager.bulk_create(rows, ignore_conflicts=self._is_repeatable)
            return not self._is_repeatable
        sql, values = self._prepared(rows, connection)
        key = connection.ops.quote_name(str(self._model._meta.pk.column))
        with connection.cursor() as cursor:
            _execute(cursor, f"{sql} RETURNING {key}", values, self._fields, connection)
            found = cursor.fetchall()
        if len(found) < len(rows):
            return False
        # In the order in which they were given, as Django's own bulk_create takes them.
        for row, (pk,) in zip(rows, found, strict=True):
            row.pk = pk
            row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
        return True

    @cached_property
    def _fields(self) -> list[Any]:
        return [field for field in self._model._meta.concrete_fields if not field.primary_key]

    def _prepared(self, rows: Sequence[Any], connection: Any) -> tuple[str, list[list[Any]]]:
        fields = self._fields
        if connection.vendor not in self._sql:
            self._sql[connection.vendor] = self._write(fields, connection)
        values = [
            [database_value(field, getattr(row, field.attname), connection) for field in fields]
            for row in rows
        ]
        return self._sql[connection.vendor], values

    def _write(self, fields: list[Any], connection: Any) -> str:
        quote = connection.ops.quote_name
        table = quote(self._model._meta.db_table)
        columns = ", ".join(quote(field.column) for field in fields)
        if connection.vendor == "postgresql":
            source = f"SELECT * FROM {_given(fields, connection)}"  # noqa: S608
        else:
            source = f"VALUES ({', '.join(['%s'] * len(fields))})"
        return f"INSERT INTO {table} ({columns}) {source}{self._conflict(table, connection)}"

    def _conflict(self, table: str, connection: Any) -> str:
        if not self._unique:
            return " ON CONFLICT DO NOTHING" if self._is_repeatable else ""
        column = _columns(self._model, connection)
        target = f" ON CONFLICT ({', '.join(column(name) for name in self._unique)}) DO "
        changes = [
            f"{column(name)} = {extreme}({table}.{column(name)}, EXCLUDED.{column(name)})"
            for names, extreme in zip((self._larger, self._smaller), _extremes(connection), strict=True)
            for name in names
        ]
        return target + (f"UPDATE SET {', '.join(changes)}" if changes else "NOTHING")


class RaiseRows:
    """Raises fields of rows: each gets the larger of what it has and what is given.

    Never lowers anything, whatever another process did since the row was read.
    """

    def __init__(self, model: type[Model], *names: str) -> None:
        self._model = model
        self._fields: list[Any] = [model._meta.get_field(name) for name in names]
        self._sql: dict[str, str] = {}

    def run(self, rows: Sequence[Any]) -> None:
        """Write the rows' values of these fields, by their primary keys."""
        if not rows:
            return
        connection = connections[DEFAULT_DB_ALIAS]
        if connection.vendor not in self._sql:
            self._sql[connection.vendor] = self._write(connection)
        values = [
            [*(database_value(f, getattr(row, f.attname), connection) for f in self._fields), row.pk]
            for row in rows
        ]
        with connection.cursor() as cursor:
            fields = [*self._fields, self._model._meta.pk]
            _execute(cursor, self._sql[connection.vendor], values, fields, connection)

    def _write(self, connection: Any) -> str:
        quote = connection.ops.quote_name
        table, key = quote(self._model._meta.db_table), quote(self._model._meta.pk.column)
        names = [quote(field.column) for field in self._fields]
        if connection.vendor == "postgresql":
            changes = ", ".join(f"{name} = GREATEST({table}.{name}, given.{name})" for name in names)
            given = _given([*self._fields, self._model._meta.pk], connection)
            return f"UPDATE {table} SET {changes} FROM {given} WHERE {table}.{key} = given.{key}"  # noqa: S608
        changes = ", ".join(f"{name} = MAX({name}, %s)" for name in names)
        return f"UPDATE {table} SET {changes} WHERE {key} = %s"  # noqa: S608


def _columns(model: type[Model], connection: Any) -> Any:
    meta: Any = model._meta
    return lambda name: connection.ops.quote_name(meta.get_field(name).column)


def _extremes(connection: Any) -> tuple[str, str]:
    return ("GREATEST", "LEAST") if connection.vendor == "postgresql" else ("MAX", "MIN")


def _given(fields: Sequence[Any], connection: Any) -> str:
    """The rows of the one parameter as a table ``given``."""
    types = [cast_type(field, connection) for field in fields]
    names = [connection.ops.quote_name(field.column) for field in fields]
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(names, types, strict=True))
    return f"json_to_recordset(%s) AS given ({columns})"


def _execute(cursor: Any, sql: str, values: list[list[Any]], fields: Sequence[Any], connection: Any) -> None:
    if connection.vendor == "postgresql":
        names = [field.column for field in fields]
        rows = [dict(zip(names, row, strict=True)) for row in values]
        cursor.execute(sql, [json.dumps(rows, default=_plain, ensure_ascii=False)])
    else:
        cursor.executemany(sql, values)


def _plain(value: Any) -> Any:
    """What JSON has no word for, as PostgreSQL reads it."""
    if isinstance(value, datetime):
        return value.isoformat()
    # (The driver's wrapper of a value that goes into a column of JSON.)
    return value.obj if hasattr(value, "obj") else str(value)
