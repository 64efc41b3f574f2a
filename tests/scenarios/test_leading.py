"""The scenario that led somebody to give their name is kept as evidence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from tests.scenarios.stories import a_mail, a_scenario, an_enrolment, step, wait
from wagtail_ma.forms.submit import submit
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, IdentityLink
from wagtail_ma.scenarios.models import StepRun
from wagtail_ma.segments import decisions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]


def offer(segment, **more):
    return step("offer", {"segment": segment.pk, "proof": "displayed", **more}, key="offer")


def evidence():
    return IdentityLink.objects.get().evidence


@pytest.fixture
def browser(now):
    return factories.browser(now)


@pytest.fixture
def offering(now, browser):
    """A scenario at its offer, and the place of this browser's visitor in it."""
    scenario = a_scenario(now, [offer(factories.make_segment("Offer"))])
    return scenario, an_enrolment(scenario, browser.visitor, now)


def test_form__offer_was_seen__its_scenario_is_evidence_and_source_of_the_values(offering, browser, now):
    scenario, enrolment = offering
    StepRun.objects.create(enrolment=enrolment, step_id="offer", round=1, kind="offer", outcome="yes", at=now)
    form = factories.lead_form()
    done = submit(
        form,
        {"email": "ann@example.com", "family_name": "Ito"},
        browser_identity=browser,
        now=now,
        nonce="1",
    )
    assert evidence() | {"form": form.pk, "scenario": scenario.pk} == evidence()
    assert done.lead.sources["family_name"]["scenario"] == scenario.pk


def test_form__offer_stands_and_no_reaction_yet__its_scenario_is_evidence(offering, browser, now):
    scenario, _enrolment = offering
    decisions.decide(scenario_segment(), [browser.visitor_id], is_member=True, by=None, now=now)
    identify(browser, email="ann@example.com", now=now, method="form")
    assert evidence()["scenario"] == scenario.pk


def scenario_segment():
    from wagtail_ma.segments.models import Segment

    return Segment.objects.get(name="Offer")


@pytest.mark.parametrize(
    "run",
    [
        None,
        {"kind": "offer", "outcome": "no"},
        {"kind": "wait", "outcome": ""},
        {"kind": "offer", "outcome": "yes", "days": 31},
    ],
    ids=["not shown", "not seen", "waited", "long ago"],
)
def test_form__scenario_that_did_not_reach_them__is_no_evidence(offering, browser, now, run):
    _scenario, enrolment = offering
    if run:
        at = now - timedelta(days=run.pop("days", 0))
        StepRun.objects.create(enrolment=enrolment, step_id="offer", round=1, at=at, **run)
    identify(browser, email="ann@example.com", now=now, method="form")
    assert "scenario" not in evidence()


@pytest.mark.parametrize("method", ["import", "manual"])
def test_not_their_own_act__no_scenario(offering, browser, now, method):
    _scenario, enrolment = offering
    StepRun.objects.create(enrolment=enrolment, step_id="offer", round=1, kind="offer", outcome="yes", at=now)
    identify(browser, email="ann@example.com", now=now, method=method)
    assert "scenario" not in evidence()


@pytest.mark.parametrize(
    ("occurrence", "is_led"), [("enrolment:{}:send:1", True), ("", False), ("enrolment:x", False)]
)
def test_mail_link__mail_of_a_scenario__scenario_is_evidence(now, browser, occurrence, is_led):
    lead = identify(None, email="ann@example.com", now=now, method="import")
    scenario = a_scenario(now, [wait()])
    enrolment = an_enrolment(scenario, lead.visitor, now)
    delivery = Delivery.objects.create(
        mail=a_mail(),
        lead=lead,
        visitor=lead.visitor,
        born_visitor=lead.visitor,
        email=lead.email,
        occurrence=occurrence.format(enrolment.pk),
        send_after=now,
        created_at=now,
    )
    identify(
        browser,
        email=lead.email,
        now=now,
        method="mail_link",
        evidence={"mail": delivery.mail_id, "delivery": delivery.pk},
    )
    found = IdentityLink.objects.get(identity=browser).evidence
    assert found["mail"] == delivery.mail_id
    assert found.get("scenario") == (scenario.pk if is_led else None)
    assert Identity.objects.get(pk=browser.pk).visitor_id == lead.visitor_id
