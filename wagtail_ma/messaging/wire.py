"""A mail as it goes over the wire, encoded once per version instead of once per reader.

Quoted-printable can be encoded in pieces, when each value stands on a line of its own, between two
soft line breaks, which vanish when it is read. So what all readers get is encoded once; a reader's
values are put between (measured: Django's own way takes 11 ms for a mail of 20 kB, this under 1 ms).
"""

from __future__ import annotations

import binascii
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.header import Header
from email.utils import formataddr, formatdate
from functools import cached_property
from typing import Any

from django.core.mail import EmailMultiAlternatives

from wagtail_ma.core.text import clean_line
from wagtail_ma.messaging import fill, message
from wagtail_ma.messaging.fill import Gaps, Targets
from wagtail_ma.messaging.slots import Slot

# A number stands for the token of a link.
Piece = bytes | int | Slot

# RFC 2045: at most 76 characters on a line, the soft break's "=" included.
MAX_LINE = 76
SOFT_BREAK = b"=\r\n"


def encode(text: str) -> bytes:
    """Quoted-printable, ready to be followed by anything: it ends with a soft line break (or is
    empty)."""
    if not text:
        return b""
    # Its own soft breaks are bare line feeds unless the text has others; all become CRLF below.
    data = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
    encoded = binascii.b2a_qp(data, istext=True)
    last = encoded.rpartition(b"\n")[2]
    if len(last) >= MAX_LINE:
        cut = len(encoded) - 4
        while b"=" in encoded[cut - 2 : cut]:
            cut -= 1
        encoded = encoded[:cut] + b"=\n" + encoded[cut:]
    return encoded.replace(b"\n", b"\r\n") + SOFT_BREAK


def header(name: str, value: str) -> bytes:
    """One header line: encoded words where needed, folded. The value must be one line."""
    if "\r" in value or "\n" in value:
        raise ValueError("a header is one line")
    charset = "us-ascii" if value.isascii() else "utf-8"
    text = Header(value, charset, maxlinelen=76, header_name=name).encode(linesep="\r\n")
    return f"{name}: {text}\r\n".encode("ascii")


class WireMessage(EmailMultiAlternatives):
    """For Django's SMTP backend: the finished bytes. The other attributes are there for backends
    built on it that look at them."""

    def __init__(self, data: bytes, *, subject: str, from_email: str, to: str) -> None:
        super().__init__(subject=subject, from_email=from_email, to=[to])
        self.data = data

    def message(self) -> Any:  # type: ignore[override]
        return self

    def as_bytes(self, unixfrom: bool = False, linesep: str = "\r\n") -> bytes:
        return self.data if linesep == "\r\n" else self.data.replace(b"\r\n", linesep.encode())

    def as_string(self, unixfrom: bool = False, linesep: str = "\n") -> str:
        return self.as_bytes(linesep=linesep).decode("ascii")


@dataclass(frozen=True)
class Reader:
    """Whom a message is for.

    :param sender: name and address instead of the mail's own, or None.
    """

    values: Mapping[str, str]
    public_id: int
    segments: Collection[int]
    to: str
    message_id: str
    sender: tuple[str, str] | None = None


class Encoded:
    """A compiled mail, encoded for the wire.

    :param compiled: ``MailVersion.compiled``.
    :param marked: further headers that name the mail (``message.stream_headers``).
    """

    def __init__(self, compiled: Mapping[str, Any], targets: Targets, marked: Mapping[str, str]) -> None:
        self._compiled = compiled
        self._targets = targets
        # No text in quoted-printable contains "=_".
        self._boundary = f"=_ma{secrets.token_hex(12)}"
        self._html, self._text = self._pieces("html"), self._pieces("text")
        self._numbers = {piece for piece in (*self._html, *self._text) if isinstance(piece, int)}
        self._marked = b"".join(header(name, value) for name, value in marked.items())
        self._subjects: dict[str, bytes] = {}

    def message(self, reader: Reader) -> WireMessage:
        """The finished message for one reader.

        :raises ValueError: a header would be broken.
        """
        compiled = self._compiled
        unsubscribe = fill.unsubscribe_url(reader.public_id)

        def gaps(clean: Any) -> Gaps:
            return Gaps(
                reader.values,
                compiled["language"],
                clean,
                self._targets,
                reader.public_id,
                unsubscribe,
                reader.segments,
            )

        plain, html = gaps(str), gaps(fill.html_value)
        tokens = {
            number: self._targets.token(reader.public_id, number).encode("ascii") + SOFT_BREAK
            for number in self._numbers
        }
        parts = (part if isinstance(part, str) else plain.text(part) for part in compiled["subject"])
        subject = clean_line("".join(parts), 400)
        name, address = reader.sender or (compiled["from_name"], compiled["from_email"])
        own = unsubscribe if compiled["kind"] != "transactional" else ""
        lines = {
            **message.headers(own, address, reader.message_id),
            "Date": formatdate(),
            "To": reader.to,
        }
        head = b"".join(f"{key}: {value}\r\n".encode("ascii") for key, value in lines.items())
        data = b"".join(
            [
                head,
                self._from(name, address),
                self._subject(subject),
                self._marked,
                self._opening,
                _joined(self._text, plain, tokens),
                self._middle,
                _joined(self._html, html, tokens),
                self._closing,
            ]
        )
        return WireMessage(data, subject=subject, from_email=formataddr((name, address)), to=reader.to)

    def _pieces(self, name: str) -> list[Piece]:
        """A part, encoded as far as it is the same for everybody: of a tracked link the whole but its
        token; of one that tells nobody from the others, everything."""
        clean = fill.html_value if name == "html" else str
        pieces: list[Piece] = []
        text = ""
        for part in self._compiled[name]:
            if isinstance(part, str):
                text += part
                continue
            is_link = part[0] == "l"
            if is_link and self._targets.tracking != "individual":
                text += clean(self._targets.link(0, part[1]))
                continue
            text += clean(self._targets.click_prefix) if is_link else ""
            pieces += [encode(text), part[1] if is_link else part]
            text = ""
        return [*pieces, encode(text)]

    def _from(self, name: str, address: str) -> bytes:
        value = formataddr((name, address), "utf-8")
        if "\r" in value or "\n" in value:
            raise ValueError("a header is one line")
        return f"From: {value}\r\n".encode("ascii")

    def _subject(self, subject: str) -> bytes:
        found = self._subjects.get(subject)
        if found is None:
            found = header("Subject", subject)
            if len(self._subjects) < 100:
                self._subjects[subject] = found
        return found

    @cached_property
    def _opening(self) -> bytes:
        return (
            "MIME-Version: 1.0\r\n"
            f'Content-Type: multipart/alternative; boundary="{self._boundary}"\r\n\r\n'
            f"--{self._boundary}\r\n{_part_head('plain')}"
        ).encode()

    @cached_property
    def _middle(self) -> bytes:
        return f"\r\n--{self._boundary}\r\n{_part_head('html')}".encode()

    @cached_property
    def _closing(self) -> bytes:
        return f"\r\n--{self._boundary}--\r\n".encode()


def _part_head(kind: str) -> str:
    return (
        f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    )


def _joined(pieces: list[Piece], gaps: Gaps, tokens: Mapping[int, bytes]) -> bytes:
    out: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            out.append(piece)
        elif isinstance(piece, int):
            out.append(tokens[piece])
        else:
            out.append(encode(gaps.text(piece)))
    return b"".join(out)
