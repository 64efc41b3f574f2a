"""Opening hours, holidays, quiet hours, and changes of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_ma.core import business_time as bt

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
ZONES = [TOKYO, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")]
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(lambda m: m.replace(tzinfo=UTC))
TIMES = st.times().map(lambda t: t.replace(second=0, microsecond=0))


def tokyo(*parts):
    return datetime(*parts, tzinfo=TOKYO)


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2026, 1, 1), "元日"),
        (date(2026, 5, 6), "振替休日"),  # Constitution Day, 3 May 2026, is a Sunday
        (date(2026, 9, 22), "国民の休日"),  # between two holidays
        (date(2026, 7, 20), "海の日"),
        (date(2026, 12, 25), ""),
        (date(2026, 11, 30), ""),
    ],
)
def test_holiday_name__japan__substitutes_and_days_between_count(day, name):
    assert name in bt.holiday_name(day, "JP")
    assert bool(bt.holiday_name(day, "JP")) == bool(name)


def test_holiday_name__no_or_unknown_country__none():
    assert bt.holiday_name(date(2026, 1, 1), "") == bt.holiday_name(date(2026, 1, 1), "ZZ") == ""
    assert "JP" in bt.countries()


def test_next_open__friday_evening_before_a_holiday__tuesday_morning():
    # Monday, 20 July 2026 is Marine Day.
    assert bt.next_open(tokyo(2026, 7, 17, 18), bt.Hours(), TOKYO) == tokyo(2026, 7, 21, 9)
    assert bt.next_open(tokyo(2026, 7, 17, 17, 59), bt.Hours(), TOKYO) == tokyo(2026, 7, 17, 17, 59)
    closed = bt.Hours(closed=frozenset({date(2026, 7, 21)}))
    assert bt.next_open(tokyo(2026, 7, 17, 18), closed, TOKYO) == tokyo(2026, 7, 22, 9)


def test_next_open__no_weekday__says_so():
    with pytest.raises(bt.NeverOpen):
        bt.next_open(tokyo(2026, 7, 17), bt.Hours(weekdays=()), TOKYO)
    with pytest.raises(bt.NeverOpen):
        bt.add_business_days(tokyo(2026, 7, 17), 1, bt.Hours(weekdays=()), TOKYO)
    with pytest.raises(ValueError):
        bt.Hours(opens=time(18), closes=time(9))


def test_add_open_time__four_hours_from_friday_sixteen__tuesday_eleven():
    assert bt.add_open_time(tokyo(2026, 7, 17, 16), timedelta(hours=4), bt.Hours(), TOKYO) == tokyo(
        2026, 7, 21, 11
    )


def test_add_business_days__over_a_long_week_end():
    assert bt.add_business_days(tokyo(2026, 7, 17, 10), 2, bt.Hours(), TOKYO) == tokyo(2026, 7, 22, 10)
    assert bt.add_business_days(tokyo(2026, 7, 18, 10), 0, bt.Hours(), TOKYO) == tokyo(2026, 7, 21, 10)
    assert bt.add_business_days(tokyo(2026, 7, 17, 10), 0, bt.Hours(), TOKYO) == tokyo(2026, 7, 17, 10)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (tokyo(2026, 7, 17, 20, 59), tokyo(2026, 7, 17, 20, 59)),
        (tokyo(2026, 7, 17, 21), tokyo(2026, 7, 18, 8)),
        (tokyo(2026, 7, 18, 7, 59), tokyo(2026, 7, 18, 8)),
        (tokyo(2026, 7, 18, 8), tokyo(2026, 7, 18, 8)),
    ],
)
def test_after_quiet__over_midnight__morning(moment, expected):
    assert bt.after_quiet(moment, time(21), time(8), TOKYO) == expected
    assert bt.after_quiet(moment, time(8), time(8), TOKYO) == moment


def test_after_quiet__clocks_change_in_the_night__still_eight_o_clock():
    # 29 March 2026: clocks in Berlin go from 2:00 to 3:00.
    late = datetime(2026, 3, 28, 22, tzinfo=BERLIN)
    assert bt.after_quiet(late, time(21), time(8), BERLIN) == datetime(2026, 3, 29, 6, tzinfo=UTC)
    # Quiet until a time that does not exist: the first one after.
    assert bt.after_quiet(late, time(21), time(2, 30), BERLIN) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_at_wall_time__left_out_and_twice__first_valid_and_first():
    assert bt.at_wall_time(date(2026, 3, 29), time(2, 30), BERLIN) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert bt.at_wall_time(date(2026, 10, 25), time(2, 30), BERLIN) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


@given(MOMENTS, TIMES, TIMES, st.sampled_from(ZONES))
def test_after_quiet__any__later_not_quiet_and_kept_when_repeated(moment, start, end, zone):
    after = bt.after_quiet(moment, start, end, zone)
    assert after >= moment
    assert bt.after_quiet(after, start, end, zone) == after
    assert after - moment <= timedelta(hours=26)


@given(MOMENTS, TIMES, st.sampled_from(ZONES))
def test_next_at__any__within_a_day_and_shown_by_the_clock(moment, wall_time, zone):
    found = bt.next_at(moment, wall_time, zone)
    assert moment <= found <= moment + timedelta(hours=26)
    shown = found.astimezone(zone).time()
    assert shown == wall_time or shown > wall_time  # later only where clocks leave it out
    assert shown == wall_time or zone.key != "Asia/Tokyo"


@given(MOMENTS, st.integers(0, 60), st.sampled_from(ZONES))
def test_add_open_time__in_two_parts__same_moment(moment, minutes, zone):
    hours = bt.Hours(country="")
    whole = bt.add_open_time(moment, timedelta(minutes=2 * minutes), hours, zone)
    half = bt.add_open_time(moment, timedelta(minutes=minutes), hours, zone)
    assert half <= whole
    assert bt.add_open_time(half, timedelta(minutes=minutes), hours, zone) == whole
    assert whole >= moment
