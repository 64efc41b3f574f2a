"""A load generator: a fixed list of requests over raw sockets, some at a time.

Written here because the machine that measures has two cores: it must cost little beside the server,
and the same little for everything that is compared. So it is one loop over plain sockets.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

# Nobody answers (seconds).
PATIENCE_SECONDS = 60
HEAD_END = b"\r\n\r\n"
NO_BODY = frozenset({204, 304})


@dataclass
class Load:
    """The outcome: wall time in seconds, answers by status, cookies that were set, the last body."""

    seconds: float = 0
    statuses: Counter[int] = field(default_factory=Counter)
    cookies: list[str] = field(default_factory=list)
    body: bytes = b""


def get(path: str, **headers: str) -> bytes:
    """A GET request as bytes."""
    return _request("GET", path, b"", headers)


def post(path: str, body: bytes, **headers: str) -> bytes:
    """A POST request as the tracker makes it."""
    return _request("POST", path, body, {"Content-Type": "text/plain;charset=UTF-8", **headers})


def _request(method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def run(port: int, requests: list[bytes], *, at_a_time: int = 8) -> Load:
    """Send all requests to 127.0.0.1:``port``, ``at_a_time`` of them open, keeping connections
    alive where the server does.

    :raises TimeoutError: nothing has been answered for a minute.
    :raises ConnectionError: a connection ended in the middle of an answer.
    """
    load = Load()
    queue = iter(requests)
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        open_now = sum(_next(selector, _Connection(port), queue) for _ in range(at_a_time))
        while open_now:
            events = selector.select(PATIENCE_SECONDS)
            if not events:
                raise TimeoutError("the server does not answer")
            for ready, _mask in events:
                connection: _Connection = ready.data
                if connection.is_answered(load):
                    selector.unregister(ready.fileobj)
                    open_now -= not _next(selector, connection, queue)
    load.seconds = time.perf_counter() - began
    return load


def _next(selector: selectors.BaseSelector, connection: _Connection, queue: Iterator[bytes]) -> bool:
    """Send the next request; False when there is none left."""
    request = next(queue, None)
    if request is None:
        connection.close()
        return False
    selector.register(connection.send(request), selectors.EVENT_READ, connection)
    return True


class _Connection:
    """One connection after the other, with one request open at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._received = b""

    def send(self, request: bytes) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._received = b""
        self._socket.sendall(request)
        return self._socket

    def is_answered(self, load: Load) -> bool:
        """Take what has come; whether the answer is complete (counted into ``load`` then)."""
        assert self._socket is not None
        some = self._socket.recv(65_536)
        self._received += some
        head, found, body = self._received.partition(HEAD_END)
        if not found:
            if not some:
                raise ConnectionError("no answer")
            return False
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        code, length = int(status.split()[1]), headers.get("content-length")
        # (Without a length, the end of the connection is the end of the body.)
        is_complete = code in NO_BODY or (len(body) >= int(length) if length is not None else not some)
        if not is_complete:
            if not some:
                raise ConnectionError("half an answer")
            return False
        load.statuses[code] += 1
        load.cookies += [line[12:].split(";")[0] for line in lines if line.lower().startswith("set-cookie: ")]
        load.body = body or load.body
        if headers.get("connection", "").lower() == "close":
            self.close()
        return True

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
