"""The most frequent messages as one or two statements without a transaction around them (PostgreSQL).

A hit that takes seven statements spends most of its time on the way to the database and back. What is
as usual (a new view in an open visit, the first view of a new browser, totals of a known view) can be said
in one. Everything else, and whatever turns out not to be as usual, goes the long way (``flow.record_hit``).
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections
from django.db.models import Model

from wagtail_ma.core import planned
from wagtail_ma.core.prepared import cast_type
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import views, visits
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import PageView, TrackedPage, Visit
from wagtail_ma.tracking.usual import (
    TOTALS,
    First,
    Outcome,
    Told,
    columns,
    first,
    insert_select,
    is_usual,
    not_silent_sql,
    table,
    values,
)
from wagtail_ma.tracking.writing import busy_when_away


def record(hit: Hit, page: TrackedPage, connection: Any, *, now: datetime) -> Told:
    """Record a message if it is as usual.

    :param connection: a PostgreSQL database.
    :raises wagtail_ma.tracking.writing.Busy: the database cannot write now.
    """
    if connection.in_atomic_block:
        return Told(Outcome.UNUSUAL)
    with busy_when_away():
        if hit.is_engagement:
            return Told(_grow(hit, now=now))
        if not is_usual(hit):
            return Told(Outcome.UNUSUAL)
        view = values(PageView, views.fields_of_seen(hit, page, now=now), connection)
        news = values(News, {"at": now}, connection)
        outcome = _record_next(hit, view, news, now=now) if hit.browser_key else Outcome.UNKNOWN_BROWSER
        if outcome is not Outcome.UNKNOWN_BROWSER:
            return Told(outcome, hit.browser_key)
        return _record_first(hit, view, news, first(hit, page, connection, now=now))


def _record_next(hit: Hit, view: list[Any], news: list[Any], *, now: datetime) -> Outcome:
    """The new view of a known browser whose visit is going on.

    The browser is locked as everywhere: a second message of it waits, and then finds its view.
    """
    since = now - visits.timeout()
    ran = planned.run(_next_sql(), [hit.browser_key, now, hit.view_id, since, now, *view, *news])
    is_known, is_done = ran.rows[0]
    if not is_known:
        return Outcome.UNKNOWN_BROWSER
    return Outcome.DONE if is_done else Outcome.UNUSUAL


def _record_first(hit: Hit, view: list[Any], news: list[Any], rows: First) -> Told:
    """The first view of a new browser, unless it is known (then its message came twice), or the browser
    brings the key of somebody who is not recorded."""
    brought = [hit.browser_key] if hit.browser_key else []
    given = [*rows.visitor, hit.view_id, *brought, *rows.identity, *rows.visit, *view, *news]
    try:
        is_done = planned.run(_first_sql(bool(brought)), given).row_count == 1
    except IntegrityError:
        # Its message came twice at once; or a page or a network that we remembered has been deleted:
        # the long way tells which.
        is_done = False
    return Told(Outcome.DONE, rows.key) if is_done else Told(Outcome.UNUSUAL)


def _grow(hit: Hit, *, now: datetime) -> Outcome:
    """Larger totals of a known view. Read without a lock: what is written only raises what is there."""
    rows = planned.run(_seen_sql(), [hit.view_id]).rows
    if not rows:
        return Outcome.UNKNOWN_VIEW
    pk, visit_id, at, *known_totals, was_doubtful = rows[0]
    totals, is_doubtful = views.told(hit, at, now=now)
    known = views.Totals(*known_totals)
    if is_doubtful and not was_doubtful:
        return Outcome.UNUSUAL
    if totals.is_beyond(known):
        raised = [totals.engaged, totals.visible, totals.scroll, is_doubtful]
        is_news = totals.is_noticeably_beyond(known)
        connection = connections[DEFAULT_DB_ALIAS]
        since, news = now - visits.timeout(), values(News, {"at": now}, connection)
        planned.run(_grow_sql(), [visit_id, *raised, pk, now, now, since, *news, is_news])
    return Outcome.DONE


@cache
def _seen_sql() -> str:
    return f"SELECT id, visit_id, at, {', '.join(TOTALS)} FROM {table(PageView)} WHERE view_id = %s"  # noqa: S608


@cache
def _next_sql() -> str:
    view, visit = table(PageView), table(Visit)
    # A view that is known prolongs nothing: the message came twice.
    return f"""
        WITH me AS (
            SELECT id, visitor_id FROM {table(Identity)}
            WHERE kind = '{Identity.Kind.BROWSER.value}' AND key = %s FOR NO KEY UPDATE
        ), going_on AS (
            UPDATE {visit} SET last_at = GREATEST(last_at, %s)
            WHERE NOT EXISTS (SELECT 1 FROM {view} WHERE view_id = %s) AND id = (
                SELECT {visit}.id FROM {visit} JOIN me ON {visit}.identity_id = me.id
                WHERE last_at > %s AND started_at <= %s ORDER BY started_at DESC LIMIT 1
            )
            RETURNING id
        ), seen AS (
            {_insert_sql(PageView, "FROM me, going_on", visit_id="going_on.id", visitor_id="me.visitor_id")}
            ON CONFLICT (view_id) DO NOTHING RETURNING visitor_id
        ), told AS (
            {_insert_sql(News, "FROM seen", visitor_id="visitor_id")} RETURNING 1
        )
        SELECT EXISTS (SELECT FROM me), EXISTS (SELECT FROM told)
    """  # noqa: S608


@cache
def _first_sql(brings_key: bool) -> str:
    unknown = f"WHERE NOT EXISTS (SELECT 1 FROM {table(PageView)} WHERE view_id = %s)"  # noqa: S608
    if brings_key:
        unknown += f" AND {not_silent_sql('%s')}"
    return f"""
        WITH somebody AS (
            {_insert_sql(Visitor, unknown)} RETURNING id
        ), me AS (
            {_insert_sql(Identity, "FROM somebody", visitor_id="somebody.id")} RETURNING id, visitor_id
        ), begun AS (
            {_insert_sql(Visit, "FROM me", identity_id="me.id", visitor_id="me.visitor_id")} RETURNING id
        ), seen AS (
            {_insert_sql(PageView, "FROM me, begun", visit_id="begun.id", visitor_id="me.visitor_id")}
            RETURNING visitor_id
        )
        {_insert_sql(News, "FROM seen", visitor_id="visitor_id")}
    """


def _insert_sql(model: type[Model], source: str, **found: str) -> str:
    """``INSERT … SELECT`` of the values that ``usual.values`` gives.

    :param source: what is selected from.
    :param found: what the columns that ``usual.LATER`` names get from it.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    given = {field.column: f"%s::{cast_type(field, connection)}" for field in columns(model)}
    insert, _constants = insert_select(model, **found, **given)
    return f"{insert} {source}"


@cache
def _grow_sql() -> str:
    raised = ", ".join(f"{name} = GREATEST({name}, %s)" for name in TOTALS)
    # Its visitor is read from the locked visit: right even when a merge is under way.
    return f"""
        WITH going_on AS (
            SELECT id, visitor_id FROM {table(Visit)} WHERE id = %s FOR NO KEY UPDATE
        ), raised AS (
            UPDATE {table(PageView)} SET {raised} WHERE id = %s
        ), prolonged AS (
            UPDATE {table(Visit)} SET last_at = %s FROM going_on
            WHERE {table(Visit)}.id = going_on.id AND last_at < %s AND last_at > %s
        )
        {_insert_sql(News, "FROM going_on WHERE %s", visitor_id="visitor_id")}
    """  # noqa: S608
