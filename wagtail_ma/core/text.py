"""Text as people and machines send it, made comparable or safe for one line."""

from __future__ import annotations

import re
import unicodedata

MAX_EMAIL = 254
MAX_LOCAL_PART = 64

# RFC 5322 atoms. Two neighbouring dots, or one at the end, are wrong by the book, yet Japanese
# carriers gave such addresses out for years; only their domains may have them.
LOCAL_PART = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
CARRIER_LOCAL_PART = re.compile(r"[a-z0-9][a-z0-9!#$%&'*+/=?^_`{|}~.-]*")
CARRIER_DOMAINS = {"docomo.ne.jp", "ezweb.ne.jp", "au.com"}
DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})")

# Turn the direction of the text around and can make a name show as another one.
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = {*BIDI, "\ufeff", "\u200b", "\u2060", "\u00ad"}
LINE_BREAKS = {"\t", "\n", "\v", "\f", "\r", "\x85", "\u2028", "\u2029"}


def normalise(text: str) -> str:
    """The form in which two texts are compared: NFKC (full-width letters become plain, half-width
    katakana full), case folded, every run of white space one space, none at the ends."""
    # Twice: folding can leave a sequence that NFKC would still compose.
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def normalise_email(text: str) -> str:
    """The form in which a mail address is stored and compared.

    NFKC, trimmed, lower case in both parts (no provider in use tells them apart), the domain in
    ASCII (IDNA). ``+tag`` stays: it is part of the address.

    :returns: ``local@domain``, at most 254 characters, ASCII, safe in a mail header.
    :raises ValueError: for everything that cannot be such an address: no or two @, white space,
        control characters, line breaks, quotes, brackets, non-ASCII local part, no dot in the
        domain, too long.
    """
    if len(text) > 4 * MAX_EMAIL:
        raise ValueError("too long for a mail address")
    local, at, domain = unicodedata.normalize("NFKC", text).strip(" \u3000").lower().rpartition("@")
    if not at or not local:
        raise ValueError("a mail address has a name, an @ and a domain")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise ValueError("not a domain") from error
    pattern = CARRIER_LOCAL_PART if domain in CARRIER_DOMAINS else LOCAL_PART
    if len(local) > MAX_LOCAL_PART or not pattern.fullmatch(local):
        raise ValueError("not the name of a mailbox")
    if len(domain) > MAX_EMAIL - 2 or not DOMAIN.fullmatch(domain):
        raise ValueError("not a domain")
    if len(local) + 1 + len(domain) > MAX_EMAIL:
        raise ValueError("too long for a mail address")
    return f"{local}@{domain}"


def clean_line(text: str, max_length: int) -> str:
    """One safe line for storing and showing: what visitors send us, from names to page titles.

    Line breaks and tabs become spaces; other control characters, lone surrogates (no database
    takes them), invisible characters and those that turn the direction of text go.

    :param max_length: characters, counted after cleaning.
    """
    # Bounded before the loop: the text may be a megabyte of somebody's bad mood.
    text = text[: max_length * 4 + 100]
    if text.isprintable():
        # Nothing that is dropped below is: a chart cleans a thousand short words.
        return text.strip()[:max_length].rstrip()
    kept = []
    for character in text:
        if character in LINE_BREAKS:
            kept.append(" ")
        elif character not in INVISIBLE and not _is_forbidden(character):
            kept.append(character)
    return "".join(kept).strip()[:max_length].rstrip()


def split_lines(text: str) -> list[str]:
    """The lines of a text field that hold something, trimmed, each once, in their order."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _is_forbidden(character: str) -> bool:
    """Control characters, lone surrogates and the code points that are no characters (XML and
    some databases refuse them)."""
    code = ord(character)
    no_character = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return no_character or unicodedata.category(character) in ("Cc", "Cs")
