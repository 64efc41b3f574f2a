"""How long something was looked at, as the tests meant it; the machine may need longer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from tests.browser.chromium import Tab
from tests.browser.stored import View
from tests.browser.tracker_site import Site

TOLERANCE = 300
# As long as the cases of docs/tracking-tests.md say, which is what a release is tested with.
HAS_FULL_TIMES = os.environ.get("WAGTAIL_MA_FULL_TIMES") == "1"


def lasting(full: float, short: float) -> float:
    """How many seconds something lasts in this run, where no setting of the tracker could shorten it.

    :param full: as the case says; taken when the environment variable WAGTAIL_MA_FULL_TIMES is 1.
    :param short: long enough to see the same happen; taken otherwise.
    """
    return full if HAS_FULL_TIMES else short


class Watch:
    """What a test meant to wait, and what the machine needed besides (loading, switching tabs)."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.begun = time.monotonic()
        self.planned = 0.0

    def lost(self) -> float:
        return time.monotonic() - self.begun - self.planned


watch = Watch()


def near(milliseconds: float, seconds: float) -> bool:
    """Exactly that, within the tolerance: for times that the tracker itself measures out."""
    return abs(milliseconds - seconds * 1000) <= TOLERANCE


def about(milliseconds: float, seconds: float) -> bool:
    """That, or up to the time the machine needed longer than the test meant to wait."""
    return -TOLERANCE <= milliseconds - seconds * 1000 <= TOLERANCE + watch.lost() * 1000


def pause(seconds: float) -> None:
    watch.planned += seconds
    time.sleep(seconds)


def read(tab: Tab, seconds: float, *, every: float = 0.4) -> None:
    """Be present: move the mouse every so many seconds."""
    act(lambda rest: tab.move(300 + rest, 300), seconds, every=every)


def act(once: Callable[[float], object], seconds: float, *, every: float = 0.4) -> None:
    """Do something again and again; it is told how many seconds are left."""
    watch.planned += seconds
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        once(rest)
        time.sleep(max(0, min(end - time.monotonic(), every)))


def left(tab: Tab, site: Site, count: int = 1) -> list[View]:
    """Close the tab and return the views once so many have their totals."""
    tab.close()
    site.wait(lambda: len({body["v"] for body in site.accepted("e")}) >= count, 3)
    time.sleep(0.2)
    return site.views()
