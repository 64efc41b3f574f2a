"""The messages of many browsers, as the tracker sends them."""

from __future__ import annotations

import json
from uuid import uuid4

from benchmarks import load

BROWSERS = 100


class Hits:
    """Makes the messages of many browsers."""

    def __init__(self, port: int, token: str) -> None:
        self.token = token
        first = load.run(port, [self.message() for _ in range(BROWSERS)])
        self.cookies = first.cookies
        self.views: list[tuple[str, str]] = []

    def message(self, cookie: str = "", **fields: object) -> bytes:
        """One message as bytes."""
        body = {
            "k": "p",
            "v": str(uuid4()),
            "t": self.token,
            "u": "http://localhost/?a=1",
            "y": "n",
            "z": 1280,
        }
        headers = {"Origin": "http://localhost", **({"Cookie": cookie} if cookie else {})}
        return load.post("/ma/e/", json.dumps({**body, "l": "ja", **fields}).encode(), **headers)

    def known(self, count: int) -> list[bytes]:
        """Views of browsers that have been here before."""
        pairs = [(self.cookies[n % len(self.cookies)], str(uuid4())) for n in range(count)]
        self.views += pairs
        return [self.message(cookie, v=view) for cookie, view in pairs]

    def new(self, count: int) -> list[bytes]:
        """Each view from a browser never seen."""
        return [self.message() for _ in range(count)]

    def engagement(self, count: int) -> list[bytes]:
        """Each one lets a view grow that is known."""
        pairs, self.views = self.views[:count], self.views[count:]
        return [self.message(cookie, k="e", v=view, e=4000, o=4000, s=50, q=1) for cookie, view in pairs]
