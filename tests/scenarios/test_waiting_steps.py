"""Steps that wait: hours of business, segments, visits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios.stories import a_scenario, an_enrolment, end, step, wait
from tests.scoring.history import a_browser, a_visitor
from wagtail_ma.core import business_time
from wagtail_ma.scenarios import runner
from wagtail_ma.scenarios.waiting_steps import WaitUntilStep
from wagtail_ma.segments.models import Membership, Segment
from wagtail_ma.tracking.models import Visit

DAY = timedelta(days=1)
TOKYO = {"day": "business", "at": "09:00", "country": "JP", "zone": "Asia/Tokyo"}


def tokyo(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo("Asia/Tokyo")).astimezone(UTC)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("day", "entered", "expected"),
    [
        # Friday evening before Respect for the Aged Day, 21 September 2026; 22 is a day between two
        # holidays, 23 the autumnal equinox.
        ("business", tokyo(2026, 9, 18, 18), tokyo(2026, 9, 24, 9)),
        ("business", tokyo(2026, 9, 17, 8, 59), tokyo(2026, 9, 17, 9)),
        ("business", tokyo(2026, 9, 17, 9), tokyo(2026, 9, 17, 9)),
        ("business", tokyo(2026, 9, 17, 9, 1), tokyo(2026, 9, 18, 9)),
        # The Monday is a holiday.
        ("0", tokyo(2026, 9, 18, 18), tokyo(2026, 9, 24, 9)),
        ("2", tokyo(2026, 9, 24, 18), tokyo(2026, 9, 30, 9)),
    ],
)
def test_until__holidays_and_weekends__next_business_day(day, entered, expected):
    assert WaitUntilStep().until({**TOKYO, "day": day}, entered) == expected


def test_until__clocks_changed_over_the_weekend__same_wall_time():
    params = {"day": "business", "at": "09:00", "country": "DE", "zone": "Europe/Berlin"}
    berlin = ZoneInfo("Europe/Berlin")
    entered = datetime(2026, 3, 27, 18, tzinfo=berlin)
    assert WaitUntilStep().until(params, entered) == datetime(2026, 3, 30, 9, tzinfo=berlin)


@given(
    entered=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
    day=st.sampled_from(["business", *"0123456"]),
    zone=st.sampled_from(["Asia/Tokyo", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    minute=st.integers(0, 24 * 60 - 1),
)
def test_until__any_moment__later_open_and_repeatable(entered, day, zone, minute):
    params = {"day": day, "at": f"{minute // 60:02}:{minute % 60:02}", "country": "JP", "zone": zone}
    at = entered.replace(tzinfo=UTC)
    until = WaitUntilStep().until(params, at)
    assert at <= until <= at + timedelta(days=25)
    local = until.astimezone(ZoneInfo(zone))
    assert business_time.is_business_day(local.date(), business_time.Hours(country="JP"))
    if day == "business":
        assert WaitUntilStep().until(params, until) == until


@pytest.mark.django_db
@pytest.mark.usefixtures("site")
class TestRunning:
    def test_wait_until__published__goes_on_at_that_hour(self, now):
        until = step("wait_until", {"day": "business", "at": "09:00"}, key="until")
        enrolment = an_enrolment(a_scenario(now, [until, end()]), a_visitor(now), now)
        runner.run_due(now=now)
        enrolment.refresh_from_db()
        assert enrolment.status == "active"
        assert now < enrolment.due_at <= now + 25 * DAY
        runner.run_due(now=enrolment.due_at)
        enrolment.refresh_from_db()
        assert enrolment.status == "finished"

    def test_wait_segment__in_time_or_not__goes_that_way(self, now):
        segment = Segment.objects.create(name="Hot")
        value = {"segment": segment.pk, "amount": 5, "unit": "days", "yes": [wait(key="y")], "no": []}
        scenario = a_scenario(now, [step("wait_segment", value, key="ask")])
        joins, stays = (an_enrolment(scenario, a_visitor(now), now) for _number in range(2))
        runner.run_due(now=now)
        Membership.objects.create(segment=segment, visitor=joins.visitor, entered_at=now + DAY)
        runner.wake([joins.visitor_id, stays.visitor_id], now=now + DAY)
        runner.run_due(now=now + DAY)
        joins.refresh_from_db()
        stays.refresh_from_db()
        assert (joins.step_id, stays.step_id) == ("y", "ask")
        runner.run_due(now=now + 5 * DAY)
        stays.refresh_from_db()
        assert stays.status == "finished"

    def test_wait_visit__next_visit_begins__wakes(self, now):
        value = {"amount": 30, "unit": "days", "yes": [wait(key="back")], "no": []}
        visitor = a_visitor(now)
        browser = a_browser(visitor, now)
        # The visit in which they came in does not count.
        Visit.objects.create(identity=browser, visitor=visitor, started_at=now, last_at=now, medium="direct")
        enrolment = an_enrolment(a_scenario(now, [step("wait_visit", value, key="visit")]), visitor, now)
        runner.run_due(now=now)
        later = now + 3 * DAY
        runner.wake([visitor.pk], now=later)
        runner.run_due(now=later)
        enrolment.refresh_from_db()
        assert enrolment.step_id == "visit"
        Visit.objects.create(
            identity=browser, visitor=visitor, started_at=later, last_at=later, medium="direct"
        )
        runner.wake([visitor.pk], now=later)
        runner.run_due(now=later)
        enrolment.refresh_from_db()
        assert enrolment.step_id == "back"
