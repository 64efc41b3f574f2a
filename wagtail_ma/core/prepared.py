"""Statements that are compiled once: for the few that run with every hit.

Django's ORM takes several times longer to write such a statement than the database to run it
(measured: 3.6 ms of CPU per hit, 1.0 ms with these). They are still written with the ORM; only the
values are filled in later, where a :class:`Slot` stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache, cached_property, lru_cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.sql import UpdateQuery

M = TypeVar("M", bound=Model)
# Values of these types go to the database as they are, where the field is one of these classes itself
# (a subclass may have its own mind): asking the field takes longer than the statement.
_PLAIN_TYPES = frozenset({str, int, float, bool, type(None)})
_PLAIN_FIELDS = frozenset(
    {
        *(models.BigAutoField, models.ForeignKey, models.OneToOneField, models.BooleanField),
        *(models.BigIntegerField, models.IntegerField, models.PositiveIntegerField),
        *(models.SmallIntegerField, models.PositiveSmallIntegerField, models.FloatField),
        *(models.CharField, models.TextField),
    }
)


@dataclass(frozen=True)
class _Gap:
    name: str
    field: Any


class Slot(Expression):
    """A value known only when the statement runs.

    :param name: the keyword by which it will be given.
    :param field: the model field that it is compared with or written to.
    """

    def __init__(self, name: str, field: Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.gap = _Gap(name, field)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self.gap]


class Select:
    """``build()`` makes a queryset of ``values_list(...)``, with slots in it."""

    def __init__(self, build: Callable[[], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._compiled: dict[str, tuple[str, tuple[Any, ...], Any, Any]] = {}

    def first(self, **values: Any) -> list[Any] | None:
        """Run it and return its first row, or None."""
        connection = connections[DEFAULT_DB_ALIAS]
        if connection.vendor not in self._compiled:
            self._compiled[connection.vendor] = self._compile()
        sql, parameters, compiler, converters = self._compiled[connection.vendor]
        with connection.cursor() as cursor:
            cursor.execute(sql, _fill(parameters, values, connection))
            row = cursor.fetchone()
        if row is None or not converters:
            return row and list(row)
        return _convert(list(row), converters, connection)

    def _compile(self) -> tuple[str, tuple[Any, ...], Any, Any]:
        queryset = self._build()
        compiler = queryset.query.get_compiler(using=DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column[0] for column in compiler.select])
        return sql, tuple(parameters), compiler, converters


def _convert(row: list[Any], converters: Mapping[int, Any], connection: Any) -> list[Any]:
    for position, (functions, expression) in converters.items():
        for function in functions:
            row[position] = function(row[position], expression, connection)
    return row


class Update:
    """``build()`` makes a queryset and the new values by field name, with slots in both."""

    def __init__(self, build: Callable[[], tuple[QuerySet[Any, Any], dict[str, Any]]]) -> None:
        self._build = build
        self._compiled: dict[str, tuple[str, tuple[Any, ...]]] = {}

    def run(self, **values: Any) -> int:
        """Run it; the number of rows that it found."""
        connection = connections[DEFAULT_DB_ALIAS]
        if connection.vendor not in self._compiled:
            self._compiled[connection.vendor] = self._compile()
        sql, parameters = self._compiled[connection.vendor]
        with connection.cursor() as cursor:
            cursor.execute(sql, _fill(parameters, values, connection))
            return cursor.rowcount

    def _compile(self) -> tuple[str, tuple[Any, ...]]:
        queryset, new = self._build()
        query: Any = queryset.query.chain(UpdateQuery)
        query.add_update_values(new)
        sql, parameters = query.get_compiler(using=DEFAULT_DB_ALIAS).as_sql()
        return sql, tuple(parameters)


class Insert:
    """Writes one row of a model.

    :param unique: names of fields; a row that has the same values there is kept as it is, and its
        id is found. (An "update" that sets them to themselves: unlike "do nothing" it tells the id.)
    :param tell: names of fields by which a row that was there already is told from the given one.
    """

    def __init__(
        self, model: type[Model], *, unique: tuple[str, ...] = (), tell: tuple[str, ...] = ()
    ) -> None:
        self._model = model
        self._unique = unique
        self._tell = tell
        self._sql: dict[str, str] = {}

    def run(self, row: Any) -> bool:
        """Write it and set its primary key. Like ``bulk_create``, it sends no signal.

        :returns: False if the row in the table has other values in ``tell``: it was there before.
        """
        connection = connections[DEFAULT_DB_ALIAS]
        if connection.vendor not in self._sql:
            self._sql[connection.vendor] = self._write(connection)
        values = [database_value(field, getattr(row, field.attname), connection) for field in self._fields]
        told = [value for field, value in zip(self._fields, values, strict=True) if field.name in self._tell]
        with connection.cursor() as cursor:
            cursor.execute(self._sql[connection.vendor], values + told)
            row.pk, *same = cursor.fetchone()
        row._state.adding = False
        row._state.db = DEFAULT_DB_ALIAS
        return all(same)

    @cached_property
    def _fields(self) -> list[Any]:
        return [field for field in self._model._meta.concrete_fields if not field.primary_key]

    def _write(self, connection: Any) -> str:
        quote = connection.ops.quote_name
        meta = self._model._meta
        columns = ", ".join(quote(field.column) for field in self._fields)
        gaps = ", ".join(["%s"] * len(self._fields))
        conflict = ""
        if self._unique:
            unique: list[Any] = [meta.get_field(name) for name in self._unique]
            names = [quote(field.column) for field in unique]
            conflict = f" ON CONFLICT ({', '.join(names)}) DO UPDATE SET {names[0]} = EXCLUDED.{names[0]}"
        told = [f"{quote(field.column)} = %s" for field in self._fields if field.name in self._tell]
        returned = ", ".join([quote(meta.pk.column), *told])
        return (
            f"INSERT INTO {quote(meta.db_table)} ({columns}) VALUES ({gaps}){conflict} "  # noqa: S608
            f"RETURNING {returned}"
        )


def new_row(model: type[M], given: Mapping[str, Any]) -> M:
    """A row of a model, not saved: ``model(**given)`` in a third of the time, for the many of a batch.

    :param given: by the name of the column (``visitor_id``); everything else is as by default.
    """
    return model(*[given[name] if name in given else default() for name, default in _defaults(model)])


@cache
def _defaults(model: type[Model]) -> list[tuple[str, Callable[[], Any]]]:
    return [(field.attname, field.get_default) for field in model._meta.concrete_fields]


def database_value(field: Any, value: Any, connection: Any) -> Any:
    """What ``field.get_db_prep_save`` returns for a value, sooner for the most frequent kinds.

    :param connection: of the database that it is for.
    """
    kind = type(field)
    if type(value) in _PLAIN_TYPES and kind in _PLAIN_FIELDS:
        return value
    if kind is models.DateTimeField and type(value) is datetime and value.tzinfo is not None:
        # (PostgreSQL's driver takes it as it is.)
        return _moment(value, connection.timezone) if connection.vendor == "sqlite" else value
    return field.get_db_prep_save(value, connection)


@lru_cache(maxsize=16)
def _moment(value: datetime, zone: tzinfo | None) -> str | None:
    """A moment as SQLite keeps it; one message writes the same one many times."""
    return connections[DEFAULT_DB_ALIAS].ops.adapt_datetimefield_value(value)


def cast_type(field: Any, connection: Any) -> str:
    """The type to which a value for a column is cast, without a length: a cast to varchar(n) would cut
    silently, the column complains.

    :param connection: of the database that it is for.
    """
    return (field.rel_db_type(connection) or "").split("(")[0]


def _fill(parameters: tuple[Any, ...], values: Mapping[str, Any], connection: Any) -> list[Any]:
    return [
        database_value(parameter.field, values[parameter.name], connection)
        if isinstance(parameter, _Gap)
        else parameter
        for parameter in parameters
    ]
