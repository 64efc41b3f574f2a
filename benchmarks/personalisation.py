"""What personalised blocks cost a page, and what react takes for segments. Started by run.py, in a
process of the example site; prints a table as JSON lines.

    python -m benchmarks.personalisation [--rounds N]

The product page is rendered in turns: as it is, with a personalised block of 5 and of 50 variants (each
for a segment of its own; the last one is shown), and with 50 variants as a slot. The plain page holds
the same content as a plain block. CPU time of this process counts, the median over the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.core.signals import request_finished, request_started  # noqa: E402
from django.db import close_old_connections, connection  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import Client, RequestFactory, override_settings  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from company.models import ProductPage  # noqa: E402
from wagtail_ma.conf import conf  # noqa: E402
from wagtail_ma.people.cookies import set_browser_key  # noqa: E402
from wagtail_ma.people.models import Identity, Visitor  # noqa: E402
from wagtail_ma.segments import refresh  # noqa: E402
from wagtail_ma.segments.models import Membership, Segment  # noqa: E402
from wagtail_ma.tracking.models import PageView, TrackedPage, Visit  # noqa: E402

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
PER_TURN = 10
VISITORS = 500


def item(value: Any) -> dict[str, Any]:
    return {"type": "item", "value": value, "id": str(uuid.uuid4())}


def call(text: str) -> dict[str, Any]:
    """A block as the example site's editors use it."""
    return {"type": "text", "value": f"<p>{text} {'and some more words ' * 10}</p>", "id": str(uuid.uuid4())}


def personalised(segments: list[Segment]) -> dict[str, Any]:
    variants = [
        item({"match": "any", "segments": [item(each.pk)], "content": [call(each.name)]}) for each in segments
    ]
    value = {"variants": variants, "default": [call("Default")]}
    return {"type": "personalised", "value": value, "id": str(uuid.uuid4())}


def member() -> tuple[Client, Visitor]:
    """A browser that we know."""
    now = timezone.now()
    visitor = Visitor.objects.create(first_seen_at=now - timedelta(days=3))
    identity = Identity.objects.create(kind="browser", key=uuid.uuid4().hex, visitor=visitor, created_at=now)
    response = HttpResponse()
    set_browser_key(response, identity.key, request=RequestFactory().get("/"))
    client = Client(headers={"user-agent": BROWSER, "host": "localhost"})
    client.cookies[conf.COOKIE_NAME] = response.cookies[conf.COOKIE_NAME].value
    return client, visitor


def pages(segments: list[Segment]) -> dict[str, str]:
    """Copies of the product page with the different bodies; their paths by name."""
    original = ProductPage.objects.live().first()
    bodies = {
        "plain": call("Plain"),
        "5 segments": personalised(segments[-5:]),
        "50 segments": personalised(segments),
        "slot": personalised(segments),
    }
    paths = {}
    for name, block in bodies.items():
        page = original.copy(update_attrs={"slug": f"bench-{uuid.uuid4().hex[:8]}", "title": name})
        page.body = [*page.body.get_prep_value(), block]
        page.save_revision().publish()
        paths[name] = page.get_url_parts()[2]
    return paths


def cpu_ms(client: Client, path: str) -> float:
    before = time.process_time()
    for _number in range(PER_TURN):
        assert client.get(path).status_code == 200
    return (time.process_time() - before) * 1000 / PER_TURN


