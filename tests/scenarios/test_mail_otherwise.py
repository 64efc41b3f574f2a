"""A mail that cannot reach somebody: an offer instead, waiting, skipping; and enough mails."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.stories import a_draft, a_lead, a_mail, a_scenario, an_enrolment, end, send, step
from tests.scenarios.test_offer_steps import is_shown, offer, proves, shows_it, tick  # noqa: F401
from tests.scoring.history import a_browser, a_visitor
from wagtail_ma.messaging import rates, sending
from wagtail_ma.messaging.models import Delivery, Mail
from wagtail_ma.messaging.models_of_sending import SendingRules
from wagtail_ma.people.identify import identify
from wagtail_ma.scenarios import runner
from wagtail_ma.scenarios.models import Enrolment, Scenario, StepRun
from wagtail_ma.scenarios.publish import problems

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

DAY = timedelta(days=1)


def mail_or(otherwise, segment=None, *, days=10):
    value = {"mail": a_mail().pk, "otherwise": otherwise, "patience_days": days}
    return step("send_mail", {**value, "offer": segment.pk if segment else None}, key="send")


def outcome():
    return StepRun.objects.get(step_id="send").outcome


@pytest.fixture
def anonymous(now):
    return a_browser(a_visitor(now), now)


def test_no_address__offer_instead__shown_and_seen(now, offer, shows_it, anonymous):  # noqa: F811
    an_enrolment(a_scenario(now, [mail_or("offer", offer), end()]), anonymous.visitor, now)
    tick(anonymous.visitor, now)
    assert is_shown(offer, anonymous.visitor)
    proves(anonymous, shows_it, offer, now + DAY)
    tick(anonymous.visitor, now + DAY)
    assert outcome() == "offered"
    assert not is_shown(offer, anonymous.visitor)
    assert not Delivery.objects.exists()


def test_no_address__named_while_the_offer_is_up__gets_the_mail_and_the_offer_goes(now, offer, anonymous):  # noqa: F811
    steps = [mail_or("offer", offer), end()]
    scenario = a_scenario(now, steps)
    Mail.objects.update(kind=Mail.Kind.TRANSACTIONAL)
    an_enrolment(scenario, anonymous.visitor, now)
    tick(anonymous.visitor, now)
    lead = identify(anonymous, email="reader@example.com", now=now + DAY, method="form")
    tick(lead.visitor, now + DAY)
    assert outcome() == "queued"
    assert Delivery.objects.get().lead == lead
    assert not is_shown(offer, lead.visitor)


def test_no_address__offer_never_seen__goes_on_when_its_time_is_over(now, offer, anonymous):  # noqa: F811
    an_enrolment(a_scenario(now, [mail_or("offer", offer), end()]), anonymous.visitor, now)
    tick(anonymous.visitor, now)
    tick(anonymous.visitor, now + 10 * DAY)
    assert outcome() == "no_address"
    assert not is_shown(offer, anonymous.visitor)


def test_no_consent__offer_instead_or_skipped__never_failed(now, offer, shows_it):  # noqa: F811
    lead = a_lead(now, consents_to_mail=False)
    an_enrolment(a_scenario(now, [mail_or("offer", offer), end()]), lead.visitor, now)
    other = a_lead(now, email="other@example.com", consents_to_mail=False)
    waiting = an_enrolment(a_scenario(now, [mail_or("wait"), end()], name="B"), other.visitor, now)
    tick(lead.visitor, now)
    assert is_shown(offer, lead.visitor)
    assert StepRun.objects.get(enrolment=waiting, step_id="send").outcome == "not_allowed"
    tick(lead.visitor, now + 10 * DAY)
    assert StepRun.objects.filter(outcome="not_allowed").count() == 2


def test_no_address__skip__at_once_whatever_the_days_say(now, anonymous):
    an_enrolment(a_scenario(now, [mail_or("skip", days=10), end()]), anonymous.visitor, now)
    runner.run_due(now=now)
    assert outcome() == "no_address"
    assert Enrolment.objects.get().status == "finished"


@pytest.mark.parametrize(("has_segment", "days"), [(False, 10), (True, 0)])
def test_offer_instead__without_segment_or_days__cannot_be_published(offer, has_segment, days):  # noqa: F811
    draft = a_draft([mail_or("offer", offer if has_segment else None, days=days)])
    assert len(problems(draft)) == 1


def fifty(now, lead):
    """Fifty scenarios that want to mail one person at this moment; the 31st is the most important."""
    mails = [a_mail(name=f"M{number}") for number in range(50)]
    for number, mail in enumerate(mails):
        scenario = a_scenario(now, [send(mail), end()], name=f"S{number}", priority=9 if number == 30 else 0)
        an_enrolment(scenario, lead.visitor, now)
    return mails


def test_fifty_scenarios__one_person_one_day__one_mails_and_the_others_log_why(now):
    lead = a_lead(now)
    mails = fifty(now, lead)
    runner.run_due(now=now)
    assert Delivery.objects.get().mail == mails[30]
    found = StepRun.objects.filter(step_id="send").values_list("outcome", flat=True)
    assert sorted(found) == ["enough"] * 49 + ["queued"]
    sending.drain(now=now, limit=100)
    assert Delivery.objects.get().state == "sent"


def test_fifty_scenarios__in_small_portions__the_important_one_still_comes_first(now):
    lead = a_lead(now)
    mails = fifty(now, lead)
    monkey, runner.BATCH = runner.BATCH, 7
    try:
        runner.run_due(now=now)
    finally:
        runner.BATCH = monkey
    assert Delivery.objects.get().mail == mails[30]


def test_caps__next_day_and_fourth_in_a_week__as_the_rules_say(now):
    lead = a_lead(now)
    results = []
    for number in range(5):
        moment = now + number * timedelta(hours=25)
        scenario = a_scenario(moment, [send(a_mail(name=f"M{number}")), end()], name=f"S{number}")
        enrolment = an_enrolment(scenario, lead.visitor, moment)
        runner.run_due(now=moment)
        sending.drain(now=moment, limit=10)
        Delivery.objects.filter(state="ready").update(state="sent", sending_at=moment)
        results.append(StepRun.objects.get(enrolment=enrolment, step_id="send").outcome)
    assert results == ["queued", "queued", "queued", "enough", "enough"]


def test_caps__switched_off_or_mail_that_was_asked_for__nothing_is_held_back(now):
    lead = a_lead(now)
    rates.rules_now()
    SendingRules.objects.update(scenario_per_day=None, scenario_per_week=None)
    two = [send(a_mail()), send(a_mail(name="B"), key="b"), end()]
    an_enrolment(a_scenario(now, two), lead.visitor, now)
    SendingRules.objects.update(scenario_per_day=None)
    runner.run_due(now=now)
    assert Delivery.objects.count() == 2
    SendingRules.objects.update(scenario_per_day=1)
    asked_for = a_mail(name="C", kind=Mail.Kind.TRANSACTIONAL)
    an_enrolment(a_scenario(now, [send(asked_for), end()], name="C"), lead.visitor, now)
    runner.run_due(now=now)
    assert Delivery.objects.count() == 3
    assert Scenario.objects.count() == 2
