"""The most frequent messages as one or two statements without a transaction around them (PostgreSQL).

A hit that takes seven statements spends most of its time on the way to the database and back. What is
as usual (a known browser, an open visit, a new view; or totals of a known view) can be said in one.
Everything else, and whatever turns out not to be as usual, goes the long way (``flow.record_hit``).
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from wagtail_ma.core.prepared import Select, Slot
from wagtail_ma.people.models import Identity, News
from wagtail_ma.tracking import views, visits
from wagtail_ma.tracking.hits import VIEW, Hit
from wagtail_ma.tracking.models import PageView, TrackedPage, Visit
from wagtail_ma.tracking.writing import busy_when_away

_TOTALS = ("engaged_seconds", "visible_seconds", "scroll_percent", "is_doubtful")
_seen = Select(
    lambda: PageView.objects.filter(view_id=Slot("view_id", PageView._meta.get_field("view_id"))).values_list(
        "pk", "visit_id", "at", *_TOTALS
    )
)


class Outcome(Enum):
    """What became of a message here."""

    DONE = "done"
    # Nothing has been written.
    UNUSUAL = "unusual"
    UNKNOWN_VIEW = "unknown view"


def record(hit: Hit, page: TrackedPage, *, now: datetime) -> Outcome:
    """Record a message if it is as usual, and if this database can do so.

    :raises wagtail_ma.tracking.writing.Busy: the database cannot write now.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return Outcome.UNUSUAL
    with busy_when_away():
        return _grow(hit, now=now) if hit.is_engagement else _record_view(hit, page, now=now)


def _record_view(hit: Hit, page: TrackedPage, *, now: datetime) -> Outcome:
    """The new view of a known browser whose visit is going on.

    The browser is locked as everywhere: a second message of it waits, and then finds its view.
    """
    if hit.kind != VIEW or not hit.browser_key or hit.source != PageView.Source.SCRIPT:
        return Outcome.UNUSUAL
    if visits.comes_from_elsewhere(hit):
        return Outcome.UNUSUAL
    connection = connections[DEFAULT_DB_ALIAS]
    view = views.seen(Identity(), hit, page, at=now)
    values = [
        field.get_db_prep_save(getattr(view, field.attname), connection)
        for field in _fields()
        if field.name not in _FOUND
    ]
    since = now - visits.timeout()
    with connection.cursor() as cursor:
        cursor.execute(_view_sql(), [hit.browser_key, now, hit.view_id, since, now, *values, now])
        return Outcome.DONE if cursor.rowcount == 1 else Outcome.UNUSUAL


def _grow(hit: Hit, *, now: datetime) -> Outcome:
    """Larger totals of a known view. Read without a lock: what is written only raises what is there."""
    row = _seen.first(view_id=hit.view_id)
    if row is None:
        return Outcome.UNKNOWN_VIEW
    pk, visit_id, at, engaged, visible, scroll, was_doubtful = row
    totals, is_doubtful = views.told(hit, at, now=now)
    known = views.Totals(engaged, visible, scroll)
    if is_doubtful and not was_doubtful:
        return Outcome.UNUSUAL
    if totals.is_beyond(known):
        raised = [totals.engaged, totals.visible, totals.scroll, is_doubtful]
        is_news = totals.is_noticeably_beyond(known)
        since = now - visits.timeout()
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(_grow_sql(), [visit_id, *raised, pk, now, now, since, now, is_news])
    return Outcome.DONE


# Fields of a view that the statement finds by itself.
_FOUND = {"identity": "me.id", "visitor": "me.visitor_id", "visit": "going_on.id"}


def _fields() -> list[Any]:
    return [field for field in PageView._meta.concrete_fields if not field.primary_key]


@cache
def _view_sql() -> str:
    connection = connections[DEFAULT_DB_ALIAS]
    view, visit = _table(PageView), _table(Visit)
    columns = ", ".join(f'"{field.column}"' for field in _fields())
    # Without a length: a cast to varchar(n) would cut silently, the column complains.
    given = ", ".join(
        _FOUND.get(field.name, f"%s::{(field.db_type(connection) or '').split('(')[0]}")
        for field in _fields()
    )
    # A view that is known prolongs nothing: the message came twice.
    return f"""
        WITH me AS (
            SELECT id, visitor_id FROM {_table(Identity)}
            WHERE kind = '{Identity.Kind.BROWSER.value}' AND key = %s FOR NO KEY UPDATE
        ), going_on AS (
            UPDATE {visit} SET last_at = GREATEST(last_at, %s)
            WHERE NOT EXISTS (SELECT 1 FROM {view} WHERE view_id = %s) AND id = (
                SELECT {visit}.id FROM {visit} JOIN me ON {visit}.identity_id = me.id
                WHERE last_at > %s AND started_at <= %s ORDER BY started_at DESC LIMIT 1
            )
            RETURNING id
        ), seen AS (
            INSERT INTO {view} ({columns}) SELECT {given} FROM me, going_on
            ON CONFLICT (view_id) DO NOTHING RETURNING visitor_id
        )
        INSERT INTO {_table(News)} (visitor_id, at, attempts, error, cause)
        SELECT visitor_id, %s, 0, '', '' FROM seen
    """  # noqa: S608


@cache
def _grow_sql() -> str:
    raised = ", ".join(f"{name} = GREATEST({name}, %s)" for name in _TOTALS)
    # Its visitor is read from the locked visit: right even when a merge is under way.
    return f"""
        WITH going_on AS (
            SELECT id, visitor_id FROM {_table(Visit)} WHERE id = %s FOR NO KEY UPDATE
        ), raised AS (
            UPDATE {_table(PageView)} SET {raised} WHERE id = %s
        ), prolonged AS (
            UPDATE {_table(Visit)} SET last_at = %s FROM going_on
            WHERE {_table(Visit)}.id = going_on.id AND last_at < %s AND last_at > %s
        )
        INSERT INTO {_table(News)} (visitor_id, at, attempts, error, cause)
        SELECT visitor_id, %s, 0, '', '' FROM going_on WHERE %s
    """  # noqa: S608


def _table(model: Any) -> str:
    return f'"{model._meta.db_table}"'
