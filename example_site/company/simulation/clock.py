"""Play the visits of everybody in the order of their dates, with the flow at the simulated times."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.utils import timezone

from wagtail_ma import flow

from .acts import Browser, Spots
from .cast import drawn_to_take_part
from .characters import Outing, Person

# When the worker runs in simulated time: at these hours of the site's day, when mails may go out; in the
# last days, whose times people look at, more often.
HOURS = (10, 17)
LATELY = timedelta(days=4)
OFTEN = timedelta(hours=4)

Act = Callable[[datetime], None]


def rounds(start: datetime, end: datetime) -> Iterator[datetime]:
    """The moments at which the worker runs; the last one is the end."""
    lately = max(start, end - LATELY)
    day = timezone.localtime(start).replace(minute=0, second=0, microsecond=0)
    while (first := day.replace(hour=HOURS[0])) < lately:
        yield from (at for hour in HOURS if start < (at := first.replace(hour=hour)) < lately)
        day += timedelta(days=1)
    count = -(-(end - lately) // OFTEN)
    yield from (end - OFTEN * left for left in reversed(range(count)))


class Clock:
    """A queue of dated acts; between them the worker runs (:func:`rounds`)."""

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
        for tick in rounds(self.start, self.end):
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


def plan(clock: Clock, person: Person, spots: Spots) -> Browser:
    """Put every visit of a person into the queue."""
    browser = Browser(person, spots)
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
