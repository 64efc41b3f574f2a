"""Ready-made scenarios: each runs on two paths, with mails that really leave."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.urls import reverse
from django.utils.translation import override

from tests.scenarios.stories import a_lead, a_mail, an_enrolment
from tests.scoring.history import a_visitor
from wagtail_ma.messaging.models import Delivery, Mail, SenderProfile
from wagtail_ma.sales.models_of_tasks import Task
from wagtail_ma.scenarios import runner, starters
from wagtail_ma.scenarios.models import Enrolment, Scenario, StepRun
from wagtail_ma.scenarios.publish import problems
from wagtail_ma.segments.models import Membership, Segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

DAY = timedelta(days=1)
KEYS = [starter.key for starter in starters.STARTERS]


@pytest.fixture
def sender():
    a_mail().delete()
    return SenderProfile.objects.get()


def published(key, now, language="en"):
    scenario = starters.make(starters.find(key), language=language)
    assert not scenario.live
    for each in Mail.objects.filter(live=False):
        each.save_revision().publish()
    assert problems(scenario) == []
    scenario.get_latest_revision().publish()
    scenario.refresh_from_db()
    return scenario


def run_to_the_end(enrolment, now):
    """With a moved clock, half a year."""
    moment = now
    for _number in range(60):
        runner.run_due(now=moment)
        enrolment.refresh_from_db()
        if enrolment.status != "active":
            break
        moment = max(moment, enrolment.due_at)
    assert enrolment.status == "finished", (enrolment.status, enrolment.error)


def test_starters__ten__each_key_once():
    assert len(KEYS) == len(set(KEYS)) == 10


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("key", KEYS)
def test_make__either_language__can_be_published_once_the_mails_are(key, language, now, sender):
    scenario = published(key, now, language)
    with override(language):
        assert scenario.name == str(starters.find(key).name)
    if language == "ja":
        assert any(ord(letter) > 0x3000 for letter in scenario.name)
    assert (scenario.goal is not None) == starters.find(key).ends_with_form


@pytest.mark.parametrize("key", KEYS)
def test_story__named_and_in_all_its_segments__mails_are_planned_and_it_ends(key, now, sender):
    scenario = published(key, now)
    lead = a_lead(now)
    for segment in Segment.objects.exclude(pk=scenario.exit_segment_id):
        Membership.objects.get_or_create(
            segment=segment, visitor=lead.visitor, defaults={"entered_at": now - DAY}
        )
    run_to_the_end(an_enrolment(scenario, lead.visitor, now), now)
    sent = StepRun.objects.filter(kind="send_mail", outcome="queued").count()
    assert Delivery.objects.count() == sent
    assert sent or not Mail.objects.exists() or key in ("lost",)
    if key in ("pricing", "hot"):
        assert Task.objects.filter(visitor=lead.visitor).exists()


@pytest.mark.parametrize("key", KEYS)
def test_story__anonymous_and_in_none__no_mail_no_failure_and_it_ends(key, now, sender):
    scenario = published(key, now)
    run_to_the_end(an_enrolment(scenario, a_visitor(now), now), now)
    assert not Delivery.objects.exists()
    assert not Enrolment.objects.filter(status="failed").exists()


def test_starters_page__chosen__draft_made_and_opened(admin_client, sender):
    url = reverse("wagtail_ma_scenarios:starters")
    assert "Whitepaper follow-up" in admin_client.get(url).content.decode()
    response = admin_client.post(url, {"from": "whitepaper", "language": "en"})
    scenario = Scenario.objects.get()
    assert response.url == reverse("wagtail_ma_scenarios:edit", args=[scenario.pk])
    assert admin_client.get(response.url).status_code == 200
    assert Mail.objects.filter(live=False).count() == 3
    assert not outbox.outbox


def test_starters_page__unknown_or_without_sender__nothing_or_no_mails(admin_client):
    url = reverse("wagtail_ma_scenarios:starters")
    admin_client.post(url, {"from": "nothing", "language": "en"})
    admin_client.post(url, {"from": "whitepaper", "language": "xx"})
    assert not Scenario.objects.exists()
    admin_client.post(url, {"from": "whitepaper", "language": "en"})
    assert Scenario.objects.exists()
    assert not Mail.objects.exists()


def test_make__twice__segments_and_goal_are_used_again(sender):
    for _number in range(2):
        starters.make(starters.find("hot"), language="en")
    assert Scenario.objects.count() == 2
    assert Segment.objects.count() == 2
