"""The short way into the database for what is as usual, chosen by the kind of database."""

from __future__ import annotations

from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, connections

from wagtail_ma.tracking import few_statements, one_statement
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import TrackedPage
from wagtail_ma.tracking.usual import Outcome, Told

_WAYS = {"postgresql": one_statement.record, "sqlite": few_statements.record}


def record(hit: Hit, page: TrackedPage, *, now: datetime) -> Told:
    """Record a message if it is as usual, and if this database can do so.

    :raises wagtail_ma.tracking.writing.Busy: the database cannot write now.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    way = _WAYS.get(connection.vendor)
    return way(hit, page, connection, now=now) if way else Told(Outcome.UNUSUAL)
