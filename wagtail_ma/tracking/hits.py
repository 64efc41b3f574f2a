"""Messages of the browser: what the tracker posts, read strictly.

Everything here comes from outside. A message is refused as a whole when any part of it is not what
our tracker could have sent; nothing below this module checks it again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import UUID

from wagtail_ma.conf import conf
from wagtail_ma.core.errors import MarketingError
from wagtail_ma.tracking import offer_token, page_token
from wagtail_ma.tracking.act_kinds import SERVER_KINDS
from wagtail_ma.tracking.bots import is_bot
from wagtail_ma.tracking.page_token import PageRef
from wagtail_ma.tracking.places import NOWHERE, Place

MAX_BYTES = 8192
MAX_URL_LENGTH = 2000
MAX_DATA_KEYS = 10
MAX_VALUE_LENGTH = 200
# A page is open for a year at most (milliseconds); no more than a day of it is looked at.
DAY_MS = 86_400_000
MAX_OPEN_MS = 366 * DAY_MS
# The address of a clicked link ("u") may be longer than other values.
MAX_LINK_LENGTH = 1500

VIEW, ENGAGEMENT, ACTIVITY, CONSENT = "p", "e", "c", "k"
KINDS = frozenset({VIEW, ENGAGEMENT, ACTIVITY, CONSENT})
NAV_TYPES = frozenset("nbsrm")

_NAME = re.compile(r"[a-z0-9_.:-]{1,64}\Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*\Z")
# NUL breaks PostgreSQL, lone surrogates break UTF-8, control characters break logs and headers.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class BadHit(MarketingError):
    """The message is refused.

    ``status``: 400 malformed, 403 from elsewhere, 413 too long, 415 of another type, and 204 where
    an answer would only teach a forger (bad page token, acts that only the server may record).
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


# (Named tuples, here and below: a frozen dataclass takes three times as long to make, and these are made
# for every message.)
class Hit(NamedTuple):
    """One message of one browser, read and checked; easy to build by hand.

    Times in milliseconds are totals of the view so far, never differences. Nobody changes ``data``.
    """

    kind: str
    view_id: UUID
    url: str
    browser_key: str | None = None
    page: PageRef | None = None
    referrer: str = ""
    engaged_ms: int = 0
    visible_ms: int = 0
    scroll_percent: int = 0
    sequence: int = 0
    event_id: UUID | None = None
    name: str = ""
    data: Mapping[str, Any] = {}
    nav_type: str = "n"
    language: str = ""
    width: int = 0
    user_agent: str = ""
    is_bot: bool = False
    # No identifier is allowed (consent, Do Not Track, Global Privacy Control): counted, not recorded.
    is_anonymous: bool = False
    title: str = ""
    # The key need not be in the database yet (people/drawn_keys.py).
    is_key_fresh: bool = False
    # A view of a browser that brought no key: this one was drawn for it.
    is_first: bool = False
    # Who tells: the "script", the "server" that sent the page, its "log" (PageView.Source).
    source: str = "script"
    # In place of a cookie, where there can be none (people/log_identities.py).
    log_key: str = ""
    # Guessed from the sender's address, which goes no further than this (places.py).
    country: str = ""
    region: str = ""
    network_id: int | None = None

    @property
    def is_engagement(self) -> bool:
        """How long and how far a view was read so far."""
        return self.kind == ENGAGEMENT

    @property
    def is_activity(self) -> bool:
        """A named act."""
        return self.kind == ACTIVITY

    @property
    def visible_seconds(self) -> float:
        """Seconds in sight, up to the cap."""
        return _capped(max(self.visible_ms, self.engaged_ms))

    @property
    def engaged_seconds(self) -> float:
        """Seconds in sight, in focus and in use, up to the cap."""
        return _capped(self.engaged_ms)

    def began_at(self, now: datetime) -> datetime:
        """When its view began. An engagement message whose view got lost was sent this much later;
        durations are all that we take from the browser's clock."""
        return now - timedelta(seconds=self.visible_seconds) if self.is_engagement else now


class Heard(NamedTuple):
    """A message and when it came."""

    hit: Hit
    at: datetime


def _capped(milliseconds: int) -> float:
    """Seconds up to the cap."""
    return round(min(milliseconds / 1000, float(conf.ENGAGED_CAP_SECONDS)), 1)


class Sender(NamedTuple):
    """What the HTTP request, and not the message, says about who sent it.

    :param hosts: lower-case names of our hosts; empty accepts any.
    """

    browser_key: str | None = None
    user_agent: str = ""
    hosts: frozenset[str] = frozenset()
    is_anonymous: bool = False
    is_key_fresh: bool = False
    place: Place = NOWHERE


def parse(body: bytes, *, sender: Sender) -> Hit:
    """Read one message ("p", "e" or "c").

    :raises BadHit: with the HTTP status to answer.
    """
    return from_message(read(body), sender=sender)


def read(body: bytes) -> dict[str, Any]:
    """Decode a message as far as its kind ("k"), which is known afterwards.

    :raises BadHit: not UTF-8, not JSON, no object, unknown kind, too long.
    """
    if len(body) > MAX_BYTES:
        raise BadHit("too long", 413)
    try:
        message = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadHit("not JSON in UTF-8") from error
    if not isinstance(message, dict):
        raise BadHit("not an object")
    kind = message.get("k")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadHit("unknown kind")
    return message


