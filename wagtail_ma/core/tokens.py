"""Signed texts for links, cookies and pages: what we handed out comes back unchanged, or not at all.

One key per purpose, derived from the installation's secrets (HMAC-SHA-256 as the extract-and-
expand step of RFC 5869 for one block), so that a token for one thing is noise for another.
Nothing here is encrypted: a token may be read by whoever holds it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from wagtail_ma.conf import conf

from .errors import MarketingError

Payload = bytes | tuple[int | str, ...]

MAC_BYTES = 12
MAIL_MAC_BYTES = 8
MAIL_BODY = struct.Struct("!QH")
MAIL_TOKEN_LENGTH = 24
MAX_LENGTH = 4096

TUPLE = 1
DATED = 2
CLOCK_SKEW_SECONDS = 60


class BadToken(MarketingError):
    """The token is not ours, is for another purpose, or was changed."""


class ExpiredToken(BadToken):
    """The token is ours and older than allowed."""


def dumps(
    purpose: str,
    payload: Payload,
    *,
    now: datetime | None = None,
    secrets: Sequence[bytes] | None = None,
) -> str:
    """Sign a payload for one purpose.

    :param purpose: what the token is for; the reader must name the same.
    :param payload: bytes, or a tuple of integers and texts.
    :param now: time of issue (aware). Without it the token carries no time and is four bytes
        shorter, but cannot be read with an age limit.
    :param secrets: newest first, default ``conf.secrets()``; the first one signs.
    :returns: text of ``A-Za-z0-9_-``.
    :raises TypeError: for a payload of another shape.
    """
    flags, body = _encode(payload)
    stamp = b""
    if now is not None:
        flags |= DATED
        stamp = struct.pack("!I", int(now.timestamp()))
    signed = bytes([flags]) + stamp + body
    mac = _mac(_secrets(secrets)[0], f"token:{purpose}", signed)[:MAC_BYTES]
    return _to_text(signed + mac)


def loads(
    purpose: str,
    token: str,
    *,
    now: datetime,
    max_age_seconds: float | None = None,
    secrets: Sequence[bytes] | None = None,
) -> Payload:
    """Read a token of :func:`dumps`.

    :param now: the present time (aware).
    :param max_age_seconds: the oldest accepted age; None accepts any.
    :param secrets: every one of them is accepted.
    :returns: the payload as it was given, bytes or tuple.
    :raises ExpiredToken: it is ours but too old, from the future, or has no time although an age
        limit was asked for.
    :raises BadToken: for any other text.
    """
    payload, issued_at = read(purpose, token, secrets=secrets)
    if max_age_seconds is not None:
        age = (now - issued_at).total_seconds() if issued_at else float("inf")
        if not -CLOCK_SKEW_SECONDS <= age <= max_age_seconds:
            raise ExpiredToken("the token is too old")
    return payload


def read(
    purpose: str, token: str, *, secrets: Sequence[bytes] | None = None
) -> tuple[Payload, datetime | None]:
    """Read a token of :func:`dumps` whatever its age: the payload, and when it was issued (None: it
    does not say).

    :raises BadToken: for any other text.
    """
    data = _from_text(token)
    signed, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
    _verify(f"token:{purpose}", signed, mac, MAC_BYTES, _secrets(secrets))
    try:
        flags, body = signed[0], signed[1:]
        issued_at = None
        if flags & DATED:
            issued_at = datetime.fromtimestamp(struct.unpack("!I", body[:4])[0], UTC)
            body = body[4:]
        payload = tuple(json.loads(body)) if flags & TUPLE else body
    except (IndexError, ValueError, struct.error) as error:
        raise BadToken("not a token") from error
    return payload, issued_at


def mail_token(
    purpose: str, public_id: int, link_no: int = 0, *, secrets: Sequence[bytes] | None = None
) -> str:
    """The 24 characters in every link of a mail: public id, number of the link, 8 bytes of MAC.

    Eight bytes are enough: a guess is checked on line only, and reveals one click of one mail.

    :param public_id: random number of the delivery, 0 to 2**64 - 1.
    :param link_no: 0 to 65535.
    :raises ValueError: for numbers out of range.
    """
    try:
        body = MAIL_BODY.pack(public_id, link_no)
    except struct.error as error:
        raise ValueError("public_id or link_no is out of range") from error
    mac = _mac(_secrets(secrets)[0], f"mail:{purpose}", body)[:MAIL_MAC_BYTES]
    return _to_text(body + mac)


def read_mail_token(purpose: str, token: str, *, secrets: Sequence[bytes] | None = None) -> tuple[int, int]:
    """Read a token of :func:`mail_token`: ``(public_id, link_no)``.

    Mail links do not expire here: an unsubscribe link has to work for years.

    :raises BadToken: for any other text.
    """
    if len(token) != MAIL_TOKEN_LENGTH:
        raise BadToken("not a mail token")
    data = _from_text(token)
    body, mac = data[: MAIL_BODY.size], data[MAIL_BODY.size :]
    _verify(f"mail:{purpose}", body, mac, MAIL_MAC_BYTES, _secrets(secrets))
    return MAIL_BODY.unpack(body)


def keyed_hash(purpose: str, message: bytes, *, secrets: Sequence[bytes] | None = None) -> bytes:
    """A name for something that must not be stored itself: 32 bytes that nobody without the secret
    can compute, or try out (there are few enough internet addresses to try them all).

    The newest secret counts: when it changes, so do the names.
    """
    return _mac(_secrets(secrets)[0], f"hash:{purpose}", message)


def _encode(payload: Payload) -> tuple[int, bytes]:
    if isinstance(payload, bytes):
        return 0, payload
    if isinstance(payload, tuple) and all(type(item) in (int, str) for item in payload):
        text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
        return TUPLE, text.encode()
    raise TypeError("a payload is bytes or a tuple of int and str")


def _secrets(secrets: Sequence[bytes] | None) -> Sequence[bytes]:
    found = conf.secrets() if secrets is None else secrets
    if not found or not all(found):
        raise ValueError("signing needs a secret, and none of them may be empty")
    return found


def _mac(secret: bytes, purpose: str, message: bytes) -> bytes:
    return hmac.digest(_key(secret, purpose), message, hashlib.sha256)


@lru_cache(maxsize=64)
def _key(secret: bytes, purpose: str) -> bytes:
    # The purpose goes into the key, hashed, so that no purpose can be the beginning of another.
    extracted = hmac.digest(b"wagtail_ma.core.tokens", secret, hashlib.sha256)
    return hmac.digest(extracted, purpose.encode() + b"\x01", hashlib.sha256)


def _verify(purpose: str, message: bytes, mac: bytes, length: int, secrets: Sequence[bytes]) -> None:
    """The length is ours to say, not the token's: a short MAC would be guessed soon."""
    good = False
    for secret in secrets:  # all of them, always: the time tells nothing
        good |= hmac.compare_digest(_mac(secret, purpose, message)[:length], mac)
    if not good:
        raise BadToken("wrong signature")


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _from_text(token: str) -> bytes:
    """Decode strictly: exactly one text stands for some bytes. (Python's decoder skips foreign
    characters and ignores the spare bits of the last one: a changed token would still pass.)"""
    if not isinstance(token, str) or len(token) > MAX_LENGTH or not token.isascii():
        raise BadToken("not a token")
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError as error:
        raise BadToken("not a token") from error
    if _to_text(data) != token:
        raise BadToken("not a token")
    return data
