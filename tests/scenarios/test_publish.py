"""From draft to version."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from wagtail.models import Revision

from tests.scenarios.stories import a_draft, a_mail, a_scenario, an_enrolment, end, send, step, wait
from tests.scoring.history import a_visitor
from wagtail_ma.scenarios import switch
from wagtail_ma.scenarios.models import Scenario, ScenarioVersion
from wagtail_ma.scenarios.publish import NotReady, problems, publish, tree_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]


def test_publish__revision__makes_a_version_with_ids_instead_of_objects(now):
    mail = a_mail()
    scenario = a_scenario(now, [wait(), send(mail)])
    version = scenario.versions.get()
    assert version.number == 1
    assert scenario.active_since == now
    assert version.definition == [
        {"id": "wait", "kind": "wait", "params": {"amount": 1, "unit": "days"}},
        {
            "id": "send",
            "kind": "send_mail",
            "params": {
                "mail_id": mail.pk,
                "name": "Follow-up",
                "otherwise": "wait",
                "patience_days": 0,
                "segment_id": None,
                "proof": "displayed",
            },
        },
    ]


def test_publish__same_steps_again__keeps_the_version(now):
    scenario = a_scenario(now, [wait()])
    scenario.save_revision().publish()
    assert scenario.versions.count() == 1


def test_publish__changed_steps__those_inside_keep_their_version(now):
    scenario = a_scenario(now, [wait()])
    enrolment = an_enrolment(scenario, a_visitor(now), now)
    scenario.steps = a_draft([wait(2)]).steps
    scenario.save_revision().publish()
    assert [version.number for version in scenario.versions.order_by("number")] == [1, 2]
    enrolment.refresh_from_db()
    assert enrolment.version.number == 1


def test_publish__old_revision__does_not_bring_back_a_pause(now):
    scenario = a_scenario(now, [wait()])
    revision = scenario.save_revision()
    switch.pause(scenario)
    revision.publish()
    scenario.refresh_from_db()
    assert scenario.is_paused
    assert scenario.active_since == now


def test_publish__same_way_in__still_active_since_the_first_time(now):
    scenario = a_scenario(now, [wait()])
    scenario.name = "Renamed"
    scenario.save_revision().publish()
    scenario.refresh_from_db()
    assert scenario.active_since == now


def test_publish__after_a_time_offline__what_happened_then_lets_nobody_in(now):
    scenario = a_scenario(now, [wait()])
    scenario.unpublish()
    scenario.save_revision().publish()
    scenario.refresh_from_db()
    assert scenario.active_since == scenario.last_published_at > now


def test_publish__another_way_in__what_happened_before_lets_nobody_in(now):
    scenario = a_scenario(now, [wait()])
    scenario.activity_kind = "form_submit"
    scenario.save_revision().publish()
    scenario.refresh_from_db()
    assert scenario.active_since == scenario.last_published_at > now


def test_publish_scheduled__scenario_that_cannot_run__pages_behind_it_are_published(home):
    past, earlier = timezone.now() - timedelta(minutes=1), timezone.now() - timedelta(minutes=2)
    scenario = a_draft([wait()], activity_kind="")
    broken = scenario.save_revision()
    Revision.objects.filter(pk=broken.pk).update(approved_go_live_at=earlier)
    home.unpublish()
    waiting = home.save_revision()
    Revision.objects.filter(pk=waiting.pk).update(approved_go_live_at=past)
    call_command("publish_scheduled")
    home.refresh_from_db()
    scenario.refresh_from_db()
    broken.refresh_from_db()
    assert (home.live, scenario.live, broken.approved_go_live_at) == (True, False, None)


def test_clicked__takes_the_nearest_mail_above_it(now):
    first, second = a_mail(), a_mail(name="Second")
    inner = step("clicked", {"amount": 1, "unit": "days", "yes": [], "no": []}, key="inner")
    outer = step(
        "clicked",
        {"amount": 1, "unit": "days", "yes": [send(second, key="s2"), inner], "no": []},
        key="outer",
    )
    tree = tree_of(a_draft([send(first, key="s1"), outer]))
    assert tree[1]["params"]["send_step"] == "s1"
    assert tree[1]["branches"]["yes"][1]["params"]["send_step"] == "s2"


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [step("send_mail", {"mail": None}, key="a")],
        [step("branch", {"segment": None, "yes": [], "no": []}, key="a")],
        [step("clicked", {"amount": 1, "unit": "days", "yes": [], "no": []}, key="a")],
        [end(), wait()],
        [
            step("clicked", {"amount": 1, "unit": "days", "yes": [end()], "no": [end(key="e2")]}, key="a"),
            wait(),
        ],
        [step("wait", {"amount": None, "unit": "days"}, key="a")],
    ],
)
def test_problems__scenario_that_cannot_run__are_named_and_stop_publishing(steps):
    draft = a_draft(steps)
    assert problems(draft)
    with pytest.raises(NotReady):
        draft.save_revision().publish()
    assert not ScenarioVersion.objects.exists()
    assert not Scenario.objects.get().live


@pytest.mark.parametrize("fields", [{"live": False}, {"subject": ""}])
def test_problems__mail_not_ready__is_named(fields):
    assert problems(a_draft([send(a_mail(**fields))]))


def test_problems__entry_not_said__is_named():
    assert problems(a_draft([wait()], activity_kind=""))
    assert problems(a_draft([wait()], entry="segment"))


def test_publish__draft_not_live__still_checks(now):
    with pytest.raises(NotReady):
        publish(a_draft([]), now=now)


def test_delete__scenario_with_people_inside__goes_with_all(now):
    scenario = a_scenario(now, [wait()])
    an_enrolment(scenario, a_visitor(now), now)
    scenario.delete()
    assert not ScenarioVersion.objects.exists()
