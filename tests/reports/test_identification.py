"""How many visitors become known by name."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from tests import factories
from tests.scenarios.stories import a_scenario, an_enrolment, step
from wagtail_ma import flow
from wagtail_ma.forms.submit import submit
from wagtail_ma.people.models import Identity
from wagtail_ma.reports.identification import Rate, rates
from wagtail_ma.scenarios.models import StepRun

pytestmark = pytest.mark.django_db


def test_rates__some_named__by_source_page_and_form(site, now):
    form = factories.lead_form(name="Whitepaper")
    for number, referrer in enumerate(["https://www.google.com/", "https://www.google.com/", ""]):
        key = flow.record_hit(factories.page_hit(referrer=referrer), now=now).browser_key
        browser = Identity.objects.get(key=key)
        if number != 1:
            answers = {"email": f"a{number}@example.com"}
            submit(form, answers, browser_identity=browser, now=now, nonce=str(number))
    found = rates(since=now - timedelta(days=1), until=now + timedelta(days=1))
    assert (found.everybody.visitors, found.everybody.named, found.everybody.percent) == (3, 2, 66.7)
    assert [(rate.visitors, rate.named) for rate in found.sources] == [(2, 1), (1, 1)]
    assert [(rate.visitors, rate.named) for rate in found.pages] == [(3, 2)]
    assert found.forms == [Rate("Whitepaper", 2, 2)]
    empty = rates(since=now + timedelta(days=1), until=now + timedelta(days=2))
    assert empty.everybody == Rate("", 0, 0)
    assert empty.everybody.percent == 0


def test_rates__page_and_scenario_that_led_to_the_form__are_rated(home, now):
    form = factories.lead_form(name="Whitepaper")
    segment = factories.make_segment("Offer")
    scenario = a_scenario(now, [step("offer", {"segment": segment.pk, "proof": "displayed"}, key="offer")])
    for number in range(3):
        key = flow.record_hit(factories.page_hit(home), now=now).browser_key
        browser = Identity.objects.get(key=key)
        if number < 2:
            enrolment = an_enrolment(scenario, browser.visitor, now)
            StepRun.objects.create(
                enrolment=enrolment, step_id="offer", round=1, kind="offer", outcome="yes", at=now
            )
        if number == 0:
            submit(
                form,
                {"email": "a@example.com"},
                browser_identity=browser,
                now=now,
                nonce="1",
                page_id=home.pk,
            )
    found = rates(since=now - timedelta(days=1), until=now + timedelta(days=1))
    assert found.naming_pages == [Rate(home.title, 3, 1)]
    assert found.scenarios == [Rate(scenario.name, 2, 1)]


def test_screen__any_period__is_shown(admin_client, site, client):
    url = reverse("wagtail_ma_identifications:rate")
    for days in ("", "?days=7", "?days=nonsense"):
        assert admin_client.get(url + days).status_code == 200
    client.logout()
    assert client.get(url).status_code == 302
