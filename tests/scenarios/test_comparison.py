"""Hold-out, goal rates beside it, and time to the goal."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.stories import a_scenario, an_enrolment, end, wait
from tests.scoring.history import a_browser, a_visitor, an_activity
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.scenarios import comparison, holdout, queries, runner
from wagtail_ma.scenarios.comparison import Comparison, Side
from wagtail_ma.scenarios.entry import put_in
from wagtail_ma.scenarios.models import Enrolment, StepRun
from wagtail_ma.segments.models import Membership, Segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

DAY = timedelta(days=1)


@pytest.fixture
def goal():
    return Goal.objects.create(name="Enquiry", activity_kind="form_submit")


def test_put_in__hold_out__always_the_same_people_and_no_steps(now):
    scenario = a_scenario(now, [end()], entry="hand", again="each_time", holdout_percent=30)
    visitors = [a_visitor(now, bucket=number * 37 % 10_000) for number in range(100)]
    ids = [visitor.pk for visitor in visitors]
    entered = put_in(scenario, ids, reason="one", now=now)
    held = set(Enrolment.objects.filter(status="held_out").values_list("visitor_id", flat=True))
    assert 10 < len(held) < 50
    assert entered == 100 - len(held)
    assert holdout.among(scenario, ids) == held
    runner.run_due(now=now)
    assert StepRun.objects.filter(enrolment__status="held_out").count() == 0
    assert StepRun.objects.count() == entered
    put_in(scenario, ids, reason="two", now=now + DAY)
    again = set(Enrolment.objects.filter(status="held_out").values_list("visitor_id", flat=True))
    assert again == held
    found = queries.numbers(scenario)
    assert (found.held_out, found.entered) == (2 * len(held), 2 * entered)
    assert not queries.people(scenario, queries.Choice()).filter(status="held_out").exists()
    assert queries.people(scenario, queries.Choice(status="held_out")).count() == 2 * len(held)


def test_among__raised_percentage__holds_more_out_and_lets_nobody_back_in(now):
    scenario = a_scenario(now, [end()], holdout_percent=10)
    ids = [a_visitor(now, bucket=number * 97 % 10_000).pk for number in range(60)]
    few = holdout.among(scenario, ids)
    scenario.holdout_percent = 50
    assert few < holdout.among(scenario, ids)
    scenario.holdout_percent = 0
    assert holdout.among(scenario, ids) == set()


def test_compare__goal_after_entry__counts_on_both_sides_each_person_once(now, goal):
    scenario = a_scenario(now, [wait()], goal=goal, holdout_percent=50)

    def somebody(status, *acts, **data):
        visitor = a_visitor(now)
        browser = a_browser(visitor, now)
        an_enrolment(scenario, visitor, now, status=status)
        for at in acts:
            an_activity(browser, at, kind="form_submit", data=data)

    somebody("finished", now + DAY, now + 2 * DAY)
    somebody("exited", now)
    somebody("active", now - DAY)
    somebody("active", now + DAY, is_machine=True)
    somebody("held_out", now + DAY)
    somebody("held_out")
    found = comparison.compare(scenario)
    assert found == Comparison(entered=Side(4, 2), held_out=Side(2, 1))
    assert (found.entered.percent, found.difference) == (50, 0)
    assert not found.is_enough and not found.is_clear


def test_compare__goal_is_a_segment__members_since_entry(now):
    segment = Segment.objects.create(name="Customers")
    goal = Goal.objects.create(name="Customer", kind="segment", segment=segment)
    scenario = a_scenario(now, [wait()], goal=goal, holdout_percent=50)
    early, late = a_visitor(now), a_visitor(now)
    for visitor, at in ((early, now - DAY), (late, now + DAY)):
        an_enrolment(scenario, visitor, now)
        Membership.objects.create(segment=segment, visitor=visitor, entered_at=at)
    an_enrolment(scenario, a_visitor(now), now, status="held_out")
    assert comparison.compare(scenario).entered == Side(2, 1)


def test_compare__no_goal_or_nobody_held_out__none(now, goal, django_assert_num_queries):
    assert comparison.compare(a_scenario(now, [wait()])) is None
    scenario = a_scenario(now, [wait()], goal=goal, name="Other")
    # The goal, and both groups at once.
    with django_assert_num_queries(2):
        assert comparison.compare(scenario) is None


@pytest.mark.parametrize(
    ("one", "two", "low", "high"),
    [
        # Newcombe 1998, table II, method 10: (a) 56/70 - 48/80, (b) 9/10 - 3/10, (c) 10/10 - 0/10.
        (Side(70, 56), Side(80, 48), 5.24, 33.39),
        (Side(10, 9), Side(10, 3), 17.05, 80.90),
        (Side(10, 10), Side(10, 0), 60.75, 100.0),
    ],
)
def test_interval__published_examples__agree(one, two, low, high):
    found = Comparison(one, two).interval
    assert found == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))


def test_is_clear__large_difference__clear_and_a_small_one_is_not():
    assert Comparison(Side(500, 100), Side(500, 50)).is_clear
    assert not Comparison(Side(500, 52), Side(500, 50)).is_clear


@pytest.mark.parametrize(("hours", "median"), [((), None), ((5,), 5), ((1, 50), 25.5), ((9, 1, 2), 2)])
def test_time_to_goal__median(now, goal, hours, median):
    scenario = a_scenario(now, [wait()], goal=goal)
    an_enrolment(scenario, a_visitor(now), now)
    for number in hours:
        at = now + timedelta(hours=number)
        an_enrolment(scenario, a_visitor(now), now, status="exited", goal_at=at)
    found = comparison.time_to_goal(scenario)
    assert found == (None if median is None else timedelta(hours=median))
