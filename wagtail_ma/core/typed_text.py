"""Numbers and dates as people type them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation


def number_of(text: str) -> int | float | None:
    """The number that a text is, thousands separated by commas or not; None if it is none."""
    try:
        number = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return int(number) if number == number.to_integral_value() else float(number)


def date_of(text: str) -> date | None:
    """The date that a text is (2027-03-31 or 2027/3/31); None if it is none."""
    parts = text.strip().replace("/", "-").split("-")
    try:
        year, month, day = (int(part) for part in parts)
        return date(year, month, day) if year >= 1000 else None
    except ValueError:
        return None
