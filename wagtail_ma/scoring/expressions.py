"""Forward decay as the database computes it; see ``decay.py`` for the arithmetic."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import DateTimeField, F, FloatField, Func, IntegerField, Value

# SQLite: seconds since 1970 of a moment as Django stores it. (julianday() would round to milliseconds, and
# Django's own difference of moments is a call of Python for each row.)
_SECONDS = "(CAST(strftime('%%s', {0}) AS INTEGER) + CAST('0' || substr({0}, 20, 7) AS REAL))"


class _BetweenMoments(Func):
    """Of two moments, given as values, as names of columns or as expressions."""

    def __init__(self, later: Any, earlier: Any, *others: Any) -> None:
        super().__init__(_moment(later), _moment(earlier), *others)

    def parts(self, compiler: Any) -> tuple[list[str], list[Any]]:
        """The SQL of the arguments, and the parameters of all."""
        compiled = [compiler.compile(each) for each in self.get_source_expressions()]
        return [sql for sql, _parameters in compiled], [p for _sql, some in compiled for p in some]

    def seconds(self, compiler: Any) -> tuple[str, list[Any]]:
        """SQLite: the seconds between the two. (Each moment stands in it twice, and so do its parameters.)"""
        later, earlier = (compiler.compile(each) for each in self.get_source_expressions()[:2])
        sql = f"({_SECONDS.format(later[0])} - {_SECONDS.format(earlier[0])})"
        return sql, [*later[1], *later[1], *earlier[1], *earlier[1]]


class ForwardFactor(_BetweenMoments):
    """2^((later − earlier)/h): what one point of ``later`` weighs in terms of ``earlier``."""

    output_field = FloatField()

    def __init__(self, later: Any, earlier: Any, half_life_days: Any) -> None:
        days = F(half_life_days) if isinstance(half_life_days, str) else Value(half_life_days)
        super().__init__(later, earlier, days)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        (later, earlier, days), parameters = self.parts(compiler)
        # (EXTRACT gives a numeric, with which computing is half as quick.)
        seconds = f"date_part('epoch', {later} - {earlier})"
        return f"POWER(2.0::float8, {seconds} / (86400.0 * {days}))", parameters

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        days, of_days = compiler.compile(self.get_source_expressions()[2])
        seconds, parameters = self.seconds(compiler)
        return f"POWER(2.0, {seconds} / (86400.0 * {days}))", [*parameters, *of_days]


class WholeDays(_BetweenMoments):
    """How many whole days lie between two moments."""

    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        (later, earlier), parameters = self.parts(compiler)
        return f"FLOOR(date_part('epoch', {later} - {earlier}) / 86400)::integer", parameters

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        seconds, parameters = self.seconds(compiler)
        return f"CAST({seconds} / 86400 AS INTEGER)", parameters


def _moment(value: Any) -> Any:
    if isinstance(value, datetime):
        return Value(value, output_field=DateTimeField())
    return F(value) if isinstance(value, str) else value
