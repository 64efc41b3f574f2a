"""The fast way over the wire says the same as Django's own."""

from __future__ import annotations

import quopri
from email import message_from_bytes, policy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wagtail_ma.messaging import fill, message, wire

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=120)
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60)
SLOTS = st.one_of(
    st.tuples(st.just("f"), st.sampled_from(["full_name", "company_name"]), LINE).map(list),
    st.integers(0, 2).map(lambda number: ["l", number]),
    st.just(["u"]),
    st.just(["h"]),
    st.just(["o"]),
)
PARTS = st.lists(st.one_of(WORDS, SLOTS), max_size=12)
LINKS = [{"url": f"https://example.com/{number}?a=1&b=2", "label": ""} for number in range(3)]


def compiled(subject, html, text, tracking="individual", from_name="Example"):
    return {
        "kind": "newsletter",
        "tracking": tracking,
        "language": "en",
        "from_name": from_name,
        "from_email": "news@example.com",
        "subject": [subject],
        "html": html,
        "text": text,
    }


def both(parts, values):
    """The same mail in both ways, read again."""
    targets = fill.Targets(parts, LINKS, version_id=3)
    marked = message.stream_headers("newsletter", 5, "news@example.com")
    filled = fill.fill(parts, values, public_id=9, targets=targets)
    slow = message.compose(filled, to="ann@example.com", message_id="<x@example.com>", marked=marked)
    reader = wire.Reader(values, 9, (), "ann@example.com", "<x@example.com>")
    fast = wire.Encoded(parts, targets, marked).message(reader)
    return filled, slow.message().as_bytes(linesep="\r\n"), fast.as_bytes()


def read(data):
    return message_from_bytes(data, policy=policy.default)


@settings(max_examples=200, deadline=None)
@given(LINE, PARTS, PARTS, LINE, st.sampled_from(["individual", "aggregate", "off"]))
@example("㈱ ① 髙 🎉 " * 8, ["." * 80, ["u"], "\n.\n. \n"], ["x " * 80, ["l", 0], " \t"], "髙", "individual")
def test_wire__any_mail__says_what_django_would(subject, html, text, name, tracking):
    parts = compiled(subject, html, text, tracking)
    filled, slow, fast = both(parts, {"full_name": name, "company_name": ""})
    a, b = read(slow), read(fast)
    dropped = {"Date", "MIME-Version", "Content-Type"}
    # (A folded header may have white space of its own.)
    squeeze = lambda text: "".join(str(text).split())  # noqa: E731
    assert {k: squeeze(v) for k, v in a.items() if k not in dropped} == {
        k: squeeze(v) for k, v in b.items() if k not in dropped
    }
    assert b["Date"] and len(b.get_all("Date")) == 1
    assert [p.get_content_type() for p in b.iter_parts()] == ["text/plain", "text/html"]
    for part, expected in zip(b.iter_parts(), (filled.text, filled.html), strict=True):
        decoded = part.get_payload(decode=True).decode()
        assert decoded.replace("\r\n", "\n") == expected
    assert all(len(line) <= 78 for line in fast.split(b"\r\n") if b"=?" not in line[:1])
    assert (
        fast.isascii() and b"\n" not in fast.replace(b"\r\n", b"") and b"\r" not in fast.replace(b"\r\n", b"")
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=6))
def test_encode__piece_after_piece__decodes_to_the_whole(pieces):
    encoded = b"".join(wire.encode(piece) for piece in pieces)
    assert quopri.decodestring(encoded.replace(b"\r\n", b"\n")).decode() == "".join(pieces)
    assert all(len(line) <= 76 for line in encoded.split(b"\r\n"))
    assert all(not line.endswith((b" ", b"\t")) for line in encoded.split(b"\r\n"))


@pytest.mark.parametrize("text", ["x\r\nBcc: evil@example.com", "x\nBcc: evil@example.com"])
def test_wire__line_break__no_header_is_born(text):
    with pytest.raises(ValueError):
        wire.header("Subject", text)
    parts = compiled(text, ["x"], ["x"], from_name=text)
    with pytest.raises(ValueError):
        both(parts, {})
    parts = compiled(text, ["x"], ["x"])
    assert read(both(parts, {})[2])["Bcc"] is None


def test_wire__aggregate__same_links_for_everybody():
    parts = compiled("Hello", [["l", 0], ["o"], ["h"]], ["x"], "aggregate")
    targets = fill.Targets(parts, LINKS, version_id=3)
    one, other = (fill.fill(parts, {}, public_id=number, targets=targets).html for number in (7, 8))
    assert one == other
    assert "http" in one and "display:none" not in one
