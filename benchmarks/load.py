"""A load generator: a fixed list of requests over raw sockets, some at a time.

Written here because the machine that measures has two cores: it must cost little beside the server,
and the same little for everything that is compared.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Load:
    """The outcome: wall time in seconds, answers by status, cookies that were set."""

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
    alive where the server does."""
    load = Load()
    queue = iter(requests)

    async def client() -> None:
        reader = writer = None
        for request in queue:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            is_open = await _answer(reader, load)
            if not is_open:
                writer.close()
                writer = None
        if writer is not None:
            writer.close()

    async def all_clients() -> None:
        await asyncio.gather(*(client() for _ in range(at_a_time)))

    began = time.perf_counter()
    asyncio.run(all_clients())
    load.seconds = time.perf_counter() - began
    return load


async def _answer(reader: asyncio.StreamReader, load: Load) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.split("\r\n")
    load.statuses[int(status.split()[1])] += 1
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    load.cookies += [line[12:].split(";")[0] for line in lines if line.lower().startswith("set-cookie: ")]
    is_open = headers.get("connection") != "close"
    if "content-length" in headers:
        load.body = await reader.readexactly(int(headers["content-length"]))
    elif not is_open:
        load.body = await reader.read()
    return is_open
