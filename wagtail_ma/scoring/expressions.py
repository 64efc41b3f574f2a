"""Forward decay as the database computes it; see ``decay.py`` for the arithmetic."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import DateTimeField, F, FloatField, Func, IntegerField, Value

# SQLite: between two moments, exact; julianday() would round to milliseconds.
_MICROSECONDS = "django_timestamp_diff({later}, {earlier})"
_DAY = 86_400_000_000


class _BetweenMoments(Func):
    """Of two moments, given as values, as names of columns or as expressions."""

    def __init__(self, later: Any, earlier: Any, *others: Any) -> None:
        super().__init__(_moment(later), _moment(earlier), *others)

    def parts(self, compiler: Any) -> tuple[list[str], list[Any]]:
        """The SQL of the arguments, and the parameters of all."""
        compiled = [compiler.compile(each) for each in self.get_source_expressions()]
        return [sql for sql, _parameters in compiled], [p for _sql, some in compiled for p in some]


class ForwardFactor(_BetweenMoments):
    """2^((later − earlier)/h): what one point of ``later`` weighs in terms of ``earlier``."""

    output_field = FloatField()

    def __init__(self, later: Any, earlier: Any, half_life_days: Any) -> None:
        days = F(half_life_days) if isinstance(half_life_days, str) else Value(half_life_days)
        super().__init__(later, earlier, days)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        (later, earlier, days), parameters = self.parts(compiler)
        seconds = f"EXTRACT(EPOCH FROM ({later} - {earlier}))::float8"
        return f"POWER(2.0::float8, {seconds} / (86400.0 * {days}))", parameters

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        (later, earlier, days), parameters = self.parts(compiler)
        between = _MICROSECONDS.format(later=later, earlier=earlier)
        return f"POWER(2.0, {between} / ({_DAY}.0 * {days}))", parameters


class WholeDays(_BetweenMoments):
    """How many whole days lie between two moments."""

    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        (later, earlier), parameters = self.parts(compiler)
        return f"FLOOR(EXTRACT(EPOCH FROM ({later} - {earlier})) / 86400)::integer", parameters

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        (later, earlier), parameters = self.parts(compiler)
        return f"{_MICROSECONDS.format(later=later, earlier=earlier)} / {_DAY}", parameters


def _moment(value: Any) -> Any:
    if isinstance(value, datetime):
        return Value(value, output_field=DateTimeField())
    return F(value) if isinstance(value, str) else value
