"""How long something was looked at, as the tests meant it; the machine may need longer."""

from __future__ import annotations

import time

from tests.browser.chromium import Tab
from tests.browser.stored import View
from tests.browser.tracker_site import Site

TOLERANCE = 300


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


def read(tab: Tab, seconds: float) -> None:
    """Be present: move the mouse now and then."""
    watch.planned += seconds
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        tab.move(300 + rest, 300)
        time.sleep(max(0, min(end - time.monotonic(), 0.4)))


def left(tab: Tab, site: Site, count: int = 1) -> list[View]:
    """Close the tab and return the views once so many have their totals."""
    tab.close()
    site.wait(lambda: len({body["v"] for body in site.accepted("e")}) >= count, 3)
    time.sleep(0.2)
    return site.views()
