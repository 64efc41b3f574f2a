"""The example site at another time: its processes read how far their clock is off from a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.browser.running_site import HOST, RunningSite

VARIABLE = "WAGTAIL_MA_TEST_CLOCK"


def install() -> None:
    """In a process of the site: ``timezone.now`` tells the moved time. The clock itself runs on."""
    from django.utils import timezone

    path = Path(os.environ[VARIABLE])

    def now() -> datetime:
        return datetime.now(tz=UTC) + timedelta(seconds=float(path.read_text()))

    timezone.now = now


# Once everybody is let in: nobody may be asked to wait for a minute of the real clock.
WORK = """
from django.utils import timezone
from wagtail_ma import flow
for _round in range(3):
    now = timezone.now()
    while flow.react(now=now):
        pass
    flow.run_due(now=now)
"""


@dataclass
class MovedSite(RunningSite):
    """A running site whose clock is where the test puts it. Its worker works when told to."""

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "DJANGO_SETTINGS_MODULE": "tests.browser.moved_settings",
            VARIABLE: str(self.var / "clock"),
        }

    def move_to(self, moment: datetime) -> None:
        """From now on it is this moment there, and later as time goes on."""
        offset = (moment - datetime.now(tz=UTC)).total_seconds()
        fresh = self.var / "clock.new"
        fresh.write_text(str(offset))
        fresh.replace(self.var / "clock")

    def work(self, moment: datetime) -> None:
        """It becomes this moment, and the worker does what there is to do."""
        self.move_to(moment)
        self.shell(WORK)

    def start(self) -> None:
        """The web server alone."""
        self._spawn("web", "runserver", f"{HOST}:{self.port}", "--noreload", "--insecure")
        self._wait_for_page()
