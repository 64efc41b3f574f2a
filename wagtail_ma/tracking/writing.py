"""The short transaction in which facts are written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction

from wagtail_ma.core.errors import MarketingError

logger = logging.getLogger(__name__)

# Longest wait for SQLite's one write lock, in milliseconds: a hit must not occupy a web worker for
# the 5 or 20 seconds that are right for an editor who saves a page.
LOCK_WAIT_MS = 250


class Busy(MarketingError):
    """The database cannot write now (locked, deadlock, gone); the browser sends again later."""


class Repeated(MarketingError):
    """What the message tells is stored already. Raised within ``write_facts()``, so that nothing of
    the repetition stays: it neither prolongs a visit nor begins one.

    :param just_now: it was perhaps stored while this message was on its way into the database, and
        is to be tried once more.
    """

    def __init__(self, *, just_now: bool = False) -> None:
        super().__init__("stored already")
        self.just_now = just_now


@contextmanager
def write_facts(*, wait_ms: int | None = None) -> Iterator[None]:
    """One short atomic block for facts.

    On SQLite it takes the write lock at once and waits at most :data:`LOCK_WAIT_MS` for it, whatever
    the project's own time-out and transaction mode are. Inside another atomic block it is a
    savepoint, and the outer block's lock counts.

    :param wait_ms: another longest wait (milliseconds), where a person waits for the answer.
    :raises Busy: the database could not write; nothing was written.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    with (
        busy_when_away(),
        _wait(connection, wait_ms or LOCK_WAIT_MS),
        transaction.atomic(using=DEFAULT_DB_ALIAS),
    ):
        yield


@contextmanager
def busy_when_away() -> Iterator[None]:
    """Turns what the database says when it cannot write now into :class:`Busy`."""
    try:
        yield
    except OperationalError as error:
        if "locked" not in str(error):
            logger.warning("facts could not be written", exc_info=True)
        raise Busy(str(error)) from error


@contextmanager
def _wait(connection: Any, wait_ms: int) -> Iterator[None]:
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    # On the driver's own connection: these do not touch the database, only its handle.
    raw = connection.connection
    usual_wait = raw.execute("PRAGMA busy_timeout").fetchone()[0]
    usual_mode = connection.transaction_mode
    raw.execute(f"PRAGMA busy_timeout = {wait_ms:d}")
    # A deferred transaction that reads first fails at once when it turns into a writer.
    connection.transaction_mode = "IMMEDIATE"
    try:
        yield
    finally:
        connection.transaction_mode = usual_mode
        if connection.connection is raw:
            raw.execute(f"PRAGMA busy_timeout = {usual_wait:d}")
