"""Lines of access logs: read strictly, whatever is in them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wagtail_ma.tracking import addresses
from wagtail_ma.tracking.access_log import MAX_LENGTH, LogLine, parse

PLAIN = (
    '203.0.113.7 - - [03/Mar/2026:10:00:00 +0900] "GET /products/?a=1 HTTP/1.1" 200 512 '
    '"https://www.google.com/" "Mozilla/5.0 (X11)"'
)


def changed(old: str, new: str) -> str:
    assert old in PLAIN
    return PLAIN.replace(old, new)


def test_parse__combined__all_fields() -> None:
    assert parse(PLAIN + "\r\n") == LogLine(
        address="203.0.113.7",
        at=datetime(2026, 3, 3, 1, 0, tzinfo=UTC),
        method="GET",
        target="/products/?a=1",
        status=200,
        referrer="https://www.google.com/",
        user_agent="Mozilla/5.0 (X11)",
        host="",
    )


@pytest.mark.parametrize(
    ("head", "host", "address"),
    [
        ("example.com:443 203.0.113.7 - -", "example.com", "203.0.113.7"),
        ("Example.com 203.0.113.7 - -", "example.com", "203.0.113.7"),
        ("[2001:db8::1]:80 2001:db8::2 - -", "[2001:db8::1]", "2001:db8::2"),
        ("2001:db8::2 - bob", "", "2001:db8::2"),
        ("203.0.113.7 - bob smith", "", "203.0.113.7"),
        ("pool-7.example.net - -", "", "pool-7.example.net"),
    ],
)
def test_parse__what_stands_in_front__host_and_address(head: str, host: str, address: str) -> None:
    line = parse(changed("203.0.113.7 - -", head))
    assert line is not None
    assert (line.host, line.address) == (host, address)


@pytest.mark.parametrize(
    ("zone", "hour"), [("+0000", 10), ("+0900", 1), ("-0330", 13), ("+1400", 20), ("-0000", 10)]
)
def test_parse__offset__is_taken_off(zone: str, hour: int) -> None:
    line = parse(changed("+0900", zone))
    assert line is not None
    assert line.at.hour == hour


@pytest.mark.parametrize(
    ("quoted", "read"),
    [
        (r"a \"b\" c", 'a "b" c'),
        (r"a \\ b", r"a \ b"),
        (r"\xe3\x81\x82", "あ"),
        (r"\x00\x1b[31m", "  [31m"),
        (r"\xff", "\ufffd"),
        ("-", ""),
        ("", ""),
    ],
)
def test_parse__escapes__are_undone_and_harmless(quoted: str, read: str) -> None:
    line = parse(changed("Mozilla/5.0 (X11)", quoted))
    assert line is not None
    assert line.user_agent == read


@pytest.mark.parametrize("end", ["", ' 0.003 "-"', ' "198.51.100.1"', " "])
def test_parse__fields_at_the_end__are_ignored(end: str) -> None:
    assert parse(PLAIN + end) == parse(PLAIN)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "GET / HTTP/1.1",
        PLAIN[:-1],
        PLAIN[:60],
        changed("03/Mar", "31/Feb"),
        changed("03/Mar", "03/Mär"),
        changed("10:00:00", "25:00:00"),
        changed("+0900", "+9900"),
        changed("+0900", ""),
        changed("/2026", "/0000"),
        changed("GET /products/?a=1 HTTP/1.1", "-"),
        changed("GET /products/?a=1 HTTP/1.1", "GET http://evil.example/ HTTP/1.1"),
        changed("GET /products/?a=1 HTTP/1.1", "GET /a b HTTP/1.1"),
        changed("GET /products/?a=1 HTTP/1.1", r"GET /a\x00b HTTP/1.1"),
        changed("GET /products/?a=1 HTTP/1.1", "GET /a%00b HTTP/1.1"),
        changed("GET /products/?a=1 HTTP/1.1", r"\x16\x03\x01\x02\x00"),
        changed(" 200 ", " 20 "),
        changed(" 512 ", " many "),
        changed("203.0.113.7", "<script>"),
        changed("203.0.113.7 - -", "-"),
        PLAIN + '"',
        changed("Mozilla", "M" * MAX_LENGTH),
    ],
)
def test_parse__anything_else__none(line: str) -> None:
    assert parse(line) is None


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_parse__any_text__never_raises(text: str) -> None:
    parse(text)
    parse(PLAIN.replace("/products/", text))
    parse(PLAIN.replace("Mozilla", text))


@pytest.mark.parametrize("text", ["1 " * 8000, "\\" * 16000, '" "' * 5000, "[" * 16000, "\\x" * 8000])
def test_parse__made_to_be_slow__is_not(text: str) -> None:
    begun = time.process_time()
    for line in (text, PLAIN[:70] + text, changed("Mozilla", text)):
        parse(line)
    assert time.process_time() - begun < 1


def test_line__shown__keeps_the_address_to_itself() -> None:
    assert "203.0.113.7" not in repr(parse(PLAIN))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", False),
        ("/products/", False),
        ("/index.html", False),
        ("/page.xhtml", False),
        ("/index.php", False),
        ("/v1.2", False),
        ("/mr.smith", False),
        ("/logo.PNG", True),
        ("/app.js", True),
        ("/f.woff2", True),
        ("/paper.pdf", True),
        ("/robots.txt", True),
        ("/sitemap.xml", True),
        ("/a.tar.gz", True),
        ("/a%2Epng", True),
        ("/x.js/about/", False),
    ],
)
def test_is_file__by_its_ending__(path: str, expected: bool) -> None:
    assert addresses.is_file(path) is expected


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/feed/", "", True),
        ("/blog/rss", "", True),
        ("/feed/atom/", "", True),
        ("/news.rss", "", True),
        ("/", "flav=rss20", True),
        ("/blog/", "a=1&format=atom", True),
        ("/feedback/", "", False),
        ("/atom/model/", "", False),
        ("/", "format=html", False),
        ("/", "q=rss", False),
    ],
)
def test_is_feed__by_address__(path: str, query: str, expected: bool) -> None:
    assert addresses.is_feed(path, query) is expected
