"""Moving people who are inside to the present version."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from wagtail.models import ModelLogEntry

from tests.scenarios.stories import a_draft, a_lead, a_mail, a_scenario, an_enrolment, end, send, step, wait
from tests.scoring.history import a_visitor
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.scenarios import moving, queries, runner
from wagtail_ma.scenarios.models import Enrolment, StepRun
from wagtail_ma.segments import decisions
from wagtail_ma.segments.models import Segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

DAY = timedelta(days=1)


def republish(scenario, steps):
    scenario.steps = a_draft(steps).steps
    scenario.save_revision().publish()
    scenario.refresh_from_db()
    return queries.latest_version(scenario)


def test_groups__by_step__same_block_is_chosen_and_a_lost_one_is_named(now):
    scenario = a_scenario(now, [wait(key="kept"), wait(key="gone")])
    stays, lost = (an_enrolment(scenario, a_visitor(now), now) for _number in range(2))
    Enrolment.objects.filter(pk=lost.pk).update(step_id="gone")
    latest = republish(scenario, [wait(5, key="kept"), end()])
    an_enrolment(scenario, a_visitor(now), now, version=latest)
    first, second = moving.groups(scenario, latest)
    assert (first.step_id, first.number, first.count, first.target) == ("kept", 1, 1, "kept")
    assert (second.step_id, second.target, second.title) == ("gone", "", "Wait 1 day")
    assert stays.pk


def test_move__same_step__keeps_the_time_waited_and_takes_the_new_length(now):
    scenario = a_scenario(now, [wait(1), end()])
    enrolment = an_enrolment(scenario, a_visitor(now), now)
    runner.run_due(now=now)
    latest = republish(scenario, [wait(3), end()])
    old = enrolment.version_id
    assert moving.move(scenario, latest, {(old, "wait"): "wait"}, now=now + DAY / 2) == 1
    runner.run_due(now=now + DAY / 2)
    enrolment.refresh_from_db()
    assert (enrolment.version, enrolment.step_entered_at) == (latest, now)
    assert enrolment.due_at == now + 3 * DAY


def test_move__back_to_a_step_passed_before__takes_it_once_more_in_a_new_round(now):
    lead = a_lead(now)
    mail = a_mail()
    scenario = a_scenario(now, [send(mail), wait()])
    enrolment = an_enrolment(scenario, lead.visitor, now)
    runner.run_due(now=now)
    Delivery.objects.update(state=Delivery.State.SENT, sending_at=now)
    latest = republish(scenario, [wait(2), send(mail), end()])
    moving.move(scenario, latest, {(enrolment.version_id, "wait"): "send"}, now=now + 2 * DAY)
    runner.run_due(now=now + 2 * DAY)
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.round) == ("finished", 2)
    assert Delivery.objects.count() == 2
    assert StepRun.objects.filter(step_id="send").count() == 2


def test_move__offer_that_is_gone__is_taken_down(now):
    segment = Segment.objects.create(name="Offer", is_static=True)
    offer = {"segment": segment.pk, "page": None, "proof": "displayed", "seconds": 5}
    value = {**offer, "amount": 9, "unit": "days", "yes": [], "no": []}
    scenario = a_scenario(now, [step("offer", value, key="offer"), wait()])
    enrolment = an_enrolment(scenario, a_visitor(now), now)
    runner.run_due(now=now)
    assert decisions.of([enrolment.visitor_id])[segment.pk] == {enrolment.visitor_id: "scenario"}
    latest = republish(scenario, [wait()])
    moving.move(scenario, latest, {(enrolment.version_id, "offer"): "wait"}, now=now + DAY)
    assert decisions.of([enrolment.visitor_id])[segment.pk] == {enrolment.visitor_id: ""}


def test_move__unknown_step__nothing_is_done(now):
    scenario = a_scenario(now, [wait()])
    enrolment = an_enrolment(scenario, a_visitor(now), now)
    latest = republish(scenario, [wait(2)])
    with pytest.raises(moving.NoSuchStep):
        moving.move(scenario, latest, {(enrolment.version_id, "wait"): "nowhere"}, now=now)
    enrolment.refresh_from_db()
    assert enrolment.version.number == 1


def test_move__left_or_moved_on_meanwhile__is_left_alone(now):
    scenario = a_scenario(now, [wait(), wait(key="second")])
    gone, ahead = (an_enrolment(scenario, a_visitor(now), now) for _number in range(2))
    Enrolment.objects.filter(pk=gone.pk).update(status="exited", left_at=now)
    Enrolment.objects.filter(pk=ahead.pk).update(step_id="second")
    latest = republish(scenario, [wait(2)])
    assert moving.move(scenario, latest, {(gone.version_id, "wait"): "wait"}, now=now) == 0


def test_versions_page__one_post__moves_and_is_logged(admin_client, now):
    scenario = a_scenario(now, [wait(key="kept"), wait(key="gone")])
    first, second = (an_enrolment(scenario, a_visitor(now), now) for _number in range(2))
    Enrolment.objects.filter(pk=second.pk).update(step_id="gone")
    republish(scenario, [wait(5, key="kept"), end()])
    url = reverse("wagtail_ma_scenarios:versions", args=[scenario.pk])
    page = admin_client.get(url).content.decode()
    assert "One step is gone" in page and "“Wait 1 day”" in page
    assert '<option value="kept" selected>' in page
    old = first.version_id
    admin_client.post(url, {f"to-{old}:kept": "kept", f"to-{old}:gone": "", "to-x:y": "kept", "to-": "1"})
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.version.number, second.version.number) == (2, 1)
    entry = ModelLogEntry.objects.get(action="wagtail_ma.move_people")
    assert entry.data["people"] == 1 and entry.data["steps"] == {f"{old}:kept": "kept"}


@pytest.mark.parametrize("body", [{}, {"to-1:wait": "nowhere"}, {"to-99999999999999:a": "wait"}])
def test_versions_page__nonsense__moves_nobody(admin_client, now, body):
    scenario = a_scenario(now, [wait()])
    an_enrolment(scenario, a_visitor(now), now)
    republish(scenario, [wait(2)])
    response = admin_client.post(reverse("wagtail_ma_scenarios:versions", args=[scenario.pk]), body)
    assert response.status_code == 302
    assert not Enrolment.objects.filter(version__number=2).exists()


def test_versions_page__without_the_permission_to_publish__post_is_refused(client, now):
    scenario = a_scenario(now, [wait()])
    user = User.objects.create_user("eve", password="x")
    names = ["access_admin", "view_scenario", "change_scenario"]
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    client.force_login(user)
    url = reverse("wagtail_ma_scenarios:versions", args=[scenario.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, {"to-1:wait": "wait"}).status_code in (302, 403)
    assert not ModelLogEntry.objects.filter(action="wagtail_ma.move_people").exists()
