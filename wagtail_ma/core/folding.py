"""Comparing text without regard to case, the same on every database and in Python.

SQLite lowers only A–Z, PostgreSQL whatever its locale knows; so only A–Z are folded everywhere.
"""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, Func

_FOLD = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def ascii_lower(text: str) -> str:
    """``text`` with A–Z in lower case and nothing else changed."""
    return text.translate(_FOLD)


class AsciiLower(Func):
    """:func:`ascii_lower` in the database."""

    function = "LOWER"
    arity = 1
    output_field = CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template='LOWER(%(expressions)s COLLATE "C")', **extra)
