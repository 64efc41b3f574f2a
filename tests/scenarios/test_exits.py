"""Leaving before the end: by what happened, and by a score that leaves the band."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.stories import a_draft, a_lead, a_scenario, an_enrolment, end, wait
from tests.scoring.history import a_visitor, an_activity
from wagtail_ma import flow
from wagtail_ma.messaging import consents
from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.scenarios import band, runner
from wagtail_ma.scenarios.models import Enrolment, Scenario, StepRun
from wagtail_ma.scenarios.publish import problems
from wagtail_ma.scoring import given

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def happens(what, lead, at):
    browser = lead.visitor.identities.filter(kind="browser").first()
    if what == "unsubscribed":
        source = {"source_kind": "mail", "source_key": "9"}
        consents.record(lead.visitor, email=lead.email, is_granted=False, text="", **source, now=at)
    elif what == "enquiry":
        an_activity(browser, at, kind="form_submit")
    elif what == "customer":
        type(lead.visitor).objects.filter(pk=lead.visitor_id).update(is_customer=True)
    else:
        definition = HotDefinition.objects.create(name="Hot", kind="score", list="hot")
        HotEntry.objects.create(
            definition=definition,
            visitor=lead.visitor,
            born_visitor=lead.visitor,
            opened_at=at,
            evidence_at=at,
            expires_at=at + 30 * DAY,
            closed_at=at,
            ended=what,
        )


@pytest.mark.parametrize("what", ["unsubscribed", "enquiry", "customer", "sales"])
@pytest.mark.parametrize("is_asked", [True, False])
def test_exit__happened_during_the_wait__leaves_before_the_next_step(now, what, is_asked):
    lead = a_lead(now)
    scenario = a_scenario(now, [wait(), end()], exits=[what] if is_asked else [])
    enrolment = an_enrolment(scenario, lead.visitor, now)
    runner.run_due(now=now)
    happens("handled" if what == "sales" else what, lead, now + HOUR)
    runner.run_due(now=now + DAY)
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.left_reason) == (
        ("exited", what) if is_asked else ("finished", "completed")
    )
    assert enrolment.left_because or not is_asked


@pytest.mark.parametrize("what", ["unsubscribed", "enquiry", "sales"])
def test_exit__happened_before_they_entered__does_not_count(now, what):
    lead = a_lead(now - 3 * DAY)
    happens("handled" if what == "sales" else what, lead, now - DAY)
    enrolment = an_enrolment(a_scenario(now, [end()], exits=[what]), lead.visitor, now)
    runner.run_due(now=now)
    enrolment.refresh_from_db()
    assert enrolment.status == "finished"


def test_exit__only_cooled_or_agreed_again__stays(now):
    lead = a_lead(now)
    scenario = a_scenario(now, [wait(), end()], exits=["sales", "unsubscribed"])
    enrolment = an_enrolment(scenario, lead.visitor, now)
    runner.run_due(now=now)
    happens("cooled", lead, now + HOUR)
    happens("unsubscribed", lead, now + HOUR)
    source = {"source_kind": "form", "source_key": "10"}
    consents.record(lead.visitor, email=lead.email, is_granted=True, text="Yes", **source, now=now + 2 * HOUR)
    runner.run_due(now=now + DAY)
    enrolment.refresh_from_db()
    assert enrolment.status == "finished"


def test_exit__news_during_a_long_wait__leaves_at_once(now):
    lead = a_lead(now)
    enrolment = an_enrolment(a_scenario(now, [wait(30), end()], exits=["enquiry"]), lead.visitor, now)
    runner.run_due(now=now)
    happens("enquiry", lead, now + HOUR)
    assert runner.wake([lead.visitor_id], now=now + HOUR) == 1
    runner.run_due(now=now + HOUR)
    enrolment.refresh_from_db()
    assert enrolment.left_reason == "enquiry"


def scored(visitor, points, at):
    given.give(visitor.pk, points=points, reason="test", source_key=f"{visitor.pk}:{at}:{points}", now=at)
    flow.react(now=at)


@pytest.mark.parametrize(
    ("score", "was_outside", "is_out"),
    [(50, False, False), (36, False, False), (34.9, False, True), (39, True, True), (40, True, False)]
    + [(64, False, False), (65.1, False, True), (61, True, True), (60, True, False)],
)
def test_is_outside__near_the_edge__moves_nobody_to_and_fro(score, was_outside, is_out):
    scenario = Scenario(band_from=40, band_to=60, band_margin=5)
    assert band.is_outside(scenario, score, "C", was_outside=was_outside) is is_out


def test_is_outside__grade__no_margin():
    scenario = Scenario(band_grades=["A", "B"])
    assert band.is_outside(scenario, 50, "C", was_outside=False)
    assert not band.is_outside(scenario, 50, "B", was_outside=True)


def test_band__gets_hot_during_the_wait__goes_into_the_other_scenario_and_it_is_logged(now):
    hot = a_scenario(now, [wait(key="hot")], name="Hot", entry="hand", activity_kind="", group="nurture")
    visitor = a_lead(now).visitor
    cool = a_scenario(now, [wait(30), end()], band_to=50, band_scenario=hot, group="nurture")
    enrolment = an_enrolment(cool, visitor, now)
    runner.run_due(now=now)
    scored(visitor, 52, now + HOUR)
    runner.run_due(now=now + HOUR)
    enrolment.refresh_from_db()
    assert enrolment.status == "active"
    scored(visitor, 10, now + 2 * HOUR)
    runner.run_due(now=now + 2 * HOUR)
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.left_reason) == ("exited", "band")
    assert Enrolment.objects.get(scenario=hot, visitor=visitor).status == "active"
    assert StepRun.objects.get(enrolment=enrolment).outcome == band.LEFT_BAND


def test_band__cools_while_nothing_happens__goes_on_at_the_place(now):
    visitor = a_lead(now).visitor
    scored(visitor, 60, now)
    scenario = a_scenario(now, [wait(90)], band_from=40, band_margin=5)
    version = scenario.versions.get()
    version.definition = [
        *version.definition,
        {"id": "cold", "kind": "place", "params": {"name": "cold"}},
        {"id": "later", "kind": "wait", "params": {"amount": 5, "unit": "days"}},
    ]
    version.save()
    Scenario.objects.update(band_place="cold")
    enrolment = an_enrolment(scenario, visitor, now)
    runner.run_due(now=now)
    # 60 points are worth 40 after 17.5 days, and 35 after 23.3 days.
    for day, is_moved in ((17, False), (20, False), (24, True)):
        flow.run_due(now=now + day * DAY)
        enrolment.refresh_from_db()
        assert (enrolment.step_id == "later") is is_moved, day
    assert enrolment.round == 2
    assert list(StepRun.objects.order_by("pk").values_list("step_id", "outcome")) == [
        ("wait", "left_band"),
        ("cold", "passed"),
    ]
    # Moved once, not again and again.
    flow.run_due(now=now + 30 * DAY)
    enrolment.refresh_from_db()
    assert enrolment.status == "finished"
    assert StepRun.objects.filter(outcome="left_band").count() == 1


def test_band__no_way_on__leaves(now):
    visitor = a_visitor(now)
    enrolment = an_enrolment(a_scenario(now, [wait()], band_from=40), visitor, now)
    runner.run_due(now=now)
    enrolment.refresh_from_db()
    assert enrolment.left_because == "score or fit left the band of the scenario"


def test_wake_cooled__inside_or_looked_at_a_moment_ago__wakes_nobody(now):
    visitor = a_lead(now).visitor
    scored(visitor, 60, now)
    an_enrolment(a_scenario(now, [wait(90)], band_from=40), visitor, now)
    runner.run_due(now=now)
    assert band.wake_cooled(now=now + DAY) == 0
    later = now + 40 * DAY
    Scenario.objects.update(band_swept_at=later - timedelta(minutes=9))
    assert band.wake_cooled(now=later) == 0
    assert band.wake_cooled(now=later + timedelta(minutes=1)) == 1


@pytest.mark.parametrize(
    "fields", [{"band_from": 60, "band_to": 40}, {"band_from": 1, "band_place": "nowhere"}]
)
def test_band__nobody_can_be_in_it_or_no_such_place__cannot_be_published(fields):
    assert problems(a_draft([wait()], **fields))
