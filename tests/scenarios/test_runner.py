"""Moving through the steps."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.stories import a_lead, a_mail, a_scenario, an_enrolment, end, send, step, wait
from tests.scoring.history import a_browser, a_visitor, an_activity
from wagtail_ma.messaging import consents
from wagtail_ma.messaging.models import Delivery, Mail
from wagtail_ma.sales.models_of_tasks import Task
from wagtail_ma.scenarios import runner, switch
from wagtail_ma.scenarios.kinds import StepKind, step_kinds
from wagtail_ma.scenarios.models import Enrolment, ScenarioVersion, StepRun
from wagtail_ma.scenarios.queries import Choice, numbers, outcomes, people, waiting
from wagtail_ma.segments.models import Membership, Segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

DAY = timedelta(days=1)


def ran() -> list[tuple[str, str]]:
    return list(StepRun.objects.order_by("pk").values_list("step_id", "outcome"))


def test_run_due__wait_then_mail__sends_after_the_wait_and_finishes(now):
    lead = a_lead(now)
    scenario = a_scenario(now, [wait(), send(a_mail()), end()])
    enrolment = an_enrolment(scenario, lead.visitor, now)
    assert runner.run_due(now=now) == 0
    enrolment.refresh_from_db()
    assert enrolment.due_at == now + DAY
    assert runner.run_due(now=now + DAY - timedelta(seconds=1)) == 0
    assert runner.run_due(now=now + DAY) == 3
    assert runner.run_due(now=now + DAY) == 0
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.left_reason) == ("finished", "completed")
    assert ran() == [("wait", "waited"), ("send", "queued"), ("end", "ended")]
    assert Delivery.objects.get().occurrence == f"enrolment:{enrolment.pk}:send:1"
    assert numbers(scenario).finished == numbers(scenario).entered == 1


def test_run_due__anonymous__mail_is_skipped_and_the_rest_goes_on(now):
    visitor = a_visitor(now)
    scenario = a_scenario(now, [send(a_mail()), wait()])
    an_enrolment(scenario, visitor, now)
    runner.run_due(now=now)
    assert ran() == [("send", "no_address")]
    assert waiting(scenario) == {"wait": 1}
    assert outcomes(scenario) == {"send": {"no_address": 1}}


def test_run_due__waiting_for_an_address__sends_once_the_person_is_named(now):
    visitor = a_visitor(now)
    patient = step("send_mail", {"mail": a_mail().pk, "patience_days": 10}, key="send")
    enrolment = an_enrolment(a_scenario(now, [patient]), visitor, now)
    runner.run_due(now=now)
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.due_at) == ("active", now + 10 * DAY)
    lead = a_lead(now)
    Enrolment.objects.update(visitor=lead.visitor)
    runner.wake([lead.visitor_id], now=now + DAY)
    runner.run_due(now=now + DAY)
    assert ran() == [("send", "queued")]


def test_run_due__address_never_given__is_skipped_when_patience_ends(now):
    patient = step("send_mail", {"mail": a_mail().pk, "patience_days": 10}, key="send")
    an_enrolment(a_scenario(now, [patient]), a_visitor(now), now)
    runner.run_due(now=now)
    runner.run_due(now=now + 10 * DAY)
    assert ran() == [("send", "no_address")]


def test_run_due__no_consent__marketing_is_skipped_and_transactional_is_sent(now):
    lead = a_lead(now, consents_to_mail=False)
    plain, asked_for = a_mail(), a_mail(kind=Mail.Kind.TRANSACTIONAL)
    an_enrolment(a_scenario(now, [send(plain), send(asked_for, key="second")]), lead.visitor, now)
    runner.run_due(now=now)
    assert ran() == [("send", "not_allowed"), ("second", "queued")]


def test_run_due__consent_taken_back_during_the_wait__is_skipped(now):
    lead = a_lead(now)
    an_enrolment(a_scenario(now, [wait(), send(a_mail())], exits=[]), lead.visitor, now)
    runner.run_due(now=now)
    consents.record(
        lead.visitor,
        email=lead.email,
        is_granted=False,
        text="",
        source_kind="mail",
        source_key="2",
        now=now + timedelta(hours=1),
    )
    runner.run_due(now=now + DAY)
    assert ran()[-1] == ("send", "not_allowed")


def test_run_due__excluded__marketing_is_skipped(now):
    lead = a_lead(now)
    an_enrolment(a_scenario(now, [send(a_mail())]), lead.visitor, now)
    type(lead.visitor).objects.update(excluded_reason="competitor")
    runner.run_due(now=now)
    assert ran() == [("send", "excluded")]


def test_run_due__branch__asks_the_segment_of_that_moment(now):
    segment = Segment.objects.create(name="Hot")
    member, other = a_visitor(now), a_visitor(now)
    Membership.objects.create(segment=segment, visitor=member, entered_at=now)
    branch = step("branch", {"segment": segment.pk, "yes": [wait(key="w1")], "no": [end()]}, key="ask")
    scenario = a_scenario(now, [branch])
    inside = an_enrolment(scenario, member, now)
    outside = an_enrolment(scenario, other, now)
    runner.run_due(now=now)
    inside.refresh_from_db()
    outside.refresh_from_db()
    assert (inside.status, inside.step_id) == ("active", "w1")
    assert outside.status == "finished"
    assert list(people(scenario, Choice(step_id="w1"))) == [inside]
    assert list(people(scenario, Choice(passed="end"))) == [outside]


@pytest.fixture
def waiting_for_a_click(now):
    lead = a_lead(now)
    mail = a_mail()
    clicked = step(
        "clicked", {"amount": 3, "unit": "days", "yes": [wait(key="thanks")], "no": [end()]}, key="clicked"
    )
    enrolment = an_enrolment(a_scenario(now, [send(mail), clicked]), lead.visitor, now)
    runner.run_due(now=now)
    enrolment.refresh_from_db()
    assert (enrolment.step_id, enrolment.is_listening, enrolment.due_at) == ("clicked", True, now + 3 * DAY)
    return enrolment, lead, mail


def click(lead, mail, at, **data):
    browser = lead.visitor.identities.get(kind="browser")
    data = {"delivery": Delivery.objects.filter(lead=lead).latest("pk").pk, **data}
    an_activity(browser, at, kind="mail_click", object_kind="mail", object_key=str(mail.pk), data=data)


def test_clicked__click_within_the_time__wakes_and_goes_the_yes_way(waiting_for_a_click, now):
    enrolment, lead, mail = waiting_for_a_click
    later = now + timedelta(hours=5)
    click(lead, mail, later)
    assert runner.wake([lead.visitor_id], now=later) == 1
    runner.run_due(now=later)
    enrolment.refresh_from_db()
    assert enrolment.step_id == "thanks"


def test_clicked__other_news__goes_on_waiting_until_the_same_deadline(waiting_for_a_click, now):
    enrolment, lead, mail = waiting_for_a_click
    later = now + timedelta(hours=5)
    click(lead, mail, later, is_machine=True)
    runner.wake([lead.visitor_id], now=later)
    runner.run_due(now=later)
    enrolment.refresh_from_db()
    assert (enrolment.step_id, enrolment.due_at) == ("clicked", now + 3 * DAY)


def test_clicked__no_click_in_time__goes_the_no_way(waiting_for_a_click, now):
    enrolment, _lead, _mail = waiting_for_a_click
    runner.run_due(now=now + 3 * DAY)
    enrolment.refresh_from_db()
    assert enrolment.status == "finished"
    assert ran()[-2:] == [("clicked", "no"), ("end", "ended")]


def test_clicked__click_on_another_mail_or_occasion__does_not_count(waiting_for_a_click, now):
    enrolment, lead, mail = waiting_for_a_click
    click(lead, a_mail(name="Other"), now + DAY)
    click(lead, mail, now + DAY, delivery=0)
    runner.wake([lead.visitor_id], now=now + DAY)
    runner.run_due(now=now + DAY)
    enrolment.refresh_from_db()
    assert enrolment.step_id == "clicked"


def test_clicked__mail_was_skipped__goes_the_no_way_at_once(now):
    clicked = step("clicked", {"amount": 3, "unit": "days", "yes": [], "no": []}, key="clicked")
    enrolment = an_enrolment(a_scenario(now, [send(a_mail()), clicked]), a_visitor(now), now)
    runner.run_due(now=now)
    enrolment.refresh_from_db()
    assert enrolment.status == "finished"
    assert ran() == [("send", "no_address"), ("clicked", "no")]


def test_wake__plain_wait__is_not_shortened(now):
    enrolment = an_enrolment(a_scenario(now, [wait()]), a_visitor(now), now)
    runner.run_due(now=now)
    assert runner.wake([enrolment.visitor_id], now=now) == 0


def test_pause__due_step__is_done_after_resuming(now):
    scenario = a_scenario(now, [wait(), end()])
    an_enrolment(scenario, a_visitor(now), now)
    runner.run_due(now=now)
    switch.pause(scenario)
    assert runner.run_due(now=now + 2 * DAY) == 0
    switch.resume(scenario, now=now + 2 * DAY)
    assert runner.run_due(now=now + 2 * DAY) == 2


def test_stop__people_inside__leave_with_the_reason(now):
    scenario = a_scenario(now, [wait()])
    enrolment = an_enrolment(scenario, a_visitor(now), now)
    assert switch.stop(scenario, now=now, reason="stopped") == 1
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.left_reason, enrolment.left_at) == ("exited", "stopped", now)
    assert runner.run_due(now=now + 2 * DAY) == 0


def test_run_due__failing_step__backs_off_fails_after_five_and_stops_nobody(now):
    mail = a_mail()
    scenario = a_scenario(now, [send(mail)])
    failing = an_enrolment(scenario, a_lead(now).visitor, now)
    fine = an_enrolment(a_scenario(now, [wait(), end()], name="Other"), a_visitor(now), now)
    Mail.objects.filter(pk=mail.pk).update(live=False)
    moment = now
    waits = []
    for attempt in range(1, runner.MAX_ATTEMPTS + 1):
        runner.run_due(now=moment)
        failing.refresh_from_db()
        assert failing.attempts == attempt
        waits.append(failing.due_at - moment)
        moment = failing.due_at
    assert tuple(waits[:-1]) == runner.BACK_OFF
    assert failing.status == "failed"
    assert "deleted or not published" in failing.error
    fine.refresh_from_db()
    assert fine.due_at == now + DAY
    assert not StepRun.objects.filter(enrolment=failing).exists()


def test_run_due__failure_cured__attempts_begin_anew(now):
    mail = a_mail()
    enrolment = an_enrolment(a_scenario(now, [send(mail), wait()]), a_lead(now).visitor, now)
    Mail.objects.filter(pk=mail.pk).update(live=False)
    runner.run_due(now=now)
    Mail.objects.filter(pk=mail.pk).update(live=True)
    runner.run_due(now=now + DAY)
    enrolment.refresh_from_db()
    assert (enrolment.attempts, enrolment.error, enrolment.step_id) == (0, "", "wait")
    assert Delivery.objects.count() == 1


def test_run_due__kind_of_a_removed_plug_in__fails_with_the_reason(now):
    class Plug(StepKind):
        key = "plug"
        label = "Plug"

        def perform(self, context):
            return "done"

    scenario = a_scenario(now, [wait(), end()])
    version = ScenarioVersion.objects.get()
    version.definition = [{"id": "p", "kind": "plug", "params": {}}]
    version.save()
    first = an_enrolment(scenario, a_visitor(now), now)
    step_kinds.register("plug", Plug())
    try:
        runner.run_due(now=now)
    finally:
        step_kinds.unregister("plug")
    first.refresh_from_db()
    assert first.status == "finished"
    second = an_enrolment(scenario, a_visitor(now), now)
    runner.run_due(now=now)
    second.refresh_from_db()
    assert "plug" in second.error


def test_run_due__limit__takes_the_longest_waiting_first(now):
    scenario = a_scenario(now, [end()])
    late = an_enrolment(scenario, a_visitor(now), now, due_at=now - DAY)
    an_enrolment(scenario, a_visitor(now), now)
    assert runner.run_due(now=now, limit=1) == 1
    late.refresh_from_db()
    assert late.status == "finished"


@pytest.mark.parametrize("change", ["not due", "finished", "paused"])
def test_advance__no_longer_to_be_taken__does_nothing(now, change):
    scenario = a_scenario(now, [end()])
    due, other = (an_enrolment(scenario, a_visitor(now), now) for _number in range(2))
    if change == "not due":
        Enrolment.objects.filter(pk=other.pk).update(due_at=now + DAY)
    elif change == "finished":
        Enrolment.objects.filter(pk=other.pk).update(status="finished", left_at=now)
    else:
        switch.pause(scenario)
    with pytest.raises(runner.LostRace):
        runner._advance([due.pk, other.pk], {}, now=now)
    assert ran() == []
    due.refresh_from_db()
    assert (due.status, due.revision) == ("active", 0)


def test_run_due__batch__statements_do_not_grow_with_people(now, django_assert_max_num_queries):
    scenario = a_scenario(now, [wait()])
    for _number in range(40):
        an_enrolment(scenario, a_visitor(now), now)
    with django_assert_max_num_queries(8):
        runner.run_due(now=now)
    assert Enrolment.objects.filter(due_at=now + DAY).count() == 40


def test_run_due__branch_mail_and_task__seven_statements_for_a_person(now, django_assert_max_num_queries):
    """The speed of scenarios is that of their statements: what all need is looked up once."""
    segment, mail = Segment.objects.create(name="Hot"), a_mail()
    branch = step("branch", {"segment": segment.pk, "yes": [], "no": [send(mail)]}, key="branch")
    task = step("task", {"text": "Call", "days": 1, "user": None}, key="task")
    scenario = a_scenario(now, [branch, task])
    for number in range(30):
        an_enrolment(scenario, a_lead(now, email=f"{number}@example.com").visitor, now)
    # (The first mail of all is compiled.)
    with django_assert_max_num_queries(30 * 7 + 30):
        runner.run_due(now=now)
    assert Delivery.objects.count() == Task.objects.count() == 30


def test_run_due__identified_during_the_wait__mail_goes_to_the_name(now):
    anonymous = a_visitor(now)
    a_browser(anonymous, now)
    enrolment = an_enrolment(a_scenario(now, [wait(), send(a_mail())]), anonymous, now)
    runner.run_due(now=now)
    lead = a_lead(now)
    Enrolment.objects.filter(pk=enrolment.pk).update(visitor=lead.visitor)
    runner.run_due(now=now + DAY)
    assert Delivery.objects.get().lead == lead
