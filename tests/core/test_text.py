from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_ma.core.text import clean_line, normalise, normalise_email


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Ａｃｍｅ　Inc.\n Tokyo ", "acme inc. tokyo"),
        ("ｶﾌﾞｼｷｶﾞｲｼｬ", "カブシキガイシャ"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("①", "1"),
        ("", ""),
        ("\u3000", ""),
    ],
)
def test_normalise__variants_of_writing__one_form(text, expected):
    assert normalise(text) == expected


@given(st.text())
def test_normalise__twice__same(text):
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Taro.Yamada@Example.CO.JP ", "taro.yamada@example.co.jp"),
        ("ｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏｍ", "taro@example.com"),
        ("taro+news@example.com", "taro+news@example.com"),
        ("o'brien@example.com", "o'brien@example.com"),
        ("taro@例え.jp", "taro@xn--r8jz45g.jp"),
        ("taro@EXAMPLE.xn--q9jyb4c", "taro@example.xn--q9jyb4c"),
        ("a..b.@docomo.ne.jp", "a..b.@docomo.ne.jp"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_normalise_email__address__comparable_form(text, expected):
    assert normalise_email(text) == expected
    assert normalise_email(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "taro",
        "@example.com",
        "taro@",
        "taro@localhost",
        "taro@@example.com",
        "a@b@example.com",
        "ta ro@example.com",
        "taro@exam ple.com",
        "taro@example.com\nBcc: a@example.com",
        "taro\r\n@example.com",
        "taro@example.com\0",
        "taro@example.com,jiro@example.com",
        "<taro@example.com>",
        '"taro"@example.com',
        "a..b@example.com",
        ".a@example.com",
        "a.@example.com",
        "taro@-example.com",
        "taro@example..com",
        "taro@.example.com",
        "taro@192.168.0.1",
        "taro@[192.168.0.1]",
        "山田@example.com",
        "taro@exa_mple.com",
        "taro\u202e@example.com",
        "taro\u200b@example.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + "bc." * 90 + "com",
        "x" * 1_000_000 + "@example.com",
    ],
)
def test_normalise_email__nonsense__value_error(text):
    with pytest.raises(ValueError, match=r"mail|domain|mailbox"):
        normalise_email(text)


@given(st.one_of(st.text(max_size=80), st.emails(), st.text(max_size=20).map(lambda text: f"a@{text}.com")))
def test_normalise_email__any_text__safe_address_or_value_error(text):
    try:
        address = normalise_email(text)
    except ValueError:
        return
    assert address.isascii()
    assert len(address) <= 254
    assert address.count("@") == 1
    assert not any(character.isspace() or not character.isprintable() for character in address)
    assert normalise_email(address) == address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name\r\nBcc: x@example.com", "Name  Bcc: x@example.com"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("\ufeff山田\u3000太郎 ", "山田\u3000太郎"),
        ("bad\ud800half", "badhalf"),
        ("no\ufffe\uffffcharacter", "nocharacter"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("line\u2028two", "line two"),
    ],
)
def test_clean_line__controls_and_tricks__gone(text, expected):
    assert clean_line(text, 100) == expected


def test_clean_line__too_long__cut_without_a_trailing_space():
    assert clean_line("ab cd", 3) == "ab"
    assert len(clean_line("x" * 10_000_000, 50)) == 50
    assert clean_line("\x00" * 60 + "abc", 3) == "abc"


@given(st.text(), st.integers(1, 30))
def test_clean_line__any_text__one_bounded_line(text, length):
    line = clean_line(text, length)
    assert len(line) <= length
    assert len(line.splitlines()) <= 1
    line.encode()
