"""The small things every chart needs: elements, numbers, scales, the width of text.

Coordinates are written by :func:`number` alone. Django's templates would localise them ("1,5" is
two numbers in SVG), which is why charts are built here and not there.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

from django.utils.formats import number_format
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from wagtail_ma.core.text import clean_line

MAX_LABEL = 200
FONT_SIZE = 12
# Mean width of a character of the interface font, in parts of its size.
NARROW, WIDE = 0.56, 1.0


def number(value: float) -> str:
    """A coordinate: at most two decimals, a point, no exponent, whatever the language."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def element(tag: str, *children: str, **attributes: object) -> SafeString:
    """An element with escaped attributes. Children must be safe already (see :func:`text`).

    A trailing or inner underscore of a keyword becomes nothing or a hyphen (``class_``,
    ``aria_label``); None leaves the attribute out; floats become coordinates.
    """
    parts = []
    for key, value in attributes.items():
        if value is None:
            continue
        name = key.rstrip("_").replace("_", "-")
        shown = number(value) if isinstance(value, int | float) else escape(plain(str(value)))
        parts.append(f' {name}="{shown}"')
    inner = "".join(children)
    head = f"<{tag}{''.join(parts)}"
    return mark_safe(f"{head}>{inner}</{tag}>" if inner else f"{head}/>")


def text(value: object) -> SafeString:
    """Escaped character data."""
    return escape(plain(str(value)))


def plain(value: str) -> str:
    """Without the characters that XML forbids or that turn text around."""
    return clean_line(value, 2000)


def finite(value: float | None) -> float | None:
    """None for what cannot be drawn (missing, NaN, infinite)."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def shown(value: float | None) -> str:
    """A value for people: grouped and localised, one decimal at most, "–" when missing."""
    value = finite(value)
    if value is None:
        return "–"
    decimals = 0 if abs(value) >= 100 or value == int(value) else 1
    return number_format(value, decimal_pos=decimals, use_l10n=True, force_grouping=True)


def percent(part: float) -> str:
    """0.1234 -> ``12.3 %`` in the reader's language."""
    return f"{number_format(part * 100, decimal_pos=1, use_l10n=True)} %"


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values (1, 2 or 5 times a power of ten) that enclose ``low`` to ``high``.

    Zero is always among them. At least two values come back.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = 1.0
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def text_width(value: str, size: float = FONT_SIZE) -> float:
    """About how wide a text is drawn; Japanese characters are twice as wide as Latin ones."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in value)
    return size * (WIDE * wide + NARROW * (len(value) - wide))


def shortened(value: str, width: float, size: float = FONT_SIZE) -> str:
    """The beginning of a text that fits into a width, with an ellipsis when something is cut."""
    value = clean_line(value, MAX_LABEL)
    if text_width(value, size) <= width:
        return value
    while value and text_width(value + "…", size) > width:
        value = value[:-1]
    return value.rstrip() + "…"


def every(count: int, most: int) -> Iterable[int]:
    """Indexes of at most ``most`` labels out of ``count``, evenly spread, the first included."""
    return range(0, count, max(1, math.ceil(count / max(1, most))))
