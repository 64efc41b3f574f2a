"""Cells that a spreadsheet must not take for formulas."""

from __future__ import annotations

from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
# Without it Excel takes the file for one in the old encoding of the country, and garbles Japanese.
BYTE_ORDER_MARK = "\ufeff"


def guard(value: Any, *_args: Any, **_kwargs: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front.

    Wagtail already writes XLSX cells as text, but CSV cells as they are.
    """
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
