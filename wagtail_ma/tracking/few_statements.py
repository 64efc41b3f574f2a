"""The most frequent messages in as few statements as possible, and past Django's cursors (SQLite).

SQLite has one writer: what matters is how long a message holds the lock. So its rows are made ready
before, nothing is asked for twice, and the statements go to the driver as they are (Django's way to it takes
as long as the statement). What is not as usual goes the long way (``flow.record_hit``). (PostgreSQL does it
in one statement: one_statement.py.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from django.db.models import Model

from wagtail_ma.core.prepared import database_value
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import views, visits
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import PageView, TrackedPage, Visit
from wagtail_ma.tracking.usual import (
    LATER,
    TOTALS,
    First,
    Outcome,
    Told,
    columns,
    first,
    is_usual,
    not_silent_sql,
    table,
    values,
)
from wagtail_ma.tracking.writing import read_raw, write_raw


@dataclass(frozen=True)
class _Ready:
    """A view made ready to be written, its values as the database takes them. ``first``: where the browser
    brings no key; ``since``: visits that have gone on after it are open."""

    hit: Hit
    page: TrackedPage
    connection: Any
    at: datetime
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


def record(hit: Hit, page: TrackedPage, connection: Any, *, now: datetime) -> Told:
    """Record a message if it is as usual.

    :param connection: an SQLite database.
    :raises wagtail_ma.tracking.writing.Busy: the database cannot write now.
    """
    if hit.is_engagement:
        return Told(_grow(hit, connection, now=now))
    if not is_usual(hit):
        return Told(Outcome.UNUSUAL)
    message = _ready(hit, page, connection, now=now)
    key = write_raw(connection, lambda raw: _write(raw, message))
    return Told(Outcome.DONE, key) if key else Told(Outcome.UNUSUAL)


def _ready(hit: Hit, page: TrackedPage, connection: Any, *, now: datetime) -> _Ready:
    """Make the rows of a view. Asks the database nothing."""
    view = values(PageView, views.fields_of_seen(hit, page, now=now), connection)
    rows = None if hit.browser_key else first(hit, page, connection, now=now)
    view_id = database_value(_VIEW_ID, hit.view_id, connection)
    return _Ready(hit, page, connection, now, view, rows, view_id, *_moments(connection, now=now))


def _moments(connection: Any, *, now: datetime) -> list[Any]:
    """Now, and since when a visit must have gone on to be open, as the database takes them."""
    return [database_value(_AT, at, connection) for at in (now, now - visits.timeout())]


def _write(raw: Any, message: _Ready) -> str | None:
    """Write a view.

    :returns: the browser's key; None if the message is not as usual: nothing has been written then.
    """
    browser = _known(raw, message) or _met(raw, message)
    if browser is None or browser.is_repeated:
        return None
    key, identity_id, visitor_id, visit_id, *_rest = browser
    if visit_id is None:
        begun = visits.fields_of_begun(message.hit, message.page, now=message.at)
        visit_id = _insert(raw, Visit, identity_id, visitor_id, *values(Visit, begun, message.connection))
    elif not browser.is_new:
        raw.execute(_prolong_sql(), [message.now, visit_id, message.now, message.since])
    _insert(raw, PageView, visit_id, visitor_id, *message.view)
    _mark(raw, visit_id, message.connection, at=message.at)
    return key


def _known(raw: Any, message: _Ready) -> _Browser | None:
    """Who brings this key, and their open visit: one statement."""
    key = message.hit.browser_key
    if not key:
        return None
    row = raw.execute(_known_sql(), [message.since, message.view_id, key]).fetchone()
    return row and _Browser(key, *row)


def _met(raw: Any, message: _Ready) -> _Browser | None:
    """A new visitor and their browser; None if the view is known (its message came twice), or the browser
    brings the key of somebody who is not recorded."""
    rows = message.first or first(message.hit, message.page, message.connection, now=message.at)
    brought = [message.hit.browser_key] if message.hit.browser_key else []
    inserted = raw.execute(_visitor_sql(bool(brought)), [*rows.visitor, message.view_id, *brought])
    if inserted.rowcount == 0:
        return None
    visitor_id = inserted.lastrowid
    identity_id = _insert(raw, Identity, visitor_id, *rows.identity)
    visit_id = _insert(raw, Visit, identity_id, visitor_id, *rows.visit)
    return _Browser(rows.key, identity_id, visitor_id, visit_id, is_new=True)


def _grow(hit: Hit, connection: Any, *, now: datetime) -> Outcome:
    """Larger totals of a known view. Read without the lock: what is written only raises what is there."""
    view_id = database_value(_VIEW_ID, hit.view_id, connection)
    row = read_raw(connection, lambda raw: raw.execute(_seen_sql(), [view_id]).fetchone())
    if row is None:
        return Outcome.UNKNOWN_VIEW
    pk, visit_id, at, *known_totals, was_doubtful = row
    at = connection.ops.convert_datetimefield_value(at, _AT_COLUMN, connection)
    totals, is_doubtful = views.told(hit, at, now=now)
    known = views.Totals(*known_totals)
    if is_doubtful and not was_doubtful:
        return Outcome.UNUSUAL
    if totals.is_beyond(known):
        until, since = _moments(connection, now=now)

        def write(raw: Any) -> None:
            raw.execute(_prolong_sql(), [until, visit_id, until, since])
            raw.execute(_raise_sql(), [totals.engaged, totals.visible, totals.scroll, is_doubtful, pk])
            if totals.is_noticeably_beyond(known):
                _mark(raw, visit_id, connection, at=now)

        write_raw(connection, write)
    return Outcome.DONE


def _mark(raw: Any, visit_id: int, connection: Any, *, at: datetime) -> None:
    """News of a visitor (read from the visit: right even when a merge is under way)."""
    raw.execute(_news_sql(), [*values(News, {"at": at}, connection), visit_id])


def _insert(raw: Any, model: type[Model], *row: Any) -> int:
    return raw.execute(_insert_sql(model), row).lastrowid


_VIEW_ID, _AT = PageView._meta.get_field("view_id"), PageView._meta.get_field("at")
_AT_COLUMN = _AT.get_col("view")  # type: ignore[union-attr]


@cache
def _known_sql() -> str:
    # By the unique index on kind and key, ma_visit_open, and the unique index on view_id.
    return f"""
        SELECT me.id, me.visitor_id, (
            SELECT id FROM {table(Visit)} WHERE identity_id = me.id AND last_at > ?
            ORDER BY started_at DESC LIMIT 1
        ), EXISTS (SELECT 1 FROM {table(PageView)} WHERE view_id = ?)
        FROM {table(Identity)} me WHERE kind = '{Identity.Kind.BROWSER.value}' AND key = ?
    """  # noqa: S608


@cache
def _seen_sql() -> str:
    return f"SELECT id, visit_id, at, {', '.join(TOTALS)} FROM {table(PageView)} WHERE view_id = ?"  # noqa: S608


@cache
def _prolong_sql() -> str:
    return f"UPDATE {table(Visit)} SET last_at = ? WHERE id = ? AND last_at < ? AND last_at > ?"  # noqa: S608


@cache
def _raise_sql() -> str:
    raised = ", ".join(f"{name} = MAX({name}, ?)" for name in TOTALS)
    return f"UPDATE {table(PageView)} SET {raised} WHERE id = ?"  # noqa: S608


@cache
def _news_sql() -> str:
    names = [field.column for field in columns(News)]
    return f"""
        INSERT INTO {table(News)} (visitor_id, {", ".join(names)})
        SELECT visitor_id, {", ".join("?" * len(names))} FROM {table(Visit)} WHERE id = ?
    """  # noqa: S608


@cache
def _visitor_sql(brings_key: bool) -> str:
    names = [f'"{field.column}"' for field in columns(Visitor)]
    return f"""
        INSERT INTO {table(Visitor)} ({", ".join(names)}) SELECT {", ".join("?" * len(names))}
        WHERE NOT EXISTS (SELECT 1 FROM {table(PageView)} WHERE view_id = ?)
        {f"AND {not_silent_sql('?')}" if brings_key else ""}
    """  # noqa: S608


@cache
def _insert_sql(model: type[Model]) -> str:
    names = [f'"{name}"' for name in (*LATER[model], *(field.column for field in columns(model)))]
    return f"INSERT INTO {table(model)} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
