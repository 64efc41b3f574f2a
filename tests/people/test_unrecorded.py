"""People who are not recorded: the wish, and what becomes of it when two become one or two again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import override_settings

from tests import factories
from wagtail_ma import flow
from wagtail_ma.jobs import doctor
from wagtail_ma.people import (
    browsers,
    erase,
    export,
    merge,
    persons,
    proposals,
    retention,
    strangers,
    unrecorded,
)
from wagtail_ma.people.identify import identify, identify_browser
from wagtail_ma.people.models import Identity, IdentityLink, Lead, Visitor
from wagtail_ma.tracking.models import Activity

pytestmark = pytest.mark.django_db
ANN = "ann@example.com"


def kind(identity: Identity) -> str:
    return Identity.objects.get(pk=identity.pk).kind


def wishes() -> dict[int, bool]:
    return {visitor.pk: visitor.is_unrecorded for visitor in Visitor.objects.all()}


def test_start__all_browsers_silent__address_as_it_was(now: datetime) -> None:
    lead = identify(factories.browser(now), email=ANN, now=now, method="form")
    second = factories.browser(now)
    identify(second, email=ANN, now=now, method="form")
    stranger = factories.browser(now)
    unrecorded.start(lead.visitor_id, now=now)
    unrecorded.start(lead.visitor_id, now=now + timedelta(days=1))
    theirs = lead.visitor.identities.order_by("pk").values_list("kind", flat=True)
    assert sorted(theirs) == ["email", "silent", "silent"]
    lead.visitor.refresh_from_db()
    assert lead.visitor.unrecorded_at == now, "it began once"
    assert kind(stranger) == "browser"
    unrecorded.end(lead.visitor_id, now=now)
    assert sorted(lead.visitor.identities.values_list("kind", flat=True)) == ["browser", "browser", "email"]
    assert not any(wishes().values())


def test_start__somebody_merged_meanwhile__holds_for_whom_they_became(now: datetime) -> None:
    browser = factories.browser(now)
    anonymous = browser.visitor_id
    lead = identify(browser, email=ANN, now=now, method="form")
    other = factories.browser(now)
    gone = other.visitor_id
    identify(other, email=ANN, now=now, method="form")
    unrecorded.start(gone, now=now)
    assert lead.visitor_id == anonymous
    assert wishes() == {anonymous: True, gone: True}
    assert (kind(browser), kind(other)) == ("silent", "silent")


@pytest.mark.parametrize("is_kept", [True, False])
def test_merge__one_of_two_is_not_recorded__neither_is_and_stays_so(now: datetime, is_kept: bool) -> None:
    leads, own = [], []
    for number, email in enumerate((ANN, "bob@example.com")):
        browser = factories.browser(now)
        leads.append(identify(browser, email=email, now=now + timedelta(hours=number), method="form"))
        own.append(browser)
    unrecorded.start(leads[0 if is_kept else 1].visitor_id, now=now)
    proposal = proposals.propose(leads[0], leads[1], reason="name", now=now)
    proposals.accept(proposal, user_id=None, now=now)
    assert all(wishes().values())
    assert [kind(browser) for browser in own] == ["silent", "silent"]
    proposals.undo(proposal, user_id=None, now=now)
    assert all(wishes().values()), "privacy is the safe side"
    assert [kind(browser) for browser in own] == ["silent", "silent"]


def test_identify__address_of_somebody_not_recorded__browser_becomes_silent(now: datetime) -> None:
    lead = factories.make_lead(ANN, now=now)
    unrecorded.start(lead.visitor_id, now=now)
    browser = factories.browser(now)
    found = identify_browser(browser, email=ANN, now=now, method="form")
    assert found.is_silent and browser.is_silent and kind(browser) == "silent"
    assert all(wishes().values())
    merge.undo(IdentityLink.objects.get(identity=browser), now=now)
    assert all(wishes().values()) and kind(browser) == "silent"


def test_identify__undone_after_the_wish__first_visitor_is_not_recorded_either(now: datetime) -> None:
    lead = factories.make_lead(ANN, now=now)
    browser = factories.browser(now)
    first = browser.visitor_id
    identify(browser, email=ANN, now=now, method="form")
    unrecorded.start(lead.visitor_id, now=now)
    merge.undo(IdentityLink.objects.get(identity=browser), now=now)
    assert Identity.objects.get(pk=browser.pk).visitor_id == first
    assert wishes() == {first: True, lead.visitor_id: True}
    assert kind(browser) == "silent"


def test_identify__computer_of_another__new_browser_is_silent_and_the_other_is_not(now: datetime) -> None:
    lead = factories.make_lead(ANN, now=now)
    unrecorded.start(lead.visitor_id, now=now)
    browser = factories.browser(now)
    bob = identify(browser, email="bob@example.com", now=now, method="form")
    found = identify_browser(browser, email=ANN, now=now, method="form")
    assert found.is_new_browser and found.is_silent and kind(found.identity) == "silent"
    assert wishes() == {lead.visitor_id: True, bob.visitor_id: False}
    assert kind(browser) == "browser"


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("method", ["form", "login", "mail_link"])
def test_identify__anonymous_browser_not_recorded__nothing_tied_and_the_wish_goes_over(
    now: datetime, is_known: bool, method: str
) -> None:
    browser = factories.browser(now)
    anonymous = browser.visitor_id
    factories.activity(browser, now)
    if is_known:
        factories.make_lead(ANN, now=now)
    unrecorded.start(anonymous, now=now)
    browser.refresh_from_db()
    found = identify_browser(browser, email=ANN, now=now, method=method)
    assert found.is_silent and not found.is_new_browser and found.identity.kind == "email"
    assert found.lead.visitor_id != anonymous
    assert set(Activity.objects.values_list("visitor_id", flat=True)) == {anonymous}
    assert all(wishes().values()) and len(wishes()) == 2


def test_identify__browser_of_a_named_person_not_recorded__another_address_is_another_person(
    now: datetime,
) -> None:
    browser = factories.browser(now)
    ann = identify(browser, email=ANN, now=now, method="form")
    unrecorded.start(ann.visitor_id, now=now)
    browser.refresh_from_db()
    found = identify_browser(browser, email="bob@example.com", now=now, method="form")
    assert found.is_silent and wishes() == {ann.visitor_id: True, found.lead.visitor_id: False}
    same = identify_browser(browser, email=ANN, now=now, method="form")
    assert same.is_silent and same.lead == ann


def test_identify__role_address_from_a_silent_browser__is_nobodys_wish(now: datetime) -> None:
    browser = factories.browser(now)
    unrecorded.start(browser.visitor_id, now=now)
    browser.refresh_from_db()
    found = identify_browser(browser, email="info@example.com", now=now, method="form")
    assert found.is_silent and not Visitor.objects.get(pk=found.lead.visitor_id).is_unrecorded


def test_recognise__silent_key__itself_and_nobody_new(now: datetime) -> None:
    browser = factories.browser(now)
    unrecorded.start(browser.visitor_id, now=now)
    for is_fresh in (True, False):
        with transaction.atomic():
            found = browsers.recognise(browser.key, now=now, is_fresh=is_fresh)
        assert (found.pk, found.is_silent) == (browser.pk, True)
    assert Visitor.objects.count() == 1


def test_doctor__browser_recorded_against_the_wish__found_and_repaired(home: Any, now: datetime) -> None:
    browser = factories.browser(now)
    unrecorded.start(browser.visitor_id, now=now)
    assert doctor._unrecorded().is_healthy
    Identity.objects.update(kind=Identity.Kind.BROWSER)
    assert not doctor._unrecorded().is_healthy
    with pytest.raises(SystemExit):
        call_command("ma_doctor", repair=True, stdout=StringIO())
    assert doctor._unrecorded().is_healthy and kind(browser) == "silent"


def test_export__wish_is_told(now: datetime) -> None:
    lead = identify(factories.browser(now), email=ANN, now=now, method="form")
    unrecorded.start(lead.visitor_id, now=now)
    text = export.as_json(persons.gather(lead.visitor_id, now=now), for_themselves=True)
    told = json.loads(text)
    assert datetime.fromisoformat(told["Visitor"][0]["unrecorded_at"]) == now
    assert "silent" in [row["kind"] for row in told["Identity"]]


def test_erase__nothing_stays(now: datetime) -> None:
    lead = identify(factories.browser(now), email=ANN, now=now, method="form")
    unrecorded.start(lead.visitor_id, now=now)
    erase.erase(persons.gather(lead.visitor_id, now=now))
    assert not Visitor.objects.exists() and not Identity.objects.exists()


@override_settings(WAGTAIL_MA={"RETENTION_MONTHS": 13, "COOKIE_DAYS": 400})
def test_strangers__not_recorded__known_as_such_until_no_cookie_can_live(now: datetime) -> None:
    browser = factories.browser(now - timedelta(days=1000))
    unrecorded.start(browser.visitor_id, now=now)
    assert not strangers.due(now=now + timedelta(days=300)).exists()
    assert strangers.due(now=now + timedelta(days=500)).exists()


@override_settings(WAGTAIL_MA={"LEAD_RETENTION_MONTHS": 12})
def test_retention__wish_is_a_sign_of_life(now: datetime) -> None:
    lead = factories.make_lead(ANN, now=now - timedelta(days=1000))
    assert list(retention.inactive(now=now)) == [lead]
    unrecorded.start(lead.visitor_id, now=now - timedelta(days=30))
    assert not retention.inactive(now=now).exists()
    assert list(retention.inactive(now=now + timedelta(days=400))) == [lead]


def test_react__not_recorded__nothing_fails(home: Any, now: datetime) -> None:
    lead = identify(factories.browser(now), email=ANN, now=now, method="form")
    unrecorded.start(lead.visitor_id, now=now)
    assert flow.react(now=now + timedelta(seconds=10)) == 1
    assert Lead.objects.count() == 1
