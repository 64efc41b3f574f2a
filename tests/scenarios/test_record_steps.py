"""Points, values of the lead, the goal as an end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from tests.scenarios.stories import a_draft, a_lead, a_scenario, an_enrolment, end, step, wait
from tests.scoring.history import a_visitor
from wagtail_ma import flow
from wagtail_ma.people.models import Lead, LeadField
from wagtail_ma.scenarios import runner
from wagtail_ma.scenarios.models import StepRun
from wagtail_ma.scenarios.publish import problems
from wagtail_ma.scenarios.queries import numbers
from wagtail_ma.scoring import queries as scores
from wagtail_ma.scoring import rescore, what_if
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.scoring.models_of_given import GivenPoints

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

DAY = timedelta(days=1)


def points(value=10, reason="Was at our stand", *, key="points"):
    return step("add_points", {"points": value, "reason": reason}, key=key)


def test_points__given_once__stand_in_the_breakdown_and_fade(now):
    lead = a_lead(now)
    an_enrolment(a_scenario(now, [points(), wait()]), lead.visitor, now)
    runner.run_due(now=now)
    flow.react(now=now)
    found = scores.breakdown(lead.visitor_id, now=now)
    assert [(share.rule.name, share.points) for share in found.shares] == [("Was at our stand", 10.0)]
    standing = scores.standing_of(lead.visitor_id)
    assert scores.current_score(standing, now=now) == pytest.approx(10)
    assert scores.current_score(standing, now=now + 30 * DAY) == pytest.approx(5)
    flow.react(now=now)
    assert scores.breakdown(lead.visitor_id, now=now).total == pytest.approx(10)


def test_points__the_step_is_executed_again_after_a_crash__are_given_once(now):
    lead = a_lead(now)
    enrolment = an_enrolment(a_scenario(now, [points(), wait()]), lead.visitor, now)
    runner.run_due(now=now)
    StepRun.objects.all().delete()
    type(enrolment).objects.update(step_id="points", due_at=now)
    runner.run_due(now=now)
    assert GivenPoints.objects.count() == 1


def test_points__everything_scored_again__they_stay(now):
    lead = a_lead(now)
    an_enrolment(a_scenario(now, [points(-4), end()]), lead.visitor, now)
    runner.run_due(now=now)
    flow.react(now=now)
    rescore.rescore(now=now + DAY)
    assert scores.breakdown(lead.visitor_id, now=now).total == pytest.approx(-4)


def test_points__what_a_new_rule_would_do__does_not_take_them_away(now):
    lead = a_lead(now)
    an_enrolment(a_scenario(now, [points(), end()]), lead.visitor, now)
    runner.run_due(now=now)
    flow.react(now=now)
    rule = ScoringRule(name="x", kind="activity", activity_kind="nothing", points=1)
    assert what_if.compare(what_if.rules_with(rule), now=now, threshold=50).changed == 0


def test_points__their_rule__is_not_among_those_that_editors_see(admin_client, now):
    an_enrolment(a_scenario(now, [points(reason="By a scenario!"), end()]), a_lead(now).visitor, now)
    runner.run_due(now=now)
    listed = admin_client.get(reverse("wagtail_ma_scoring:index")).content.decode()
    assert "By a scenario!" not in listed
    form = admin_client.get(reverse("wagtail_ma_scoring:add")).content.decode()
    assert 'value="given"' not in form


@pytest.mark.parametrize(("value", "reason"), [(0, "x"), (None, "x"), (5, " ")])
def test_points__unfinished__cannot_be_published(now, value, reason):
    assert problems(a_draft([points(value, reason)]))


@pytest.fixture
def stage():
    return LeadField.objects.create(key="stage", label="Stage", kind="choice", choices="new\nwarm\nwon")


def attribute(field, value, *, key="set"):
    return step("set_attribute", {"field": field.pk, "value": value}, key=key)


def test_attribute__named__is_set_with_its_source_and_segments_hear_of_it(now, stage):
    lead = a_lead(now)
    scenario = a_scenario(now, [attribute(stage, "warm"), end()])
    an_enrolment(scenario, lead.visitor, now)
    runner.run_due(now=now)
    lead.refresh_from_db()
    assert lead.attributes == {"stage": "warm"}
    assert (
        lead.sources["attributes.stage"] | {"by": "scenario", "scenario": scenario.pk}
        == (lead.sources["attributes.stage"])
    )
    assert lead.visitor_id in flow.news.due(now=now, limit=10)


def test_attribute__empty__is_taken_away(now, stage):
    lead = a_lead(now)
    Lead.objects.update(
        attributes={"stage": "warm", "other": 1}, sources={"attributes.stage": {"by": "form"}}
    )
    an_enrolment(a_scenario(now, [attribute(stage, ""), end()]), lead.visitor, now)
    runner.run_due(now=now)
    lead.refresh_from_db()
    assert (lead.attributes, lead.sources) == ({"other": 1}, {})


def test_attribute__anonymous_or_field_gone__is_skipped(now, stage):
    scenario = a_scenario(now, [attribute(stage, "warm"), end()])
    an_enrolment(scenario, a_visitor(now), now)
    runner.run_due(now=now)
    stage.delete()
    an_enrolment(scenario, a_lead(now).visitor, now)
    runner.run_due(now=now)
    found = StepRun.objects.filter(step_id="set").order_by("pk").values_list("outcome", flat=True)
    assert list(found) == ["anonymous", "no_field"]


@pytest.mark.parametrize(
    ("kind", "value", "is_fine"),
    [
        ("choice", "warm", True),
        ("choice", "cold", False),
        ("number", "12", True),
        ("number", "a dozen", False),
        ("date", "2026-04-01", True),
        ("date", "soon", False),
        ("date", "", True),
    ],
)
def test_attribute__value_of_another_kind__cannot_be_published(now, stage, kind, value, is_fine):
    LeadField.objects.update(kind=kind)
    assert (problems(a_draft([attribute(stage, value)])) == []) is is_fine


def test_goal__as_the_end__counts_as_reached(now):
    scenario = a_scenario(now, [step("end_goal", key="goal")])
    enrolment = an_enrolment(scenario, a_visitor(now), now)
    runner.run_due(now=now)
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.goal_at) == ("finished", now)
    assert StepRun.objects.get().outcome == "goal"
    assert numbers(scenario).goal_percent == 100


def test_goal__steps_below__are_never_reached():
    assert "Steps below an “End” are never reached; remove them." in problems(
        a_draft([step("end_goal", key="goal"), wait()])
    )
