"""Many rows in one statement: the largest part of computing scores is writing them down.

(With the ORM's ``bulk_create`` more than half of the time went into making objects and
placeholders.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connections, router
from django.db.models import Model

from wagtail_ma.scoring.ledger import Award, Key
from wagtail_ma.scoring.models import ScoreEntry, ScoringModel

# PostgreSQL's names for what the columns hold.
_TYPES = {
    "ForeignKey": "bigint",
    "BigIntegerField": "bigint",
    "PositiveIntegerField": "integer",
    "FloatField": "float8",
    "BooleanField": "boolean",
    "CharField": "text",
    "DateTimeField": "timestamptz",
}


def upsert(
    table: type[Model], columns: Sequence[str], unique: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert rows, or bring those that are there up to date: one statement.

    :param columns: names as in the database; the rows have their values in this order.
    :param unique: those of a unique constraint; the others are brought up to date.
    """
    # In the order of the index: two writers never wait for each other in a circle.
    places = [columns.index(name) for name in unique]
    ordered = sorted(rows, key=lambda row: tuple(row[place] for place in places))
    if not ordered:
        return
    connection = connections[router.db_for_write(table)]
    name = connection.ops.quote_name(table._meta.db_table)
    sets = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in unique)
    into = f"INSERT INTO {name} ({', '.join(columns)})"
    on_conflict = f"ON CONFLICT ({', '.join(unique)}) DO UPDATE SET {sets}"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{_type(table, column)}[]" for column in columns)
            values = [list(column) for column in zip(*ordered, strict=True)]
            cursor.execute(f"{into} SELECT * FROM unnest({arrays}) {on_conflict}", values)  # noqa: S608
            return
        adapt = connection.ops.adapt_datetimefield_value
        marks = ", ".join(["%s"] * len(columns))
        cursor.executemany(
            f"{into} VALUES ({marks}) {on_conflict}",
            [[adapt(value) if isinstance(value, datetime) else value for value in row] for row in ordered],
        )


def _type(table: type[Model], column: str) -> str:
    field = next(field for field in table._meta.concrete_fields if field.column == column)
    return _TYPES[field.get_internal_type()]


def write_entries(model: ScoringModel, earned: Mapping[Key, Award]) -> None:
    """Insert these entries, or bring those that are there up to date: one statement.

    An entry of a fact that has just come from another visitor is still filed under that one.
    """
    upsert(
        ScoreEntry,
        ("model_id", "rule_id", "fact_kind", "fact_id", "visitor_id", "points", "at"),
        ("model_id", "rule_id", "fact_kind", "fact_id"),
        [(model.pk, *key, *award) for key, award in earned.items()],
    )
