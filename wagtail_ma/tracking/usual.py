"""What the short ways into the database share: rows made ready before anything is asked of it.

A view of a known browser, or the first one of a new browser, is by far the most frequent message.
``one_statement.py`` writes it on PostgreSQL, ``few_statements.py`` on SQLite (``short_way.py`` chooses);
what is not as usual goes the long way (``flow.record_hit``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from wagtail_ma.core.prepared import cast_type, database_value
from wagtail_ma.people import browsers
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import visits
from wagtail_ma.tracking.hits import VIEW, Hit
from wagtail_ma.tracking.models import PageView, TrackedPage, Visit

# Columns that are known only when the row before has been written.
LATER: Mapping[type[Model], tuple[str, ...]] = {
    Visitor: (),
    Identity: ("visitor_id",),
    Visit: ("identity_id", "visitor_id"),
    PageView: ("visit_id", "visitor_id"),
    News: ("visitor_id",),
}


# What grows while a view is read, by column.
TOTALS = ("engaged_seconds", "visible_seconds", "scroll_percent", "is_doubtful")


class Outcome(Enum):
    """What became of a message on a short way."""

    DONE = "done"
    # Nothing has been written.
    UNUSUAL = "unusual"
    UNKNOWN_VIEW = "unknown view"
    UNKNOWN_BROWSER = "unknown browser"


class Told(NamedTuple):
    """``browser_key``: for the browser to keep, None for nothing."""

    outcome: Outcome
    browser_key: str | None = None


@dataclass(frozen=True)
class First:
    """Rows of a browser that has never been here, all but the view; values as the database takes them."""

    key: str
    visitor: list[Any]
    identity: list[Any]
    visit: list[Any]


def is_usual(hit: Hit) -> bool:
    """Whether a message is a view of a script that begins no other visit while one is open."""
    return (
        hit.kind == VIEW
        and hit.source == PageView.Source.SCRIPT
        and not hit.log_key
        and not visits.comes_from_elsewhere(hit)
    )


def first(hit: Hit, page: TrackedPage, connection: Any, *, now: datetime) -> First:
    """Rows of a visitor who comes for the first time.

    :param connection: of the database that they are for.
    """
    key = hit.browser_key if hit.browser_key and hit.is_key_fresh else browsers.draw_key()
    return First(
        key,
        values(Visitor, {"first_seen_at": now}, connection),
        values(Identity, {"kind": Identity.Kind.BROWSER.value, "key": key, "created_at": now}, connection),
        values(Visit, visits.fields_of_begun(hit, page, now=now), connection),
    )


def values(model: type[Model], given: Mapping[str, Any], connection: Any) -> list[Any]:
    """Of all columns but those of :data:`LATER`, in the order of :func:`columns`; what is not given, by
    default. (To make a row of the model for each takes as long as to write it.)

    :param given: by the name of the column.
    :param connection: of the database that they are for.
    """
    return [
        database_value(field, given[name] if name in given else default(), connection)
        for name, field, default in _fields(model)
    ]


def columns(model: type[Model]) -> list[Any]:
    """The fields whose values :func:`values` gives."""
    return [field for _name, field, _default in _fields(model)]


@cache
def _fields(model: type[Model]) -> list[tuple[str, Any, Any]]:
    return [
        (field.attname, field, field.get_default)
        for field in model._meta.concrete_fields
        if not field.primary_key and field.attname not in LATER[model]
    ]


def not_silent_sql(key: str) -> str:
    """The condition that a key is not that of somebody who is not recorded (people/unrecorded.py): asked
    where a browser brings one that is unknown.

    :param key: the place for its value.
    """
    kind = Identity.Kind.SILENT.value
    return f"NOT EXISTS (SELECT 1 FROM {table(Identity)} WHERE kind = '{kind}' AND key = {key})"  # noqa: S608


def insert_select(model: type[Model], *same: str, **expressions: str) -> tuple[str, list[Any]]:
    """``INSERT … SELECT`` without its source (PostgreSQL), and the constants that go into it.

    :param same: columns that the source calls by the same name.
    :param expressions: what other columns get from it; those that are not named are as by default.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    found = dict(zip(same, same, strict=True)) | expressions
    names, chosen, constants = [], [], []
    fields: list[Any] = list(model._meta.concrete_fields)
    for field in fields:
        if field.column not in found:
            if field.primary_key:
                continue
            constants.append(database_value(field, field.get_default(), connection))
        names.append(f'"{field.column}"')
        chosen.append(found.get(field.column) or f"%s::{cast_type(field, connection)}")
    insert = f"INSERT INTO {table(model)} ({', '.join(names)})"
    return f"{insert} SELECT {', '.join(chosen)}", constants


def table(model: type[Model]) -> str:
    """The name of its table, quoted."""
    return f'"{model._meta.db_table}"'
