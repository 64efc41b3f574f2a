"""A new view, the most frequent message, in as few statements as possible (SQLite).

SQLite has one writer: what matters is how long a message holds the lock. So its rows are made ready
before, and nothing is asked for twice. What is not as usual goes the long way (``flow.record_hit``) in
the same transaction. (PostgreSQL does it in one statement: one_statement.py.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from wagtail_ma.core.prepared import database_value
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import views, visits
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import PageView, TrackedPage, Visit
from wagtail_ma.tracking.usual import LATER, First, columns, first, is_usual, table, values


@dataclass(frozen=True)
class Ready:
    """A view made ready to be written, its values as the database takes them. ``first``: where the browser
    brings no key; ``since``: visits that have gone on after it are open."""

    hit: Hit
    page: TrackedPage
    connection: Any
    view: list[Any]
    first: First | None
    view_id: Any
    now: Any
    since: Any


class _Browser(NamedTuple):
    key: str
    identity_id: int
    visitor_id: int
    # None: it has no open visit.
    visit_id: int | None
    is_repeated: bool = False
    is_new: bool = False


def ready(hit: Hit, page: TrackedPage, *, now: datetime) -> Ready | None:
    """Make the rows of a message, or None if it is not for here. Asks the database nothing."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "sqlite" or not is_usual(hit):
        return None
    view = values(PageView, views.fields_of_seen(hit, page, at=now), connection)
    rows = None if hit.browser_key else first(hit, page, connection, now=now)
    view_id = database_value(_VIEW_ID, hit.view_id, connection)
    moments = [database_value(_AT, at, connection) for at in (now, now - visits.timeout())]
    return Ready(hit, page, connection, view, rows, view_id, *moments)


def write(message: Ready, *, now: datetime) -> str | None:
    """Write a view, within ``write_facts()``.

    :returns: the browser's key; None if the message is not as usual: nothing has been written then.
    """
    connection = message.connection
    with connection.cursor() as cursor:
        browser = _known(cursor, message) or _met(cursor, message, now=now)
        if browser is None or browser.is_repeated:
            return None
        key, identity_id, visitor_id, visit_id, *_rest = browser
        if visit_id is None:
            visit = values(Visit, visits.fields_of_begun(message.hit, message.page, now=now), connection)
            visit_id = _insert(cursor, Visit, identity_id, visitor_id, *visit)
        elif not browser.is_new:
            cursor.execute(_prolong_sql(), [message.now, visit_id, message.now])
        _insert(cursor, PageView, visit_id, identity_id, visitor_id, *message.view)
        _insert(cursor, News, visitor_id, *values(News, {"at": now}, connection))
    return key


def _known(cursor: Any, message: Ready) -> _Browser | None:
    """Who brings this key, and their open visit: one statement."""
    key = message.hit.browser_key
    if not key:
        return None
    cursor.execute(_known_sql(), [message.since, message.view_id, key])
    row = cursor.fetchone()
    return row and _Browser(key, *row)


def _met(cursor: Any, message: Ready, *, now: datetime) -> _Browser | None:
    """A new visitor and their browser; None if the view is known: its message came twice."""
    rows = message.first or first(message.hit, message.page, message.connection, now=now)
    cursor.execute(_visitor_sql(), [*rows.visitor, message.view_id])
    row = cursor.fetchone()
    if row is None:
        return None
    (visitor_id,) = row
    identity_id = _insert(cursor, Identity, visitor_id, *rows.identity)
    visit_id = _insert(cursor, Visit, identity_id, visitor_id, *rows.visit)
    return _Browser(rows.key, identity_id, visitor_id, visit_id, is_new=True)


def _insert(cursor: Any, model: type[Model], *row: Any) -> int:
    cursor.execute(_insert_sql(model), row)
    (pk,) = cursor.fetchone()
    return pk


_VIEW_ID, _AT = PageView._meta.get_field("view_id"), PageView._meta.get_field("at")


@cache
def _known_sql() -> str:
    # By the unique index on kind and key, ma_visit_open, and the unique index on view_id.
    return f"""
        SELECT me.id, me.visitor_id, (
            SELECT id FROM {table(Visit)} WHERE identity_id = me.id AND last_at > %s
            ORDER BY started_at DESC LIMIT 1
        ), EXISTS (SELECT 1 FROM {table(PageView)} WHERE view_id = %s)
        FROM {table(Identity)} me WHERE kind = '{Identity.Kind.BROWSER.value}' AND key = %s
    """  # noqa: S608


@cache
def _prolong_sql() -> str:
    return f"UPDATE {table(Visit)} SET last_at = %s WHERE id = %s AND last_at < %s"  # noqa: S608


@cache
def _visitor_sql() -> str:
    names = [f'"{field.column}"' for field in columns(Visitor)]
    return f"""
        INSERT INTO {table(Visitor)} ({", ".join(names)}) SELECT {", ".join(["%s"] * len(names))}
        WHERE NOT EXISTS (SELECT 1 FROM {table(PageView)} WHERE view_id = %s) RETURNING id
    """  # noqa: S608


@cache
def _insert_sql(model: type[Model]) -> str:
    names = [f'"{name}"' for name in (*LATER[model], *(field.column for field in columns(model)))]
    given = ", ".join(["%s"] * len(names))
    return f"INSERT INTO {table(model)} ({', '.join(names)}) VALUES ({given}) RETURNING id"  # noqa: S608
