"""Splits, jumps, other scenarios; goals, exits, groups."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios.stories import a_draft, a_lead, a_mail, a_scenario, an_enrolment, end, send, step, wait
from tests.scoring.history import a_browser, a_visitor, an_activity
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.sales.models_of_tasks import Task
from wagtail_ma.scenarios import entry, runner
from wagtail_ma.scenarios.holdout import share_of
from wagtail_ma.scenarios.models import Enrolment, StepRun
from wagtail_ma.scenarios.publish import problems
from wagtail_ma.scenarios.queries import GOAL, Choice, numbers, people
from wagtail_ma.segments.causes import Change
from wagtail_ma.segments.models import Membership, Segment, SegmentDecision

DAY = timedelta(days=1)


@given(bucket=st.integers(0, 9999), step_id=st.text(max_size=40))
def test_share_of__anything__in_range_and_the_same_again(bucket, step_id):
    assert 0 <= share_of(bucket, step_id) < 100
    assert share_of(bucket, step_id) == share_of(bucket, step_id)


def test_share_of__all_buckets__even_and_independent_between_steps():
    first = {bucket for bucket in range(10_000) if share_of(bucket, "one") < 30}
    second = {bucket for bucket in range(10_000) if share_of(bucket, "two") < 30}
    assert 2_800 < len(first) < 3_200
    assert 750 < len(first & second) < 1_050


@pytest.mark.django_db
@pytest.mark.usefixtures("site")
class TestFlow:
    def test_split__published__each_the_way_of_their_bucket(self, now):
        value = {"percent": 50, "a": [wait(key="wa")], "b": [wait(key="wb")]}
        scenario = a_scenario(now, [step("split", value, key="split")])
        enrolments = [an_enrolment(scenario, a_visitor(now), now) for _number in range(20)]
        runner.run_due(now=now)
        for enrolment in enrolments:
            enrolment.refresh_from_db()
            is_a = share_of(enrolment.visitor.bucket, "split") < 50
            assert enrolment.step_id == ("wa" if is_a else "wb")

    def test_go_to__loop_with_a_wait__each_round_its_own_runs(self, now):
        steps = [
            step("place", {"name": "again"}, key="place"),
            wait(),
            step("go_to", {"place": "again"}, key="go"),
        ]
        enrolment = an_enrolment(a_scenario(now, steps), a_visitor(now), now)
        for day in range(4):
            runner.run_due(now=now + day * DAY)
        enrolment.refresh_from_db()
        assert (enrolment.status, enrolment.step_id, enrolment.round) == ("active", "wait", 4)
        assert StepRun.objects.filter(step_id="go").count() == 3

    def test_problems__loop_without_a_wait__not_published(self, now):
        steps = [step("place", {"name": "x"}, key="place"), step("go_to", {"place": "x"}, key="go")]
        assert any("without waiting" in problem for problem in problems(a_draft(steps)))

    def test_problems__wait_in_one_branch_only__not_published(self, now):
        segment = Segment.objects.create(name="Hot")
        branch = step("branch", {"segment": segment.pk, "yes": [wait()], "no": []}, key="ask")
        steps = [
            step("place", {"name": "x"}, key="place"),
            branch,
            step("go_to", {"place": "x"}, key="go"),
        ]
        assert any("without waiting" in problem for problem in problems(a_draft(steps)))

    def test_problems__place_missing_or_twice__not_published(self, now):
        nowhere = a_draft([wait(), step("go_to", {"place": "gone"}, key="go")])
        assert any("gone" in problem for problem in problems(nowhere))
        twice = a_draft([step("place", {"name": "x"}, key=key) for key in ("p1", "p2")])
        assert any("“x”" in problem for problem in problems(twice))

    def test_start_scenario__then_stop__in_and_out_again(self, now):
        other = a_scenario(now, [wait(amount=9, key="other")], name="Other", entry="hand", activity_kind="")
        steps = [
            step("start_scenario", {"scenario": other.pk}, key="start"),
            wait(),
            step("stop_scenario", {"scenario": other.pk}, key="stop"),
        ]
        enrolment = an_enrolment(a_scenario(now, steps), a_visitor(now), now)
        runner.run_due(now=now)
        inside = Enrolment.objects.get(scenario=other)
        assert (inside.visitor_id, inside.status) == (enrolment.visitor_id, "active")
        runner.run_due(now=now + DAY)
        inside.refresh_from_db()
        assert (inside.status, inside.left_reason) == ("exited", "other_scenario")
        assert StepRun.objects.get(step_id="stop").outcome == "stopped"

    def test_goal__reached_inside__leaves_as_success_before_the_mail(self, now):
        goal = Goal.objects.create(name="Enquiry", activity_kind="form_submit")
        scenario = a_scenario(now, [wait(), send(a_mail())], goal=goal)
        lead = a_lead(now)
        browser = lead.visitor.identities.get(kind="browser")
        an_activity(browser, now - DAY, kind="form_submit")
        enrolment = an_enrolment(scenario, lead.visitor, now)
        runner.run_due(now=now)
        enrolment.refresh_from_db()
        assert enrolment.status == "active"
        at = now + timedelta(hours=2)
        an_activity(browser, at, kind="form_submit")
        assert runner.wake([lead.visitor_id], now=at) == 1
        runner.run_due(now=at)
        enrolment.refresh_from_db()
        assert (enrolment.status, enrolment.left_reason, enrolment.goal_at) == ("exited", "goal", at)
        assert numbers(scenario).goal_percent == 100
        assert list(people(scenario, Choice(status=GOAL))) == [enrolment]
        assert not StepRun.objects.filter(step_id="send").exists()

    def test_wake__goal_not_reached__the_wait_ends_when_it_would_have(self, now):
        goal = Goal.objects.create(name="Enquiry", activity_kind="form_submit")
        enrolment = an_enrolment(a_scenario(now, [wait()], goal=goal), a_visitor(now), now)
        runner.run_due(now=now)
        runner.wake([enrolment.visitor_id], now=now + DAY / 2)
        runner.run_due(now=now + DAY / 2)
        enrolment.refresh_from_db()
        assert (enrolment.status, enrolment.due_at) == ("active", now + DAY)

    def test_exit_segment__member__leaves_before_the_next_step(self, now):
        customers = Segment.objects.create(name="Customers")
        enrolment = an_enrolment(
            a_scenario(now, [wait(), send(a_mail())], exit_segment=customers), a_lead(now).visitor, now
        )
        runner.run_due(now=now)
        Membership.objects.create(segment=customers, visitor=enrolment.visitor, entered_at=now)
        runner.run_due(now=now + DAY)
        enrolment.refresh_from_db()
        assert (enrolment.status, enrolment.left_reason) == ("exited", "exit_segment")

    def test_enter__again_after_days__not_before(self, now):
        scenario = a_scenario(now, [end()], again="after_days", again_days=10)
        visitor = a_visitor(now)
        browser = a_browser(visitor, now)
        an_enrolment(scenario, visitor, now, status="finished", left_at=now)
        an_activity(browser, now + 9 * DAY)
        assert entry.enter([visitor.pk], [], now=now + 9 * DAY) == 0
        an_activity(browser, now + 10 * DAY)
        assert entry.enter([visitor.pk], [], now=now + 10 * DAY) == 1

    def test_enter__somebody_leaves_a_segment__starts(self, now):
        segment = Segment.objects.create(name="Active")
        a_scenario(now, [wait()], entry="left", segment=segment, activity_kind="")
        visitor = a_visitor(now)
        assert entry.enter([visitor.pk], [Change(segment.pk, visitor.pk, True)], now=now) == 0
        assert entry.enter([visitor.pk], [Change(segment.pk, visitor.pk, False)], now=now) == 1

    def test_enter__fifty_scenarios_of_a_group__the_highest_priority_alone(self, now):
        scenarios = [
            a_scenario(now, [wait()], name=f"S{number}", group="mail", priority=number % 50)
            for number in range(50)
        ]
        visitor = a_visitor(now)
        an_activity(a_browser(visitor, now), now)
        entry.enter([visitor.pk], [], now=now)
        inside = Enrolment.objects.get(status="active")
        assert inside.scenario == scenarios[-1]

    def test_enter__higher_priority__takes_over_and_lower_does_not(self, now):
        low = a_scenario(now, [wait()], name="Low", group="g", priority=1, entry="hand", activity_kind="")
        high = a_scenario(now, [wait()], name="High", group="g", priority=2, entry="hand", activity_kind="")
        visitor = a_visitor(now)
        assert entry.put_in(low, [visitor.pk], reason="test:1", now=now) == 1
        assert entry.put_in(high, [visitor.pk], reason="test:2", now=now) == 1
        assert Enrolment.objects.get(scenario=low).left_reason == "gave_way"
        again = a_scenario(now, [wait()], name="Third", group="g", priority=2, entry="hand", activity_kind="")
        assert entry.put_in(again, [visitor.pk], reason="test:3", now=now) == 0


@pytest.mark.django_db
@pytest.mark.usefixtures("site")
class TestPeople:
    def test_task__executed__due_on_the_next_business_day_for_the_person_in_charge(self, now, admin_user):
        lead = a_lead(now)
        type(lead).objects.update(owner=admin_user)
        steps = [step("task", {"text": "Call", "days": 1, "user": None}, key="task")]
        an_enrolment(a_scenario(now, steps), lead.visitor, now)
        runner.run_due(now=now)
        task = Task.objects.get()
        assert (task.text, task.assignee, task.visitor_id) == ("Call", admin_user, lead.visitor_id)
        assert now < task.due_at <= now + 12 * DAY

    def test_set_owner__nobody_in_charge__set_and_kept_the_second_time(self, now, admin_user):
        lead = a_lead(now)
        scenario = a_scenario(now, [step("set_owner", {"user": admin_user.pk}, key="owner")])
        an_enrolment(scenario, lead.visitor, now)
        runner.run_due(now=now)
        lead.refresh_from_db()
        assert lead.owner == admin_user
        an_enrolment(scenario, lead.visitor, now)
        an_enrolment(scenario, a_visitor(now), now)
        runner.run_due(now=now)
        assert sorted(StepRun.objects.values_list("outcome", flat=True)) == ["anonymous", "done", "kept"]

    def test_set_owner__then_a_task__is_theirs(self, now, admin_user):
        lead = a_lead(now)
        owner = step("set_owner", {"user": admin_user.pk}, key="owner")
        task = step("task", {"text": "Call", "days": 1, "user": None}, key="task")
        an_enrolment(a_scenario(now, [owner, task]), lead.visitor, now)
        runner.run_due(now=now)
        assert Task.objects.get().assignee == admin_user

    def test_set_segment__in__decided_as_by_hand(self, now):
        segment = Segment.objects.create(name="Nurtured", is_static=True)
        steps = [step("set_segment", {"segment": segment.pk, "way": "in"}, key="into")]
        enrolment = an_enrolment(a_scenario(now, steps), a_visitor(now), now)
        runner.run_due(now=now)
        decision = SegmentDecision.objects.get()
        assert (decision.visitor_id, decision.is_member) == (enrolment.visitor_id, True)
