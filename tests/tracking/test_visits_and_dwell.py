"""Visits and reading times against another way to work them out, which shares nothing with the product's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.factories import engagement_hit, page_hit
from tests.tracking.test_batch import wipe
from wagtail_ma import flow
from wagtail_ma.tracking import batch
from wagtail_ma.tracking.hits import Heard
from wagtail_ma.tracking.models import PageView, Visit

pytestmark = pytest.mark.django_db
IDLE, CAP, TOLERANCE = 1800, 1800, 5


class Told(NamedTuple):
    """One message of a browser. ``pause``: seconds since the one before; ``claim``: seconds read so far."""

    pause: int
    kind: str
    view: int
    claim: int


# (start, end, number of views) of visits, and {view: (begun, seconds read)}; all in seconds.
Outcome = tuple[list[tuple[int, int, int]], dict[int, tuple[int, int]]]


def worked_out(story: list[Told]) -> Outcome:
    """A message belongs to the visit whose last sign of life is less than 30 minutes old. A total says
    nothing unless it is larger than what was known, and nobody reads longer than the page was open."""
    visits: list[list[int]] = []
    views: dict[int, list[int]] = {}
    time = 0

    def visit(start: int) -> int:
        if not visits or time - visits[-1][1] >= IDLE:
            visits.append([start, time])
        visits[-1][1] = time
        return len(visits) - 1

    for pause, kind, view, claim in story:
        time += pause
        seconds = min(claim, CAP)
        if kind == "act":
            visit(time)
        elif kind == "read" and view in views:
            begun, known, number = views[view]
            seconds = min(seconds, time - begun + TOLERANCE)
            if seconds > known:
                views[view][1] = seconds
                if time - visits[number][1] < IDLE:
                    visits[number][1] = time
        elif view not in views:
            # What is read was opened before, though nobody has heard of it.
            seconds = seconds if kind == "read" else 0
            views[view] = [time - seconds, seconds, visit(time - seconds)]
    numbers = [number for _begun, _seconds, number in views.values()]
    return (
        sorted((start, end, numbers.count(number)) for number, (start, end) in enumerate(visits)),
        {view: (begun, seconds) for view, (begun, seconds, _number) in views.items()},
    )


def recorded(story: list[Told], home: Any, now: datetime, *, is_gathered: bool) -> Outcome:
    wipe()
    at, heard = now, []
    for number, (pause, kind, view, claim) in enumerate(story):
        at += timedelta(seconds=pause)
        about = {"view_id": UUID(int=view + 1), "browser_key": "browser", "is_key_fresh": True}
        if kind == "read":
            hit = engagement_hit(about.pop("view_id"), claim, page=home, **about)
        elif kind == "act":
            hit = page_hit(home, kind="c", event_id=UUID(int=number), name="video_play", **about)
        else:
            hit = page_hit(home, **about)
        heard.append(Heard(hit, at))
    if is_gathered:
        batch.write(heard)
    else:
        for each in heard:
            flow.record_hit(each.hit, now=each.at)

    def seconds(moment: datetime) -> int:
        return round((moment - now).total_seconds())

    return (
        sorted((seconds(v.started_at), seconds(v.last_at), v.views.count()) for v in Visit.objects.all()),
        {v.view_id.int - 1: (seconds(v.at), round(v.engaged_seconds)) for v in PageView.objects.all()},
    )


messages = st.builds(
    Told,
    pause=st.one_of(st.sampled_from([0, 1, 5, 6, 1794, 1795, 1799, 1800, 1801]), st.integers(0, 4000)),
    kind=st.sampled_from(["open", "open", "read", "read", "read", "act"]),
    view=st.integers(0, 4),
    claim=st.one_of(st.integers(0, 60), st.integers(0, 4000)),
)


@pytest.mark.parametrize("is_gathered", [False, True])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(messages, min_size=1, max_size=14))
# Read on over the end of a visit; the last second in which it goes on; a total that is not news.
@example(story=[Told(0, "open", 0, 0), Told(1799, "read", 0, 9), Told(1799, "open", 1, 0)])
@example(story=[Told(0, "open", 0, 0), Told(1800, "read", 0, 9), Told(1, "open", 1, 0)])
@example(
    story=[Told(0, "open", 0, 0), Told(9, "read", 0, 9), Told(1000, "read", 0, 9), Told(800, "open", 1, 0)]
)
def test_any_story__visits_and_seconds_read__as_worked_out_by_hand(
    home: Any, now: datetime, story: list[Told], is_gathered: bool
) -> None:
    assert recorded(story, home, now, is_gathered=is_gathered) == worked_out(story)


def test_worked_out__by_example() -> None:
    story = [Told(0, "open", 0, 0), Told(30, "read", 0, 40), Told(1800, "read", 1, 60), Told(5, "act", 0, 0)]
    assert worked_out(story) == ([(0, 30, 1), (1770, 1835, 1)], {0: (0, 35), 1: (1770, 60)})
