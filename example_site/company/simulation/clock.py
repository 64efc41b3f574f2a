"""Play the visits of everybody in the order of their dates, with the flow at the simulated times."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from wagtail_ma import flow

from .acts import Browser
from .cast import drawn_to_take_part
from .characters import Outing, Person

# How often the worker runs in simulated time.
TICK = timedelta(hours=4)

Act = Callable[[datetime], None]


class Clock:
    """A queue of dated acts; between them the worker runs every ``TICK``."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.start, self.end = start, end
        self._queue: list[tuple[datetime, int, Act]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._queue)

    def at(self, when: datetime, act: Act) -> None:
        """Plan an act; what would lie after the end never happens."""
        if when < self.end:
            heapq.heappush(self._queue, (when, next(self._order), act))

    def run(self, after_tick: Callable[[datetime], None], say: Callable[[float, datetime], None]) -> None:
        """Play everything. ``after_tick`` may plan more; ``say`` hears the share done (0–1)."""
        tick = self.start
        while tick < self.end:
            tick = min(tick + TICK, self.end)
            while self._queue and self._queue[0][0] <= tick:
                when, _order, act = heapq.heappop(self._queue)
                act(when)
            self._work(tick)
            after_tick(tick)
            say((tick - self.start) / (self.end - self.start), tick)

    def _work(self, now: datetime) -> None:
        while flow.react(now=now):
            pass
        flow.run_due(now=now)


def plan(clock: Clock, person: Person, pages: dict[tuple[str, str], Any]) -> Browser:
    """Put every visit of a person into the queue."""
    browser = Browser(person, pages)
    for outing in person.outings:
        clock.at(clock.start + timedelta(days=outing.day), _visit(clock, browser, outing))
    return browser


def _visit(clock: Clock, browser: Browser, outing: Outing) -> Act:
    """The act that opens a visit and plans its page views one after the other."""

    def begin(now: datetime) -> None:
        when = now
        for number, look in enumerate(outing.looks):
            first = number == 0
            clock.at(when, browser.opens(look, outing if first else None))
            if browser.person.takes_part:
                clock.at(when, drawn_to_take_part(browser))
            when += timedelta(seconds=look.seconds + 2)
            clock.at(when - timedelta(seconds=1), browser.leaves(look))
        if outing.form:
            clock.at(when, browser.sends(outing.form))

    return begin
