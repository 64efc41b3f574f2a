"""Messages handed to Redis by many web hosts and written by few (``RECORDING = "redis"``).

Web processes append to a stream; writers (``manage.py ma_record``, or the background work) read it as a
consumer group and acknowledge what they have committed. A writer that dies leaves what it had read to
the others; a batch that is written again doubles nothing. Needs ``pip install wagtail-ma[redis]``.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from wagtail_ma.conf import conf
from wagtail_ma.core.errors import MarketingError
from wagtail_ma.tracking import batch
from wagtail_ma.tracking.hits import Heard, Hit
from wagtail_ma.tracking.page_token import PageRef

logger = logging.getLogger(__name__)

GROUP = "writers"
FIELD = b"h"
BATCH = 500
# A visitor's request does not wait longer for Redis (seconds).
CONNECT_SECONDS, ANSWER_SECONDS = 0.25, 0.5
# After a failure, web processes do without Redis for so long, and say so once in a minute.
PAUSE_SECONDS, COMPLAIN_SECONDS = 5, 60
# How often a process looks whether writers keep up, and when it stops adding (share of the maximum).
LOOK_SECONDS, FULL = 1, 0.9
# What a writer has read and not acknowledged for so long (milliseconds) is left over by a dead one.
DEAD_AFTER_MS = 15_000
FORGOTTEN_AFTER_MS = 3_600_000


class Unavailable(MarketingError):
    """Redis does not take messages now (not there, too slow, full, not installed)."""


class Stream:
    """The web's end: thread-safe, one per process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a forked child: connections are the parent's."""
        # One connection for each thread: half the time of taking one from a pool.
        self._lines = threading.local()
        self._not_before = 0.0
        self._complained_at = -float(COMPLAIN_SECONDS)
        self._looked_at = -float(LOOK_SECONDS)

    def add(self, heard: Heard) -> None:
        """Append a message.

        :raises Unavailable: nobody can say whether it was taken; record it at once instead.
        """
        if time.monotonic() < self._not_before:
            raise Unavailable("Redis failed a moment ago")
        try:
            self._add(heard)
        except Exception as error:
            self._not_before = time.monotonic() + PAUSE_SECONDS
            self._complain(error)
            raise Unavailable(str(error)) from error

    def _add(self, heard: Heard) -> None:
        line = getattr(self._lines, "line", None)
        if line is None:
            line = self._lines.line = _Line()
        name, limit = conf.REDIS_STREAM, conf.REDIS_MAX_HITS
        if time.monotonic() - self._looked_at > LOOK_SECONDS:
            self._looked_at = time.monotonic()
            if line.ask("XLEN", name) > limit * FULL:
                raise Unavailable("the stream is full: is a writer running?")
        line.ask("XADD", name, "MAXLEN", "~", limit, "*", FIELD, dump(heard))

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._complained_at >= COMPLAIN_SECONDS:
            self._complained_at = now
            logger.error("hits are recorded without Redis: %s: %s", type(error).__name__, error)


class _Line:
    """A connection that is spoken to directly: this runs in every request, and the client around a
    connection (pools, retries, measurements) costs more than all that we do with a message."""

    def __init__(self) -> None:
        # Here, not above: nobody else needs the package.
        import redis

        self._closed_error = redis.ConnectionError
        pool = redis.ConnectionPool.from_url(
            conf.REDIS_URL, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS
        )
        self._connection = pool.make_connection()

    def ask(self, *command: Any) -> Any:
        """:raises redis.RedisError: no answer."""
        try:
            return self._ask(*command)
        except self._closed_error:
            # Perhaps only this connection was closed (Redis was started anew): once more on a new one.
            return self._ask(*command)

    def _ask(self, *command: Any) -> Any:
        try:
            self._connection.send_command(*command)
            return self._connection.read_response()
        except BaseException:
            # An answer that comes later must not be taken for that to another question.
            self._connection.disconnect()
            raise


class Writer:
    """The other end: reads batches, writes them, acknowledges them.

    :param name: differs from that of every other writer; default: made up.
    """

    def __init__(self, name: str = "", *, client: Any = None) -> None:
        self.name = name or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        # Reading waits for messages: its own patience.
        self._client = client or _client()
        self._claimed_at = -float(DEAD_AFTER_MS)
        self._make_group()

    def work(self, *, wait_ms: int = 0) -> int:
        """Write the next batch; how many messages it had.

        :param wait_ms: how long to wait for one (milliseconds); 0 does not wait.
        :raises wagtail_ma.tracking.writing.Busy: the database cannot write now; call again later.
        :raises redis.RedisError: Redis is not there.
        """
        entries = self._left_over() or self._own() or self._new(wait_ms)
        if not entries:
            return 0
        batch.write_all([heard for _id, body in entries if (heard := load(body)) is not None])
        ids = [entry_id for entry_id, _body in entries]
        # First what says that they are done; deleting only saves memory.
        pipeline = self._client.pipeline(transaction=True)
        pipeline.xack(conf.REDIS_STREAM, GROUP, *ids).xdel(conf.REDIS_STREAM, *ids).execute()
        return len(entries)

    def waiting(self) -> int:
        """How many messages are in the stream."""
        return self._client.xlen(conf.REDIS_STREAM)

    def leave(self) -> None:
        """Sign off; what was read and not written is left to the others."""
        pending = self._client.xpending_range(
            conf.REDIS_STREAM, GROUP, min="-", max="+", count=1, consumername=self.name
        )
        if not pending:
            self._client.xgroup_delconsumer(conf.REDIS_STREAM, GROUP, self.name)

    def _make_group(self) -> None:
        try:
            self._client.xgroup_create(conf.REDIS_STREAM, GROUP, id="0", mkstream=True)
        except Exception as error:
            if "BUSYGROUP" not in str(error):
                raise
        for consumer in self._client.xinfo_consumers(conf.REDIS_STREAM, GROUP):
            if not consumer["pending"] and consumer["idle"] > FORGOTTEN_AFTER_MS:
                self._client.xgroup_delconsumer(conf.REDIS_STREAM, GROUP, consumer["name"])

    def _left_over(self) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """What dead writers had read."""
        if (time.monotonic() - self._claimed_at) * 1000 < DEAD_AFTER_MS / 3:
            return []
        found = self._client.xautoclaim(
            conf.REDIS_STREAM, GROUP, self.name, min_idle_time=DEAD_AFTER_MS, start_id="0-0", count=BATCH
        )[1]
        if not found:
            self._claimed_at = time.monotonic()
        return found

    def _own(self) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """What this writer has read and could not write."""
        return self._read("0", None)

    def _new(self, wait_ms: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
        return self._read(">", wait_ms or None)

    def _read(self, start: str, wait_ms: int | None) -> list[tuple[bytes, dict[bytes, bytes]]]:
        answer = self._client.xreadgroup(
            GROUP, self.name, {conf.REDIS_STREAM: start}, count=BATCH, block=wait_ms
        )
        return answer[0][1] if answer else []


def dump(heard: Heard) -> bytes:
    """A message as JSON: the fields that are not as usual."""
    hit = heard.hit
    values = zip(_USUAL.items(), _unusual(hit), strict=True)
    told = {name: value for (name, usual), value in values if value != usual}
    told |= {"kind": hit.kind, "view_id": hit.view_id.hex, "url": hit.url, "at": heard.at.isoformat()}
    if hit.event_id is not None:
        told["event_id"] = hit.event_id.hex
    if hit.page is not None:
        told["page"] = vars(hit.page)
    return _encode(told).encode()


def load(body: dict[bytes, bytes]) -> Heard | None:
    """The message of an entry; None (logged) if it is none of ours."""
    try:
        told = json.loads(body[FIELD])
        at = datetime.fromisoformat(told.pop("at"))
        for name in ("view_id", "event_id"):
            if name in told:
                told[name] = UUID(hex=told[name])
        if "page" in told:
            told["page"] = PageRef(**told["page"])
        return Heard(Hit(**told), at)
    except Exception:
        logger.exception("an entry of the stream is no hit")
        return None


_SPECIAL = ("kind", "view_id", "url", "event_id", "page")
_USUAL: dict[str, Any] = {name: usual for name, usual in Hit._field_defaults.items() if name not in _SPECIAL}
# Made once: this runs in every request.
_unusual = attrgetter(*_USUAL)
_encode = json.JSONEncoder(separators=(",", ":")).encode


def _client() -> Any:
    import redis

    return redis.Redis.from_url(
        conf.REDIS_URL, socket_connect_timeout=5, socket_timeout=30, single_connection_client=True
    )


stream = Stream()
os.register_at_fork(after_in_child=stream.forget)
