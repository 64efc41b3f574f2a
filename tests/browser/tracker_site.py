"""A small site with the tracker in its pages, and a collector that records what the browser sends.

It stands in for a Wagtail site: pages are strings, the collector can be told to be slow, to fail or to lose
messages. ``views`` and ``activities`` say what a server would have stored.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

STATIC = Path(__file__).resolve().parents[2] / "wagtail_ma" / "static" / "wagtail_ma"
ENDPOINT = "/ma/e/"

# 5,000 px of content and 2,000 px of footer.
ARTICLE = """
<p><a id="next" href="/b">Next</a></p>
<article data-ma-content><div class="tall"></div></article>
<footer></footer>
"""
STYLE = """
body { margin: 0 } p { margin: 0; height: 20px }
article { height: 5000px; background: #eee } footer { height: 2000px }
"""


@dataclass
class Message:
    """One POST to the collector, as it came in."""

    body: dict[str, Any]
    size: int
    headers: dict[str, str]
    at: float
    status: int  # 0: the connection was dropped


@dataclass
class View:
    """One page view, as a server stores it after all its messages. Milliseconds."""

    id: str
    token: str = ""
    url: str = ""
    how: str = ""
    referrer: str = ""
    engaged: int = 0
    visible: int = 0
    scroll: int = 0
    recorded: bool = False  # its page message came through
    automated: bool = False


@dataclass
class Site:
    """A running site. Change ``pages`` and ``answer`` at will."""

    port: int
    pages: dict[str, str] = field(default_factory=dict)
    answer: Callable[[dict[str, Any]], tuple[int, float]] = lambda body: (204, 0.0)
    messages: list[Message] = field(default_factory=list)
    on_get: Callable[[str], object] = lambda path: None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def elsewhere(self) -> str:
        """The same pages on another origin."""
        return f"http://127.0.0.1:{self.port}"

    def page(self, path: str, body: str = ARTICLE, *, head: str = "", **attributes: str) -> str:
        """Add a page with the tracker and return its path. ``attributes`` are data-* of the script tag."""
        self.pages[path] = (
            "<!doctype html><html lang=en><head><meta charset=utf-8><title>Page</title>"
            f'<link rel=icon href="data:,"><style>{STYLE}</style>{head}{tag(path, **attributes)}</head>'
            f"<body>{body}</body></html>"
        )
        return path

    def accepted(self, kind: str = "") -> list[dict[str, Any]]:
        """Bodies of the messages that were answered well, in order of arrival."""
        return [m.body for m in list(self.messages) if 200 <= m.status < 300 and kind in ("", m.body["k"])]

    def views(self, bodies: Iterable[dict[str, Any]] | None = None) -> list[View]:
        """What was stored, oldest first: totals only grow, a lost page message is made up from engagement.

        ``bodies`` are the messages to store, by default all accepted ones in order of arrival.
        """
        found: dict[str, View] = {}
        for body in self.accepted() if bodies is None else bodies:
            if "v" not in body or body["k"] == "k":
                continue
            view = found.setdefault(body["v"], View(body["v"]))
            view.token, view.url, view.how = view.token or body["t"], body["u"], body["y"]
            if body["k"] == "p":
                view.recorded = True
                view.referrer = body.get("r", "")
                view.automated = bool(body.get("w"))
            if body["k"] == "e":
                view.engaged = max(view.engaged, body["e"])
                view.visible = max(view.visible, body["o"])
                view.scroll = max(view.scroll, body["s"])
        return list(found.values())

    def activities(self) -> list[tuple[str, dict[str, Any]]]:
        """Stored activities (name, data), each event id once."""
        found = {body["i"]: (body["n"], body.get("d", {})) for body in self.accepted("c")}
        return list(found.values())

    def wait(self, condition: Callable[[], object], seconds: float = 5) -> None:
        """Until the condition holds; what is asserted next tells what is missing otherwise."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            time.sleep(0.02)


def tag(path: str, **attributes: str) -> str:
    """The script tag as the template tag renders it; the token is the path in angle brackets."""
    given = {"url": ENDPOINT, "p": token(path), **attributes}
    data = " ".join(f'data-{name}="{value}"' for name, value in given.items())
    return f'<script src="/tracker.js" defer {data}></script>'


def token(path: str) -> str:
    return f"token-of-{path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.site.on_get(path)
        if path.endswith(".js"):
            self.reply(200, (STATIC / path.lstrip("/")).read_bytes(), "text/javascript")
        elif path in self.site.pages:
            self.reply(200, self.site.pages[path].encode(), "text/html; charset=utf-8")
        else:
            self.reply(404, b"", "text/plain")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(raw)
        message = Message(body, len(raw), dict(self.headers), time.monotonic(), 0)
        self.site.messages.append(message)
        status, delay = self.site.answer(body)
        if delay:
            time.sleep(delay)
        message.status = status
        if status:
            self.reply(status)
        else:
            self.close_connection = True
            self.connection.close()

    def reply(self, status: int, content: bytes = b"", kind: str = "") -> None:
        try:
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # the browser has gone
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def running_site() -> Iterator[Site]:
    """A site on a free port, with /a, /b and /bare (no tracker), until the block ends."""
    site = Site(0)
    handler = type("SiteHandler", (Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    site.port = server.server_address[1]
    site.pages["/bare"] = "<!doctype html><p>No tracker here</p>"
    for path in ("/a", "/b"):
        site.page(path)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
