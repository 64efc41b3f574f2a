"""Pages of a long list by key instead of by number: page 1,000 costs what page 1 costs.

A page remembers where it ends; the next one begins there. Nobody is shown twice or left out when rows
move in between, and nothing is counted beyond a limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

COUNT_LIMIT = 10_000


@dataclass(frozen=True)
class Order:
    """A descending order that never leaves two rows equal.

    :param key: the column; never NULL in the rows of the list.
    :param tie: a second, unique column.
    :param read: text of a cursor → value of ``key``.
    """

    key: str
    tie: str
    read: Callable[[str], Any]


@dataclass(frozen=True)
class Page:
    """One page of rows, and the cursors of those beside it (empty: there is none)."""

    rows: list[Any]
    next_cursor: str = ""
    previous_cursor: str = ""


def page(rows: QuerySet[Any], order: Order, *, cursor: str = "", size: int = 50) -> Page:
    """The page of ``rows`` that a cursor names; nonsense names the first.

    :param rows: filtered, in any order.
    """
    at = _read(order, cursor)
    forward = at is None or at[0]
    if at is not None:
        rows = rows.filter(_beyond(order, *at))
    sign = "-" if forward else ""
    found = list(rows.order_by(f"{sign}{order.key}", f"{sign}{order.tie}")[: size + 1])
    is_full = len(found) > size
    found = found[:size]
    if not forward:
        found.reverse()
    if not found:
        return Page([])
    return Page(
        found,
        _cursor(order, "n", found[-1]) if is_full or not forward else "",
        _cursor(order, "p", found[0]) if (is_full if not forward else at is not None) else "",
    )


def capped_count(rows: QuerySet[Any], limit: int = COUNT_LIMIT) -> tuple[int, bool]:
    """How many rows there are, counted up to a limit; and whether there are more.

    Of each row only the visitor is asked, which the index holds that finds it.
    """
    count = rows.order_by().values("visitor_id")[: limit + 1].count()
    return min(count, limit), count > limit


def _value(row: Any, path: str) -> Any:
    for name in path.split("__"):
        row = getattr(row, name)
    return row


def _cursor(order: Order, way: str, row: Any) -> str:
    value = _value(row, order.key)
    text = value.isoformat() if hasattr(value, "isoformat") else repr(value)
    return f"{way}~{text}~{_value(row, order.tie)}"


def _read(order: Order, cursor: str) -> tuple[bool, Any, int] | None:
    try:
        way, value, tie = cursor.split("~")
        found = order.read(value), int(tie)
    except (ValueError, OverflowError):
        return None
    is_sane = way in ("n", "p") and abs(found[1]) < 2**63
    return (way == "n", *found) if is_sane else None


def _beyond(order: Order, forward: bool, value: Any, tie: int) -> Q:
    """Rows after (or before) the one with these values. The first part alone is a range of the index."""
    way = "lt" if forward else "gt"
    return Q(**{f"{order.key}__{way}e": value}) & (
        Q(**{f"{order.key}__{way}": value}) | Q(**{f"{order.tie}__{way}": tie})
    )