def from_message(message: Mapping[str, Any], *, sender: Sender) -> Hit:
    """Check a decoded message of kind "p", "e" or "c" field by field.

    :raises BadHit: a field is missing or not what the tracker sends.
    """
    kind = message["k"]
    if kind == CONSENT:
        raise BadHit("not a hit")
    view_id = _uuid(message, "v")
    url = _url(message, sender.hosts) if kind != ACTIVITY or "u" in message else ""
    page = page_token.read(_text(message, "t"))
    if page is None:
        raise BadHit("bad page token", 204)
    return Hit(
        kind=kind,
        view_id=view_id,
        url=url,
        page=page,
        browser_key=sender.browser_key,
        is_key_fresh=sender.is_key_fresh,
        referrer=_text(message, "r", "")[:MAX_URL_LENGTH],
        nav_type=_nav_type(message),
        language=_language(message),
        width=min(_number(message, "z", 100_000), 32_767),
        user_agent=sender.user_agent,
        is_bot=bool(message.get("w")) or is_bot(sender.user_agent),
        is_anonymous=sender.is_anonymous or bool(message.get("g")),
        country=sender.place.country,
        region=sender.place.region,
        network_id=sender.place.network_id,
        **(_engagement(message) if kind == ENGAGEMENT else {}),
        **(_activity(message, page) if kind == ACTIVITY else {}),
    )


def _engagement(message: Mapping[str, Any]) -> dict[str, Any]:
    # (A page may be in sight for weeks, on a wall; what of it counts is for others to say.)
    visible = min(_number(message, "o", MAX_OPEN_MS), DAY_MS)
    return {
        "engaged_ms": min(_number(message, "e", MAX_OPEN_MS), visible),
        "visible_ms": visible,
        "scroll_percent": min(_number(message, "s", 1_000_000), 100),
        "sequence": _number(message, "q", 1_000_000),
    }


def _activity(message: Mapping[str, Any], page: PageRef) -> dict[str, Any]:
    name = _text(message, "n").lower()
    if not _NAME.match(name):
        raise BadHit("not a name")
    if name in SERVER_KINDS:
        raise BadHit("only the server records this", 204)
    data = _data(message.get("d"))
    if name in offer_token.ACTS:
        data = _offer(data, page)
    return {"name": name, "event_id": _uuid(message, "i"), "data": data}


def _offer(data: Mapping[str, Any], page: PageRef) -> dict[str, Any]:
    """What an act on an offer says: which variant, proved by the token that stood in this very page."""
    found = offer_token.read(str(data.get(offer_token.KEY, "")))
    if found is None or found[0] != page.page_id:
        raise BadHit("bad token of an offer", 204)
    return {offer_token.VARIANT: found[1]}


def _data(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > MAX_DATA_KEYS:
        raise BadHit("data is not a small flat object")
    found: dict[str, Any] = {}
    for key, value in given.items():
        if not 0 < len(key) <= 64 or _UNPRINTABLE.search(key):
            raise BadHit("bad key in data")
        found[key] = _value(key, value)
    return found


def _value(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        # json reads 1e999 as infinity, which is no JSON for the database.
        if not math.isfinite(value) or abs(value) > 1e15:
            raise BadHit("number out of range")
        return value
    if isinstance(value, str):
        return _UNPRINTABLE.sub(" ", value)[: MAX_LINK_LENGTH if key == "u" else MAX_VALUE_LENGTH]
    raise BadHit("data is not flat")


def _text(message: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = message.get(key, default)
    if not isinstance(value, str) or _UNPRINTABLE.search(value):
        raise BadHit(f"{key} is not a text")
    return value


def _number(message: Mapping[str, Any], key: str, maximum: int) -> int:
    value = message.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= maximum:
        raise BadHit(f"{key} is not a number in range")
    return round(value)


def _uuid(message: Mapping[str, Any], key: str) -> UUID:
    text = _text(message, key)
    if not _UUID.match(text):
        raise BadHit(f"{key} is not a UUID")
    return UUID(text)


def _url(message: Mapping[str, Any], hosts: frozenset[str]) -> str:
    url = _text(message, "u")
    if len(url) > MAX_URL_LENGTH:
        raise BadHit("u is too long")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError as error:
        raise BadHit("u is not an address") from error
    if parts.scheme not in ("http", "https") or not host:
        raise BadHit("u is not an address")
    if hosts and host not in hosts:
        raise BadHit("u is on a foreign host")
    # (The path is looked up as text later; what is hidden in it there breaks the database like here.)
    if "%" in parts.path and _UNPRINTABLE.search(unquote(parts.path)):
        raise BadHit("u is not an address")
    return url


def _nav_type(message: Mapping[str, Any]) -> str:
    nav_type = _text(message, "y", "n")
    if nav_type not in NAV_TYPES:
        raise BadHit("unknown kind of navigation")
    return nav_type


def _language(message: Mapping[str, Any]) -> str:
    language = _text(message, "l", "")[:12]
    return language if _LANGUAGE.match(language) else ""
