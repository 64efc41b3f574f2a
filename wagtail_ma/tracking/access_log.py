"""Lines of web servers' access logs, read strictly.

Understood are Apache's and nginx's "combined" format and "vhost_combined" (with the name of the
virtual host in front); fields added at the end are ignored. Lines are written by whoever sends a
request: what is not exactly such a line is no line, and nothing here raises for any text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address
from urllib.parse import unquote

MAX_LENGTH = 16_384

_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_MONTHS = {name: number for number, name in enumerate(_NAMES.split(), start=1)}
# A quoted field; the server escapes quotes and backslashes in it. The alternatives exclude each
# other and give nothing back, so no text takes long.
_QUOTED = r'"((?:[^"\\]|\\.)*+)"'
_LINE = re.compile(
    r"(?P<head>[^\"]{5,600}?) "
    r"\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\] "
    rf"{_QUOTED} (\d{{3}}) (?:\d{{1,18}}|-) {_QUOTED} {_QUOTED}(?: .*)?",
    re.ASCII | re.DOTALL,
)
_REQUEST = re.compile(r"([A-Z]{1,20}) (/[^ ]*) HTTP/\d(?:\.\d)?", re.ASCII)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"b": b"\b", b"f": b"\f"}
# NUL breaks PostgreSQL, control characters break whatever shows them later.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,60}\]", re.ASCII)


@dataclass(frozen=True)
class LogLine:
    """One request. The name of a logged-in user is not read; the address must not be stored.

    :param host: lower-case name of the virtual host without port, "" in the plain format.
    :param at: aware, in UTC.
    :param target: path and query as they were sent.
    :param referrer: "" for none, like ``user_agent``.
    """

    # Not shown, so that no traceback or log message gives it away.
    address: str = field(repr=False)
    at: datetime
    method: str
    target: str
    status: int
    referrer: str
    user_agent: str
    host: str = ""


def parse(line: str) -> LogLine | None:
    """Read one line; None for whatever is none.

    :param line: with or without its end; ``\\xHH`` escapes of the server are undone.
    """
    if len(line) > MAX_LENGTH:
        return None
    found = _LINE.fullmatch(line.rstrip("\r\n"))
    if found is None:
        return None
    head, *moment, request, status, referrer, user_agent = found.groups()
    at = _moment(*moment)
    places = _places(head)
    asked = _REQUEST.fullmatch(_unescaped(request))
    if at is None or places is None or asked is None:
        return None
    method, target = asked.groups()
    if _UNPRINTABLE.search(target) or _UNPRINTABLE.search(unquote(target.partition("?")[0])):
        return None
    host, address = places
    return LogLine(
        address=address,
        at=at,
        method=method,
        target=target,
        status=int(status),
        referrer=_text(referrer),
        user_agent=_text(user_agent),
        host=host,
    )


def _places(head: str) -> tuple[str, str] | None:
    """(virtual host, address) from what stands in front of the time.

    ``address ident user`` or ``host:port address ident user``. A user may have spaces, an address
    may have been resolved to a name; an ident is never an address.
    """
    words = head.split(" ")
    if len(words) >= 4 and _is_address(words[1]):
        host, colon, port = words[0].rpartition(":")
        if not (colon and port.isdigit()):
            host = words[0]
        return (host.lower(), words[1]) if _HOST.fullmatch(host) else None
    if len(words) < 3 or not (_is_address(words[0]) or _HOST.fullmatch(words[0])):
        return None
    return "", words[0]


def _is_address(word: str) -> bool:
    try:
        ip_address(word)
    except ValueError:
        return False
    return True


def _moment(*parts: str) -> datetime | None:
    day, month, year, hour, minute, second, sign, offset_hours, offset_minutes = parts
    offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        # A leap second is written as 60.
        clock = (int(hour), int(minute), min(int(second), 59))
        return datetime(int(year), _MONTHS[month], int(day), *clock, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError, KeyError):
        return None


def _text(quoted: str) -> str:
    """A field that may be "-" for nothing, without control characters."""
    text = _UNPRINTABLE.sub(" ", _unescaped(quoted))
    return "" if text == "-" else text


def _unescaped(quoted: str) -> str:
    if "\\" not in quoted:
        return quoted
    data = _ESCAPE.sub(_character, quoted.encode("utf-8", "replace"))
    return data.decode("utf-8", "replace")


def _character(escape: re.Match[bytes]) -> bytes:
    what = escape[1]
    if len(what) == 3:
        return bytes([int(what[1:], 16)])
    return _PLAIN.get(what, what)
