"""The short transaction in which facts are written."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction

from wagtail_ma.core.errors import MarketingError

logger = logging.getLogger(__name__)

# Longest wait for SQLite's one write lock, in milliseconds: a hit must not occupy a web worker for
# the 5 or 20 seconds that are right for an editor who saves a page.
LOCK_WAIT_MS = 250
# Whoever writes a few statements looks as often whether the lock is free (seconds; longer and longer).
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.0001, 0.005

T = TypeVar("T")


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
    # (It knows its mode once it is connected.)
    connection.ensure_connection()
    usual_mode = connection.transaction_mode
    # A deferred transaction that reads first fails at once when it turns into a writer.
    connection.transaction_mode = "IMMEDIATE"
    try:
        with _waiting(connection, wait_ms):
            yield
    finally:
        connection.transaction_mode = usual_mode


@contextmanager
def _waiting(connection: Any, wait_ms: int) -> Iterator[Any]:
    """Within, nobody waits longer for SQLite's locks (on the driver's own connection, which is given: these
    do not touch the database, only its handle)."""
    connection.ensure_connection()
    raw = connection.connection
    usual_wait = raw.execute("PRAGMA busy_timeout").fetchone()[0]
    raw.execute(f"PRAGMA busy_timeout = {wait_ms:d}")
    try:
        yield raw
    finally:
        # (It may have been closed meanwhile.)
        if connection.connection is raw:
            raw.execute(f"PRAGMA busy_timeout = {usual_wait:d}")


def read_raw(connection: Any, read: Callable[[Any], T]) -> T:
    """Call ``read`` with the driver's own connection of an SQLite database.

    :raises Busy: the database cannot be read now.
    """
    # (Without a write-ahead log, whoever commits is in the way of readers.)
    with busy_when_away(), connection.wrap_database_errors, _waiting(connection, LOCK_WAIT_MS) as raw:
        return read(raw)


def write_raw(connection: Any, write: Callable[[Any], T]) -> T:
    """Call ``write`` with the driver's own connection of an SQLite database, in a short write transaction.

    What :func:`write_facts` does, for a few statements that are sooner run than Django is ready for them.
    (Who waits for the lock as SQLite does sleeps a millisecond and more, several times as long as one of
    these takes.)

    :raises Busy: the database could not write; nothing was written.
    """
    if connection.in_atomic_block or not connection.get_autocommit():
        with write_facts(), connection.wrap_database_errors:
            return write(connection.connection)
    with busy_when_away(), connection.wrap_database_errors, _waiting(connection, 0) as raw:
        return _in_transaction(raw, write)


def _in_transaction(raw: Any, write: Callable[[Any], T]) -> T:
    _patiently(raw, "BEGIN IMMEDIATE")
    try:
        done = write(raw)
        # (Waits for readers where the journal is no write-ahead log.)
        _patiently(raw, "COMMIT")
    except BaseException:
        # (Some errors have ended the transaction already.)
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raise
    return done


def _patiently(raw: Any, statement: str) -> None:
    waited, pause = 0.0, SHORTEST_PAUSE_SECONDS
    while True:
        try:
            raw.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or waited >= LOCK_WAIT_MS / 1000:
                raise
            time.sleep(pause)
            waited, pause = waited + pause, min(pause * 1.5, LONGEST_PAUSE_SECONDS)
        else:
            return
