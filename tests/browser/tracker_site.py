"""A small site with the tracker in its pages: a collector in front of a real server.

The browser talks to the collector alone. It passes pages and messages on to the server and notes them; it
can be told to be slow, to fail, to lose messages or to deliver them twice. ``views`` and ``activities`` are
the rows that the server stored.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.browser.rows_server import MARK
from tests.browser.stored import Server, View

ENDPOINT = "/ma/e/"
SCRIPT = "/static/wagtail_ma/tracker.js"
FORMS_SCRIPT = '<script src="/static/wagtail_ma/forms.js" defer></script>'
# Of one connection, not of the message.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})

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
    raw: bytes
    headers: dict[str, str]
    at: float
    status: int = -1  # not answered yet; 0: the connection was dropped

    @property
    def size(self) -> int:
        return len(self.raw)


@dataclass
class Site:
    """A running site. Change ``answer`` and ``copies`` at will."""

    server: Server
    port: int = 0
    # Status and delay of the answer; messages that get 204 are passed on to the server, whose own
    # answer counts then.
    answer: Callable[[dict[str, Any]], tuple[int, float]] = lambda body: (204, 0.0)
    # How long a message is held up on its way to the server (seconds).
    hold: Callable[[dict[str, Any]], float] = lambda body: 0.0
    # How many times a message is passed on.
    copies: int = 1
    # What all requests get on their way, as from a browser that sends it by itself.
    headers: dict[str, str] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    is_offline: bool = False
    on_get: Callable[[str], object] = lambda path: None
    is_over: bool = False

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def elsewhere(self) -> str:
        """The same pages on another origin."""
        return f"http://127.0.0.1:{self.port}"

    def page(self, path: str, body: str = ARTICLE, *, head: str = "", tag: str = MARK, **data: str) -> str:
        """Add a page with the tracker and return its path. ``data`` are more data-* of the script tag."""
        source = (
            "<!doctype html><html lang=en><head><meta charset=utf-8><title>Page</title>"
            f'<link rel=icon href="data:,"><style>{STYLE}</style>{head}{tag}</head>'
            f"<body>{body}</body></html>"
        )
        self.put(path, source, **data)
        return path

    def put(self, path: str, source: str, **data: str) -> None:
        """Add a page as it is; the mark in it becomes the tag."""
        attributes = " ".join(f'data-{name}="{value}"' for name, value in data.items())
        self.server.order("put", {path: {"source": source, "attributes": attributes}})

    def configure(self, **values: Any) -> None:
        """Set WAGTAIL_MA of the server."""
        self.server.order("configure", values)

    def token(self, path: str) -> str:
        """The token that the server's tag writes into a page."""
        answer, content = self.send("GET", path, {"Host": urlsplit(self.url).netloc}, b"")
        assert answer.status == 200
        return content.split(b'data-p="')[1].split(b'"')[0].decode()

    def accepted(self, kind: str = "") -> list[dict[str, Any]]:
        """Bodies of the messages that were answered well, in order of arrival."""
        return [m.body for m in list(self.messages) if 200 <= m.status < 300 and kind in ("", m.body["k"])]

    def views(self) -> list[View]:
        """Stored views, oldest first."""
        return self.server.views()

    def activities(self) -> list[tuple[str, dict[str, Any]]]:
        """Stored activities (kind, data)."""
        return self.server.activities()

    def ways(self) -> list[str]:
        """How the views came about (``y`` of their first messages), in order of arrival."""
        return [body["y"] for body in self.accepted("p")]

    def wait(self, condition: Callable[[], object], seconds: float = 5) -> None:
        """Until the condition holds; what is asserted next tells what is missing otherwise."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            time.sleep(0.04)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[Any, bytes]:
        """Pass one request on to the server."""
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
            connection.request(method, path, body or None, {**kept, **self.headers})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def deliver(self, messages: Iterable[Message]) -> list[int]:
        """Pass messages on once more, with their cookies; the server's answers."""
        return [self.send("POST", ENDPOINT, m.headers, m.raw)[0].status for m in messages]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        self.site.on_get(urlsplit(self.path).path)
        if self.site.is_offline:
            self.hang_up()
            return
        self.reply(*self.site.send("GET", self.path, dict(self.headers), b""))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        message = Message(json.loads(raw), raw, dict(self.headers), time.monotonic())
        if self.site.is_over:
            self.close_connection = True
            return
        self.site.messages.append(message)
        status, delay = (0, 0) if self.site.is_offline else self.site.answer(message.body)
        answer, content = None, b""
        time.sleep(self.site.hold(message.body))
        if status == 204:
            for _ in range(self.site.copies):
                answer, content = self.site.send("POST", self.path, message.headers, raw)
            status = answer.status
        message.status = status
        if delay:
            time.sleep(delay)
        if self.site.is_over:  # its cookie would be the next test's
            self.close_connection = True
        elif answer is not None:
            self.reply(answer, content)
        elif status:
            self.refuse(status)
        else:
            self.hang_up()

    def hang_up(self) -> None:
        """No answer at all."""
        self.close_connection = True
        self.connection.close()

    def reply(self, answer: Any, content: bytes) -> None:
        """Hand the server's answer to the browser."""
        with suppress(OSError):  # the browser may have gone
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP | {"server", "date"}:
                    self.send_header(name, value)
            if answer.status not in (204, 304):
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def refuse(self, status: int) -> None:
        """An answer of the collector's own."""
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def running_site(server: Server) -> Iterator[Site]:
    """A site on a free port with an empty database, until the block ends. It has /a, /b, and /bare without
    the tracker."""
    server.order("reset")
    site = Site(server)
    handler = type("SiteHandler", (Handler,), {"site": site})
    collector = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    collector.daemon_threads = True
    collector.block_on_close = False
    site.port = collector.server_address[1]
    site.put("/bare", "<!doctype html><link rel=icon href='data:,'><p>No tracker here</p>")
    for path in ("/a", "/b"):
        site.page(path)
    threading.Thread(target=collector.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield site
    finally:
        site.is_over = True
        collector.shutdown()
        collector.server_close()
