"""The database of the example site, chosen by one environment variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

POSTGRES_SCHEMES = {"postgres", "postgresql"}


def sqlite(path: Path) -> dict[str, Any]:
    """Settings for a SQLite file that a web server and a worker share.

    IMMEDIATE takes the write lock when a transaction starts: a deferred transaction that turns
    into a writer later fails at once with "database is locked", whatever the timeout says.

    :param path: the database file; it is created when missing.
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
        },
    }


def from_url(url: str, default: Path) -> dict[str, Any]:
    """Settings for ``postgres://user:password@host:port/name?option=value``.

    :param url: the address, or an empty string for SQLite.
    :param default: the SQLite file used when ``url`` is empty.
    :raises ValueError: when the scheme is not PostgreSQL's or the database name is missing.
    """
    if not url:
        return sqlite(default)
    parts = urlsplit(url)
    name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in POSTGRES_SCHEMES or not name:
        message = f"A database address looks like postgres://user@host:5432/name, not {url!r}"
        raise ValueError(message)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "OPTIONS": dict(parse_qsl(parts.query)),
    }
