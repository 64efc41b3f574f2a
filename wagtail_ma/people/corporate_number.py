"""法人番号: the number of a Japanese corporation, whose first digit checks the other twelve."""

from __future__ import annotations

import re
import unicodedata

_DIGITS = re.compile(r"[1-9][0-9]{12}")
_HYPHENS = str.maketrans("", "", "-‐‑‒–—―− ")


def plain(text: str) -> str:
    """The digits as they are stored: full-width letters, hyphens, spaces and the T of an invoice
    number (登録番号) are taken away."""
    return unicodedata.normalize("NFKC", text).translate(_HYPHENS).upper().removeprefix("T")


def is_valid(text: str) -> bool:
    """Whether this is a corporate number whose check digit is right.

    The check digit is 9 − (Σ Pn·Qn mod 9), where Pn is the n-th of the twelve digits from the right
    and Qn is 1 for odd n, 2 for even n (法人番号の指定等に関する省令, article 2).
    """
    digits = plain(text)
    if not _DIGITS.fullmatch(digits):
        return False
    weighted = sum(int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits[1:])))
    return 9 - weighted % 9 == int(digits[0])