def rendering(rounds: int) -> list[list[str]]:
    """Rows of the table about pages."""
    client, visitor = member()
    now = timezone.now()
    segments = [Segment.objects.create(name=f"Bench {number}") for number in range(50)]
    Membership.objects.create(segment=segments[-1], visitor=visitor, entered_at=now)
    paths = pages(segments)
    times: dict[str, list[float]] = {name: [] for name in paths}
    statements: dict[str, int] = {}

    def in_mode(name: str, act: Callable[[], Any]) -> Any:
        with override_settings(WAGTAIL_MA={"PERSONALISATION": "slots" if name == "slot" else "server"}):
            return act()

    for name, path in paths.items():
        html = in_mode(name, lambda: (client.get(path), client.get(path))[1].content.decode())  # noqa: B023
        expected = {"plain": "Plain and", "slot": "Default and"}.get(name, "Bench 49 and")
        assert expected in html, name
        with CaptureQueriesContext(connection) as captured:
            in_mode(name, lambda: client.get(path))  # noqa: B023
        statements[name] = len(captured)
    for _round in range(rounds):
        for name, path in paths.items():
            times[name].append(in_mode(name, lambda: cpu_ms(client, path)))  # noqa: B023
    plain = statistics.median(times["plain"])
    return [
        [
            f"product page: {name}",
            f"{statistics.median(found):.2f}",
            f"{statements[name]}",
            f"{statistics.median(found) / plain:.2f}",
            f"{statements[name] - statements['plain']:+d}",
        ]
        for name, found in times.items()
    ]


def reacting(rounds: int) -> list[str]:
    """The row about react: 20 segments for 500 visitors with ten views each."""
    now = timezone.now()
    tracked = [
        TrackedPage.objects.create(
            key=f"bench:{n}", url=f"http://localhost/{n}", title=str(n), first_seen_at=now
        )
        for n in range(20)
    ]
    page = ProductPage.objects.live().first()
    TrackedPage.objects.filter(pk=tracked[0].pk).update(page_id=page.pk, translation_key=page.translation_key)
    ids = [_visitor(tracked, number, now) for number in range(VISITORS)]
    for number in range(20):
        Segment.objects.create(name=f"React {number}", match="all", rule=rule(number, page.pk))
    refresh.refresh_visitors(ids[:1], now=now)
    seconds = []
    # SQLite works in this process; PostgreSQL's own time would be missing.
    clock = time.process_time if connection.vendor == "sqlite" else time.perf_counter
    for turn in range(rounds):
        before = clock()
        refresh.refresh_visitors(ids, now=now + timedelta(days=turn))
        seconds.append(clock() - before)
    with CaptureQueriesContext(connection) as captured:
        refresh.refresh_visitors(ids, now=now)
    middle = statistics.median(seconds)
    return [
        f"segments of {VISITORS} visitors, 20 segments",
        f"{middle * 1000:.0f}",
        f"{len(captured)}",
        "",
        "",
    ]


def _visitor(tracked: list[TrackedPage], number: int, now: Any) -> int:
    visitor = Visitor.objects.create(first_seen_at=now - timedelta(days=20))
    identity = Identity.objects.create(kind="browser", key=uuid.uuid4().hex, visitor=visitor, created_at=now)
    fields = {"started_at": now, "last_at": now, "medium": "organic", "device": "mobile"}
    visit = Visit.objects.create(identity=identity, visitor=visitor, **fields)
    PageView.objects.bulk_create(
        PageView(
            visitor=visitor,
            visit=visit,
            tracked_page=tracked[(number + n) % len(tracked)],
            view_id=uuid.uuid4(),
            at=now - timedelta(days=n),
            engaged_seconds=n,
        )
        for n in range(10)
    )
    return visitor.pk


def rule(number: int, page_id: int) -> list[dict[str, Any]]:
    """One of twenty typical rules."""
    kinds = [
        ("page_viewed", {"page": page_id, "number": 1 + number % 3, "days": 7 + number}),
        ("page_viewed", {"page": page_id, "number": 0, "comparison": "at_most", "days": 7 + number}),
        ("visit_count", {"number": 1 + number % 3, "days": 30 + number}),
        ("channel", {"visit": "first", "medium": "organic"}),
        ("time_on_page", {"page": None, "seconds": 10 + number, "days": 30}),
    ]
    chosen = [kinds[number % 5], kinds[(number + 2) % 5]]
    return [{"type": key, "value": values} for key, values in chosen]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    # As on a server that keeps its connections: the test client would close them.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    rows = rendering(options.rounds)
    print(json.dumps([*rows, reacting(5)]))


if __name__ == "__main__":
    main()
