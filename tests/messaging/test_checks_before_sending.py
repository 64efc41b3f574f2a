"""What forbids a mail to go out: each is told to its editor, and stops every way of sending it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from wagtail_ma.messaging import dispatches, queue, ready, reasons, sending
from wagtail_ma.messaging.compile import compile_mail
from wagtail_ma.messaging.models import Delivery, Dispatch, MailVersion

pytestmark = pytest.mark.django_db

# Problem: (what is wrong with the mail, a word of what its editor is told).
PROBLEMS = {
    "not published": ({"publish": False}, "not published"),
    "no subject": ({"subject": " "}, "no subject"),
    "field without a default": ({"text": "<p>Dear {{ lead.family_name }}</p>"}, "no default"),
    "no field": ({"text": "<p>{{ lead.shoe_size }}</p>"}, "no merge field"),
    "link to nowhere": (
        {"body": [{"type": "button", "value": {"label": "Go", "page": None, "url": ""}}]},
        "leads nowhere",
    ),
    "dangerous link": (
        {"body": [{"type": "button", "value": {"label": "Go", "page": None, "url": "javascript:x()"}}]},
        "leads nowhere",
    ),
    "longer than 102 kB": ({"text": f"<p>{'long ' * 25_000}</p>"}, "too long"),
    "no plain text": ({"body": [{"type": "divider", "value": None}]}, "plain text would be empty"),
}
LAW = ("name", "legal_name", "postal_address", "contact")


def make(kind: str, problem: str):
    if problem in LAW:
        return factories.make_mail(kind=kind, sender=factories.make_sender(**{problem: ""}))
    return factories.make_mail(kind=kind, **PROBLEMS[problem][0])


@pytest.mark.parametrize("problem", [*PROBLEMS, *LAW])
def test_problem__editor_is_told_what_it_is(problem):
    words = PROBLEMS[problem][1] if problem in PROBLEMS else "the law wants shown"
    found = ready.problems(make("newsletter", problem))
    assert any(words in each for each in found), found


@pytest.mark.parametrize("problem", [*PROBLEMS, *LAW])
def test_problem__mail_of_a_scenario_or_a_rule__does_not_leave(now, problem, mailoutbox):
    lead = factories.make_lead(now=now)
    factories.make_consent(lead, now=now)
    delivery = queue.enqueue(make("triggered", problem), lead, occurrence="", now=now)
    assert (delivery.state, delivery.reason) == ("skipped", reasons.NOT_READY)
    sending.drain(now=now)
    assert mailoutbox == [] and not MailVersion.objects.exists()


@pytest.mark.parametrize("problem", ["no plain text", "longer than 102 kB", "postal_address"])
def test_problem__newsletter_that_was_planned__is_paused_and_goes_on_once_mended(now, problem, mailoutbox):
    lead = factories.make_lead(now=now)
    factories.make_consent(lead, now=now)
    mail = make("newsletter", problem)
    dispatch = dispatches.plan(
        mail, include=[], exclude=[], scheduled_at=None, expected_count=1, by=None, now=now
    )
    later = now + timedelta(minutes=2)
    dispatches.advance(now=later)
    dispatch.refresh_from_db()
    assert (dispatch.state, dispatch.reason) == (Dispatch.State.PAUSED, reasons.NOT_READY)
    assert not Delivery.objects.exists()
    mail.sender = factories.make_sender()
    mail.body = factories.make_mail().body
    mail.save()
    dispatches.resume(dispatch.pk, now=later)
    dispatches.advance(now=later)
    sending.drain(now=later)
    assert len(mailoutbox) == 1


@pytest.mark.parametrize("kind", ["newsletter", "segment", "step", "triggered"])
def test_unsubscribing__every_marketing_mail__has_it_in_both_parts(kind):
    parts = compile_mail(factories.make_mail(kind=kind)).parts
    assert ["u"] in parts["html"] and ["u"] in parts["text"]


def test_complete_mail__nothing_is_wrong():
    assert ready.problems(factories.make_mail()) == []
