"""Counts what really reaches the database: also statements that go past Django's cursors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements run within, ``BEGIN`` and ``COMMIT`` included; ``PRAGMA`` (which sets the handle, and
    asks the database nothing) not."""
    found: list[str] = []
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        raw: Any = connection.connection
        raw.set_trace_callback(found.append)
        try:
            yield found
        finally:
            raw.set_trace_callback(None)
        found[:] = [sql for sql in found if not sql.startswith("PRAGMA")]
    else:
        with CaptureQueriesContext(connection) as captured:
            yield found
        found += [row["sql"] for row in captured]
