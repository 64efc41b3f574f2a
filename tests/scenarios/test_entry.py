"""Who enters."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.stories import a_scenario, wait
from tests.scoring.history import a_browser, a_visit, a_visitor, an_activity
from wagtail_ma.scenarios import switch
from wagtail_ma.scenarios.belongings import give_way
from wagtail_ma.scenarios.entry import enter
from wagtail_ma.scenarios.models import Enrolment, Scenario
from wagtail_ma.segments.causes import Change
from wagtail_ma.segments.models import Segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]


@pytest.fixture
def visitor(now):
    return a_visitor(now)


@pytest.fixture
def browser(visitor, now):
    return a_browser(visitor, now)


def test_enter__download__enrols_once_however_often_asked(visitor, browser, now):
    scenario = a_scenario(now, [wait()])
    act = an_activity(browser, now)
    assert enter([visitor.pk], [], now=now) == 1
    assert enter([visitor.pk], [], now=now) == 0
    enrolment = Enrolment.objects.get()
    assert (enrolment.trigger, enrolment.step_id, enrolment.due_at) == (f"activity:{act.pk}", "wait", now)
    assert enrolment.version.scenario == scenario


@pytest.mark.parametrize(
    "fields",
    [{"kind": "form_submit"}, {"data": {"is_machine": True}}],
    ids=["another activity", "a machine"],
)
def test_enter__something_else__does_not_enrol(visitor, browser, now, fields):
    a_scenario(now, [wait()])
    an_activity(browser, now, **fields)
    assert enter([visitor.pk], [], now=now) == 0


def test_enter__bot__does_not_enrol(visitor, browser, now):
    a_scenario(now, [wait()])
    an_activity(browser, now, visit=a_visit(browser, now, is_bot=True))
    assert enter([visitor.pk], [], now=now) == 0


def test_enter__before_publication_or_during_a_pause__does_not_enrol(visitor, browser, now):
    scenario = a_scenario(now, [wait()])
    an_activity(browser, now - timedelta(seconds=1))
    switch.pause(scenario)
    an_activity(browser, now + timedelta(hours=1))
    assert enter([visitor.pk], [], now=now + timedelta(hours=1)) == 0
    switch.resume(scenario, now=now + timedelta(hours=2))
    assert enter([visitor.pk], [], now=now + timedelta(hours=2)) == 0


def test_enter__draft_or_taken_offline__does_not_enrol(visitor, browser, now):
    scenario = a_scenario(now, [wait()])
    scenario.unpublish()
    an_activity(browser, now)
    assert enter([visitor.pk], [], now=now) == 0


def test_enter__excluded_visitor__does_not_enrol(visitor, browser, now):
    a_scenario(now, [wait()])
    an_activity(browser, now)
    visitor.excluded_reason = "staff"
    visitor.save()
    assert enter([visitor.pk], [], now=now) == 0


def leave(enrolment, at):
    Enrolment.objects.filter(pk=enrolment.pk).update(status="finished", left_at=at)


def test_enter__once__second_download_after_the_end_does_not_enrol(visitor, browser, now):
    a_scenario(now, [wait()])
    an_activity(browser, now)
    enter([visitor.pk], [], now=now)
    leave(Enrolment.objects.get(), now + timedelta(days=1))
    later = now + timedelta(days=2)
    an_activity(browser, later)
    assert enter([visitor.pk], [], now=later) == 0


def test_enter__each_time__only_what_happens_after_the_last_run(visitor, browser, now):
    a_scenario(now, [wait()], again="each_time")
    an_activity(browser, now)
    an_activity(browser, now + timedelta(hours=1))
    enter([visitor.pk], [], now=now + timedelta(hours=1))
    leave(Enrolment.objects.get(), now + timedelta(days=1))
    assert enter([visitor.pk], [], now=now + timedelta(days=1)) == 0
    later = now + timedelta(days=2)
    act = an_activity(browser, later)
    assert enter([visitor.pk], [], now=later) == 1
    assert Enrolment.objects.get(status="active").trigger == f"activity:{act.pk}"


def test_enter__segment_entered__enrols_and_leaving_does_not(visitor, now):
    segment = Segment.objects.create(name="Hot")
    a_scenario(now, [wait()], entry="segment", activity_kind="", segment=segment)
    assert enter([visitor.pk], [Change(segment.pk, visitor.pk, False)], now=now) == 0
    assert enter([visitor.pk], [Change(segment.pk + 1, visitor.pk, True)], now=now) == 0
    assert enter([visitor.pk], [Change(segment.pk, visitor.pk, True)], now=now) == 1


def merge(loser, winner, now):
    """What a merge does to the tables of this domain."""
    give_way(loser.pk, winner.pk, now)
    Enrolment.objects.filter(visitor=loser).update(visitor=winner)
    loser.activities.update(visitor=winner)
    loser.merged_into = winner
    loser.save()


def test_merge__activity_that_enrolled_before__does_not_enrol_again(visitor, browser, now):
    a_scenario(now, [wait()], again="each_time")
    an_activity(browser, now)
    enter([visitor.pk], [], now=now)
    leave(Enrolment.objects.get(), now)
    named = a_visitor(now)
    merge(visitor, named, now)
    assert enter([visitor.pk, named.pk], [], now=now) == 0


def test_undo__activity_goes_to_another_visitor__does_not_enrol_again(visitor, browser, now):
    a_scenario(now, [wait()], again="each_time")
    an_activity(browser, now)
    enter([visitor.pk], [], now=now)
    other = a_visitor(now)
    visitor.activities.update(visitor=other)
    assert enter([visitor.pk, other.pk], [], now=now) == 0


def test_merge__both_inside__the_loser_leaves_and_the_winner_stays_at_the_step(visitor, browser, now):
    a_scenario(now, [wait()])
    named = a_visitor(now)
    an_activity(browser, now)
    an_activity(a_browser(named, now), now)
    assert enter([visitor.pk, named.pk], [], now=now) == 2
    merge(visitor, named, now)
    active = Enrolment.objects.get(status="active")
    assert (active.visitor, active.born_visitor) == (named, named)
    assert Enrolment.objects.get(status="exited").left_reason == "merged"


def test_merge__only_the_anonymous_inside__goes_on_under_the_name(visitor, browser, now):
    a_scenario(now, [wait()])
    an_activity(browser, now)
    enter([visitor.pk], [], now=now)
    named = a_visitor(now)
    merge(visitor, named, now)
    enrolment = Enrolment.objects.get()
    assert (enrolment.visitor, enrolment.born_visitor, enrolment.status) == (named, visitor, "active")


def test_enter__no_scenario__costs_one_statement(visitor, now, django_assert_num_queries):
    assert not Scenario.objects.exists()
    with django_assert_num_queries(1):
        enter([visitor.pk], [], now=now)
