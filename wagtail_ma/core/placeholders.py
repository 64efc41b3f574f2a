"""Values filled in when a compiled statement is executed: the time, and whom it is about.

The statement for "which of these visitors are in which segments" takes longer to compile than to
run, so it is compiled once per version of the rules, with these in place of the values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import BooleanField, CharField, DateTimeField, Expression, F
from django.utils import timezone

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.core.request_facts import RequestFacts


class NoRequest(MarketingError):
    """A condition about the request was to be decided outside of one."""


@dataclass(frozen=True)
class MomentSlot:
    """A parameter that becomes ``now - before``."""

    before: timedelta


@dataclass(frozen=True)
class TodaySlot:
    """A parameter that becomes a text made of today's date in the time zone of the project."""

    text_of: Callable[[date], str]


@dataclass(frozen=True)
class IdsSlot:
    """A parameter that becomes the list of visitor ids."""


@dataclass(frozen=True)
class VisitorSlot:
    """A parameter that becomes one visitor id, or NULL."""


@dataclass(frozen=True)
class TextSlot:
    """A parameter that becomes the given text."""


@dataclass(frozen=True)
class FactSlot:
    """A parameter that becomes 1 if the facts of the request fulfil ``holds``, else 0."""

    holds: Callable[[RequestFacts], bool]


class Moment(Expression):
    """``now - before``, known only when the statement is executed."""

    output_field = DateTimeField()

    def __init__(self, before: timedelta) -> None:
        super().__init__(output_field=DateTimeField())
        self.before = before

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        # Cast, because PostgreSQL cannot tell the type of a lone parameter in arithmetic.
        sql = "%s::timestamptz" if connection.vendor == "postgresql" else "%s"
        return sql, [MomentSlot(self.before)]


class Today(Expression):
    """A text made of today's date, known only when the statement is executed."""

    output_field = CharField()

    def __init__(self, text_of: Callable[[date], str]) -> None:
        super().__init__(output_field=CharField())
        self.text_of = text_of

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [TodaySlot(self.text_of)]


def today(now: datetime) -> date:
    """The date in the time zone of the project."""
    return timezone.localdate(now, timezone.get_default_timezone())


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

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        column, parameters = compiler.compile(self.column)
        if connection.vendor == "postgresql":
            return f"{column} = ANY(%s)", [*parameters, IdsSlot()]
        # One parameter however many ids: SQLite limits their number.
        return f"{column} IN (SELECT value FROM json_each(%s))", [*parameters, IdsSlot()]  # noqa: S608


class AskedNow(Expression):
    """Whether the facts of the request fulfil ``holds``, known only when the statement is executed."""

    conditional = True

    def __init__(self, holds: Callable[[RequestFacts], bool]) -> None:
        super().__init__(output_field=BooleanField())
        self.holds = holds

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "CAST(%s AS integer) = 1", [FactSlot(self.holds)]


class GivenText(Expression):
    """A text given when the statement is executed."""

    def __init__(self, output_field: Any) -> None:
        super().__init__(output_field=output_field)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [TextSlot()]


class IsNobody(Expression):
    """True in the row of somebody of whom we have none (an outer join found nothing).

    Not ``pk__isnull``: the ORM knows that a primary key is never NULL.
    """

    conditional = True

    def __init__(self, field: str = "pk", *, negated: bool = False) -> None:
        super().__init__(output_field=BooleanField())
        self.column: Any = F(field)
        self.negated = negated

    def get_source_expressions(self) -> list[Any]:
        return [self.column]

    def set_source_expressions(self, expressions: Any) -> None:
        (self.column,) = expressions

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        column, parameters = compiler.compile(self.column)
        return f"{column} IS {'NOT ' if self.negated else ''}NULL", parameters


@dataclass(frozen=True)
class Call:
    """What the slots of a statement are filled with."""

    now: datetime
    ids: list[int]
    visitor_id: int | None
    facts: RequestFacts | None
    text: str


@dataclass(frozen=True)
class Statement:
    """A compiled statement with slots."""

    sql: str
    parameters: tuple[Any, ...]
    using: str

    def rows(
        self,
        *,
        now: datetime,
        ids: Iterable[int] = (),
        visitor_id: int | None = None,
        facts: RequestFacts | None = None,
        text: str = "",
    ) -> list[tuple[Any, ...]]:
        """Execute it for this moment and what else it asks for, and fetch everything.

        :raises NoRequest: it asks for facts of a request and none are given.
        """
        connection = connections[self.using]
        call = Call(now, list(ids), visitor_id, facts, text)
        filled = [_fill(parameter, call, connection) for parameter in self.parameters]
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


def _fill(parameter: Any, call: Call, connection: Any) -> Any:
    if isinstance(parameter, MomentSlot):
        return connection.ops.adapt_datetimefield_value(call.now - parameter.before)
    if isinstance(parameter, TodaySlot):
        return parameter.text_of(today(call.now))
    if isinstance(parameter, IdsSlot):
        return call.ids if connection.vendor == "postgresql" else json.dumps(call.ids)
    if isinstance(parameter, VisitorSlot):
        return call.visitor_id
    if isinstance(parameter, TextSlot):
        return call.text
    if isinstance(parameter, FactSlot):
        if call.facts is None:
            raise NoRequest("a condition about the request cannot be decided outside of one")
        return 1 if parameter.holds(call.facts) else 0
    return parameter
