"""Mails to staff."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core import mail as outbox

from tests.scenarios.stories import a_draft, a_lead, a_mail, a_scenario, an_enrolment, end, step
from tests.scoring.history import a_visitor
from wagtail_ma.messaging import sending
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import Lead
from wagtail_ma.scenarios import runner
from wagtail_ma.scenarios.models import StepRun
from wagtail_ma.scenarios.publish import problems

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]


def tell(*, owner=True, addresses="", text="Look at them"):
    return step("notify_staff", {"text": text, "owner": owner, "addresses": addresses}, key="tell")


def outcome():
    return StepRun.objects.get(step_id="tell").outcome


def test_notify__person_in_charge_and_an_address__both_are_told_once(now):
    a_mail()
    lead = a_lead(now)
    lead.family_name = "<b>Sato</b>"
    lead.owner = User.objects.create_user("ken", email="ken@example.com")
    lead.save()
    scenario = a_scenario(now, [tell(addresses="sales@example.com, ken@example.com"), end()], name="Hot ones")
    an_enrolment(scenario, lead.visitor, now)
    runner.run_due(now=now)
    assert outcome() == "told"
    sending.drain(now=now, limit=10)
    sending.drain(now=now, limit=10)
    sent = {message.to[0]: message for message in outbox.outbox}
    assert len(outbox.outbox) == 2
    assert set(sent) == {"ken@example.com", "sales@example.com"}
    message = sent["sales@example.com"]
    assert message.subject == "Look at them"
    assert "Hot ones" in message.body
    assert f"/visitors/{lead.visitor_id}/" in message.body
    html = message.alternatives[0][0]
    assert "<b>Sato" not in html
    assert "&lt;b&gt;Sato" in html
    # It is about them, not to them.
    assert not Delivery.objects.filter(visitor=lead.visitor).exists()


def test_notify__anonymous_person__is_told_too(now):
    an_enrolment(a_scenario(now, [tell(addresses="sales@example.com"), end()]), a_visitor(now), now)
    runner.run_due(now=now)
    sending.drain(now=now, limit=10)
    assert len(outbox.outbox) == 1
    assert "somebody not known by name" in outbox.outbox[0].body


def test_notify__lead_deleted_meanwhile__nothing_is_sent(now):
    lead = a_lead(now)
    an_enrolment(a_scenario(now, [tell(addresses="sales@example.com"), end()]), lead.visitor, now)
    runner.run_due(now=now)
    Lead.objects.all().delete()
    sending.drain(now=now, limit=10)
    assert outbox.outbox == []
    assert Delivery.objects.get().state == "cancelled"


def test_notify__nobody_in_charge__is_said(now):
    an_enrolment(a_scenario(now, [tell(), end()]), a_lead(now).visitor, now)
    runner.run_due(now=now)
    assert outcome() == "nobody"


@pytest.mark.parametrize(
    "fields",
    [
        {"owner": False},
        {"text": ""},
        {"addresses": "not an address"},
        {"addresses": "a@example.com\nBcc: b@"},
        {"addresses": ",".join(f"a{number}@example.com" for number in range(11))},
    ],
)
def test_notify__nobody_or_no_address__cannot_be_published(fields):
    assert problems(a_draft([tell(**fields)]))
