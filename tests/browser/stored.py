"""What the server stored, read from its database; and the server itself, as a process."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

ROOT = Path(__file__).resolve().parents[2]

VIEWS = """
SELECT v.view_id, p.url, p.key, p.title, v.at,
    v.engaged_seconds, v.visible_seconds, v.scroll_percent, v.visit_id, t.identity_id, t.is_bot, v.is_doubtful
FROM wagtail_ma_pageview v
JOIN wagtail_ma_trackedpage p ON p.id = v.tracked_page_id
JOIN wagtail_ma_visit t ON t.id = v.visit_id
ORDER BY v.at, v.id
"""


@dataclass(frozen=True)
class View:
    """One row of PageView, with what its visit and its page say. Totals in milliseconds."""

    id: str
    url: str
    key: str
    title: str
    at: datetime
    engaged: int
    visible: int
    scroll: int
    visit: int
    identity: int
    is_bot: bool
    is_doubtful: bool


@dataclass
class Server:
    """A running server and its database."""

    port: int
    database: Path

    def order(self, name: str, value: Any = None) -> Any:
        """Tell the server something (see rows_server.ORDERS) and return its answer."""
        body = json.dumps({"value": value}).encode()
        url = f"http://127.0.0.1:{self.port}/control/{name}/"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=20) as answer:
            return json.loads(answer.read())["value"]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(sql).fetchall()

    def count(self, model: str) -> int:
        """Number of rows of a model, for example ``count("visit")``."""
        return self.rows(f"SELECT COUNT(*) FROM wagtail_ma_{model}")[0][0]

    def views(self) -> list[View]:
        """All page views, oldest first."""
        return [_view(*row) for row in self.rows(VIEWS)]

    def activities(self) -> list[tuple[str, dict[str, Any]]]:
        """All activities (kind, data), in order of arrival."""
        found = self.rows("SELECT kind, data FROM wagtail_ma_activity ORDER BY id")
        return [(kind, json.loads(data)) for kind, data in found]

    def counted(self) -> int:
        """Anonymous views: a number and nothing else."""
        return self.rows("SELECT COALESCE(SUM(views), 0) FROM wagtail_ma_pagecount")[0][0]

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All columns of all facts, to compare."""
        tables = ("visitor", "identity", "visit", "pageview", "activity", "pagecount", "trackedpage")
        return {table: self.rows(f"SELECT * FROM wagtail_ma_{table} ORDER BY id") for table in tables}


def _view(view_id: str, url: str, key: str, title: str, at: str, *rest: Any) -> View:
    engaged, visible, scroll, visit, identity, is_bot, is_doubtful = rest
    return View(
        id=str(UUID(view_id)),
        url=url,
        key=key,
        title=title,
        at=datetime.fromisoformat(at).replace(tzinfo=UTC),
        engaged=round(engaged * 1000),
        visible=round(visible * 1000),
        scroll=scroll,
        visit=visit,
        identity=identity,
        is_bot=bool(is_bot),
        is_doubtful=bool(is_doubtful),
    )


@contextmanager
def running_server(directory: Path) -> Iterator[Server]:
    """A server with an empty database below ``directory``, until the block ends."""
    database = directory / "rows.sqlite3"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.browser.rows_server"],
        cwd=ROOT,
        env={**os.environ, "WAGTAIL_MA_ROWS": str(database)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    try:
        port = process.stdout.readline().strip()
        assert port, "the server did not start; its messages are above"
        yield Server(int(port), database)
    finally:
        process.stdin.close()
        process.wait(10)
