"""Hour and weekday in a stated time zone, over midnight and at the change of clocks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from wagtail_ma.core.conditions import facts
from wagtail_ma.core.request_facts import RequestFacts
from wagtail_ma.personalisation.facts import WEEKDAYS


def holds(at: str, start: str, end: str, *days: str, zone: str = "Asia/Tokyo") -> bool:
    """``at`` with its offset; ``days``: the first two letters; none given: all."""
    flags = {name: not days or name[:2] in days for name, _label in WEEKDAYS}
    condition: Any = facts.get("local_time")
    values = {"start": start, "end": end, "zone": zone, **flags}
    return bool(condition.holds(values, RequestFacts(now=datetime.fromisoformat(at))))


@pytest.mark.parametrize(
    "clock, expected", [("08:59:59", False), ("09:00", True), ("17:00:00", True), ("17:00:01", False)]
)
def test_window__its_ends__belong_to_it(clock: str, expected: bool) -> None:
    assert holds(f"2026-03-03T{clock}+09:00", "09:00", "17:00") is expected


def test_window__another_zone__local_clock_counts() -> None:
    # Tuesday 09:30 in Sydney is Monday evening in London.
    assert holds("2026-03-02T22:30+00:00", "09:00", "17:00", "tu", zone="Australia/Sydney")
    assert not holds("2026-03-02T22:30+00:00", "09:00", "17:00", "tu", zone="Europe/London")


@pytest.mark.parametrize(
    "at, expected",
    [
        ("2026-03-06T21:59", False),  # Friday
        ("2026-03-06T22:00", True),
        ("2026-03-07T01:30", True),  # Saturday, but it began on Friday
        ("2026-03-07T22:30", False),
        ("2026-03-06T01:30", False),  # began on Thursday
    ],
)
def test_window__over_midnight__belongs_to_the_day_it_began(at: str, expected: bool) -> None:
    assert holds(f"{at}+09:00", "22:00", "02:00", "fr") is expected


def test_window__equal_ends__the_whole_day() -> None:
    assert holds("2026-03-03T00:00+09:00", "09:00", "09:00", "tu")
    assert not holds("2026-03-04T00:00+09:00", "09:00", "09:00", "tu")


def test_window__no_day_ticked__never() -> None:
    assert not holds("2026-03-03T10:00+09:00", "09:00", "17:00", "--")


def test_window__clocks_change__wall_clock_counts() -> None:
    # On 29 March 2026 Berlin goes from 02:00 to 03:00.
    assert holds("2026-03-29T01:00+00:00", "03:00", "04:00", zone="Europe/Berlin")
    assert not holds("2026-03-29T00:59+00:00", "03:00", "04:00", zone="Europe/Berlin")


@pytest.mark.parametrize("name", ["../etc", "Tokyo", "x\x00", "A" * 65])
def test_zone__none_of_that_name__refused(name: str) -> None:
    from wagtail_ma.core.parameters import BadValue, ZoneName

    with pytest.raises(BadValue):
        ZoneName(name="zone", label="Zone").read(name)
