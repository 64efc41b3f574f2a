"""Answers that are none: "aaaa", "test", "0000".

Whoever sends them is set aside, not refused: a refusal teaches robots what to write, and a person
really called Test can still be let in by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wagtail_ma.core.text import normalise

# Where people say who they are. (A message may say "test".)
ASKED = (
    "family_name",
    "given_name",
    "family_name_kana",
    "given_name_kana",
    "company_name",
    "department",
    "phone",
    "email",
)
_WORDS = """
    test testing tests dummy sample asdf asdfg asdfgh asdfghjk qwerty qwertyuiop hoge fuga piyo foobar
    テスト てすと 試験 ダミー だみー サンプル さんぷる ホゲ ほげ
"""
WORDS = frozenset(_WORDS.split())
# One character and nothing else, four times or more, is nobody's name; three times may be (AAA).
_SURELY = re.compile(r"(.)\1{3,}\Z")
_PERHAPS = re.compile(r"(.)\1{2}\Z")
_COUNTING = re.compile(r"0?12345\d*\Z")
_NO_LETTERS = re.compile(r"[\W_]+\Z")


def looks_like_dummy(values: Mapping[str, Any]) -> bool:
    """Whether the answers name nobody: one that surely is none, or two that perhaps are none.

    :param values: the answers by the names of their questions.
    """
    texts = [text for name in ASKED for text in _texts(name, str(values.get(name) or ""))]
    if any(_is_surely(text) for text in texts):
        return True
    return sum(bool(_PERHAPS.match(text)) for text in texts) >= 2


def _texts(name: str, value: str) -> list[str]:
    text = normalise(value)
    if not text:
        return []
    if name == "phone":
        digits = re.sub(r"\D", "", text)
        # 000-0000-0000, but also 0120-000-000: that one is real.
        return [digits] if len(set(digits)) == 1 or _COUNTING.match(digits) else []
    if name == "email":
        local, _at, domain = text.partition("@")
        host = domain.partition(".")[0]
        # test@example.com is somebody's address for tests, aaaa@aaaa.com is nobody's.
        return [local] if host == local else []
    return [text]


def _is_surely(text: str) -> bool:
    plain = text.replace(" ", "")
    if plain in WORDS or _NO_LETTERS.match(plain):
        return True
    return bool(_SURELY.match(plain) or _COUNTING.match(plain))
