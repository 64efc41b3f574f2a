"""Whatever an editor may publish ends or waits; days and hours mean what clocks and calendars show."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wagtail_ma.core import business_time
from wagtail_ma.scenarios.kinds import NOT_YET, Role, step_kinds
from wagtail_ma.scenarios.plan import Finish, Go, Perform, Wait, flow_of, next_move
from wagtail_ma.scenarios.publish import _broken_jumps, _has_unreachable, walk
from wagtail_ma.scenarios.waiting_steps import WaitUntilStep

START = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
TIMED = {"amount": 1, "unit": "days"}
UNTIL = {"day": "business", "at": "09:00", "country": "JP", "zone": "Asia/Tokyo"}
PLACES = ("a", "b")


def params_of(kind, draw):
    if kind == "place":
        return {"name": draw(st.sampled_from(PLACES))}
    if kind == "go_to":
        return {"place": draw(st.sampled_from(PLACES))}
    return dict(UNTIL) if kind == "wait_until" else dict(TIMED)


@st.composite
def trees(draw, depth=2, counter=None):
    """Steps with branches, places and jumps, some of which go round for ever."""
    counter = counter or itertools.count()
    found = []
    for _number in range(draw(st.integers(1 if depth == 2 else 0, 4))):
        plain = ("wait", "wait_until", "send_mail", "task", "place", "go_to", "end")
        kind = draw(st.sampled_from((*plain, "branch", "clicked", "split") if depth else plain))
        step = {"id": f"s{next(counter)}", "kind": kind, "params": params_of(kind, draw)}
        if step_kinds.get(kind).exits:
            step["branches"] = {name: draw(trees(depth - 1, counter)) for name in step_kinds.get(kind).exits}
        found.append(step)
    return found


def linked(tree):
    """Jumps know where they lead, as in a published version."""
    places = {step["params"]["name"]: step["id"] for step in walk(tree) if step["kind"] == "place"}
    for step in walk(tree):
        if step["kind"] == "go_to":
            step["params"]["target"] = places.get(step["params"]["place"])
    return tree


def outcome(step, dice):
    """What a step may answer."""
    kind = step_kinds.get(step.kind)
    return dice.choice([*kind.outcomes, NOT_YET])


@given(tree=trees(), dice=st.randoms(use_true_random=False))
def test_walk__any_well_formed_scenario__ends_or_waits(tree, dice):
    tree = linked(tree)
    assume(not _broken_jumps(tree) and not _has_unreachable(tree))
    flow = flow_of(tree)
    here, entered_at, now = flow.start, START, START
    at_once = 0
    for _move in range(300):
        move = next_move(flow, here, entered_at=entered_at, now=now)
        if isinstance(move, Perform):
            answer = outcome(move.step, dice)
            move = next_move(flow, here, entered_at=entered_at, now=now, answer=answer)
        if isinstance(move, Finish):
            return
        if isinstance(move, Wait):
            assert move.until > now
            now, at_once = move.until, 0
            continue
        assert isinstance(move, Go)
        at_once += 1
        assert at_once <= len(flow.steps), "went round without waiting"
        here, entered_at = move.step_id, now


@given(tree=trees(), dice=st.randoms(use_true_random=False))
def test_next_move__asked_again__says_the_same(tree, dice):
    tree = linked(tree)
    assume(not _broken_jumps(tree))
    flow = flow_of(tree)
    now = START + timedelta(hours=dice.randrange(100))
    for step_id, step in flow.steps.items():
        answer = outcome(step, dice) if step_kinds.get(step.kind).role is Role.ACT else None
        moves = {
            repr(next_move(flow, step_id, entered_at=START, now=now, answer=answer)) for _time in range(2)
        }
        assert len(moves) == 1


ZONES = ["Asia/Tokyo", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]


@given(
    entered_at=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 1)).map(
        lambda at: at.replace(tzinfo=UTC)
    ),
    wall_time=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    day=st.sampled_from(["business", *map(str, range(7))]),
    country=st.sampled_from(["JP", "DE", "US", ""]),
    zone=st.sampled_from(ZONES),
)
def test_wait_until__any_moment_and_zone__is_ahead_at_that_hour_of_a_day_of_business(
    entered_at, wall_time, day, country, zone
):
    params = {"day": day, "at": wall_time.strftime("%H:%M"), "country": country, "zone": zone}
    until = WaitUntilStep().until(params, entered_at)
    local = until.astimezone(ZoneInfo(zone))
    assert entered_at <= until <= entered_at + timedelta(days=30)
    assert business_time.is_business_day(local.date(), business_time.Hours(country=country))
    # Nine o'clock is nine o'clock, but for the one night in which it is left out.
    left_out = business_time.at_wall_time(local.date(), wall_time, ZoneInfo(zone)).astimezone(ZoneInfo(zone))
    assert local.time() in (wall_time, left_out.time())


def tokyo(*parts):
    return datetime(*parts, tzinfo=ZoneInfo("Asia/Tokyo"))


@pytest.mark.parametrize(
    ("entered_at", "day", "until"),
    [
        # Marine Day, Monday 20 July 2026: from Friday evening to Tuesday.
        (tokyo(2026, 7, 17, 18), "business", tokyo(2026, 7, 21, 9)),
        # A Monday asked for that is a holiday: the day after it, not the Monday after.
        (tokyo(2026, 7, 17, 18), "0", tokyo(2026, 7, 21, 9)),
        # Golden Week 2026: Sunday 3 May is made up for on Wednesday 6 May.
        (tokyo(2026, 5, 1, 12), "business", tokyo(2026, 5, 7, 9)),
        # Before opening on a day of business: this day.
        (tokyo(2026, 7, 21, 8, 59), "business", tokyo(2026, 7, 21, 9)),
        # Exactly then: at once.
        (tokyo(2026, 7, 21, 9), "business", tokyo(2026, 7, 21, 9)),
        (tokyo(2026, 7, 21, 9, 1), "business", tokyo(2026, 7, 22, 9)),
        # New Year's Day, a Thursday.
        (tokyo(2025, 12, 31, 12), "business", tokyo(2026, 1, 2, 9)),
        # In Japan's morning it is still the day before in UTC.
        (tokyo(2026, 7, 22, 0, 30), "2", tokyo(2026, 7, 22, 9)),
    ],
)
def test_wait_until__japanese_holidays__next_day_of_business(entered_at, day, until):
    params = {"day": day, "at": "09:00", "country": "JP", "zone": "Asia/Tokyo"}
    assert WaitUntilStep().until(params, entered_at) == until


@pytest.mark.parametrize(
    ("entered_at", "at", "until"),
    [
        # Clocks go forward on Sunday 29 March 2026, back on Sunday 25 October.
        (datetime(2026, 3, 27, 8, 1, tzinfo=UTC), "09:00", datetime(2026, 3, 30, 7, 0, tzinfo=UTC)),
        (datetime(2026, 10, 23, 7, 1, tzinfo=UTC), "09:00", datetime(2026, 10, 26, 8, 0, tzinfo=UTC)),
    ],
)
def test_wait_until__clocks_changed_meanwhile__the_hour_stays(entered_at, at, until):
    params = {"day": "business", "at": at, "country": "", "zone": "Europe/Berlin"}
    assert WaitUntilStep().until(params, entered_at) == until


def test_business_time__hour_left_out_by_the_clocks__first_moment_after_it():
    berlin = ZoneInfo("Europe/Berlin")
    found = business_time.at_wall_time(date(2026, 3, 29), time(2, 30), berlin)
    assert found == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
