"""Values filled in when a compiled statement is executed: the time, and whom it is about.

The statement for "which of these visitors are in which segments" takes longer to compile than to
run, so it is compiled once per version of the rules, with these in place of the values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import BooleanField, DateTimeField, Expression, F


@dataclass(frozen=True)
class MomentSlot:
    """A parameter that becomes ``now - before``."""

    before: timedelta


@dataclass(frozen=True)
class IdsSlot:
    """A parameter that becomes the list of visitor ids."""


class Moment(Expression):
    """``now - before``, known only when the statement is executed."""

    output_field = DateTimeField()

    def __init__(self, before: timedelta) -> None:
        super().__init__(output_field=DateTimeField())
        self.before = before

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        # Cast, because PostgreSQL cannot tell the type of a lone parameter in arithmetic.
        sql = "%s::timestamptz" if connection.vendor == "postgresql" else "%s"
        return sql, [MomentSlot(self.before)]


class OneOfThese(Expression):
    """True for rows whose ``field`` is one of the ids given when the statement is executed."""

    conditional = True

    def __init__(self, field: str = "pk") -> None:
        super().__init__(output_field=BooleanField())
        self.column: Any = F(field)

    def get_source_expressions(self) -> list[Any]:
        return [self.column]

    def set_source_expressions(self, expressions: Any) -> None:
        (self.column,) = expressions

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, parameters = compiler.compile(self.column)
        if connection.vendor == "postgresql":
            return f"{column} = ANY(%s)", [*parameters, IdsSlot()]
        # One parameter however many ids: SQLite limits their number.
        return f"{column} IN (SELECT value FROM json_each(%s))", [*parameters, IdsSlot()]  # noqa: S608


@dataclass(frozen=True)
class Statement:
    """A compiled statement with slots."""

    sql: str
    parameters: tuple[Any, ...]
    using: str

    def rows(self, *, now: datetime, ids: Iterable[int] = ()) -> list[tuple[Any, ...]]:
        """Execute it for this moment and these ids, and fetch everything."""
        connection = connections[self.using]
        listed = list(ids)
        filled = [_fill(parameter, now, listed, connection) for parameter in self.parameters]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, filled)
            return cursor.fetchall()


def compile_statement(queryset: Any) -> Statement:
    """The SQL of a queryset, its slots unfilled.

    :raises django.core.exceptions.EmptyResultSet: it can be seen without asking that nothing
        comes back.
    """
    sql, parameters = queryset.query.get_compiler(using=queryset.db).as_sql()
    return Statement(sql, tuple(parameters), queryset.db)


def _fill(parameter: Any, now: datetime, ids: list[int], connection: Any) -> Any:
    if isinstance(parameter, MomentSlot):
        return connection.ops.adapt_datetimefield_value(now - parameter.before)
    if isinstance(parameter, IdsSlot):
        return ids if connection.vendor == "postgresql" else json.dumps(ids)
    return parameter
