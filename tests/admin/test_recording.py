"""Staff say that somebody is not to be recorded, and that they may be again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from wagtail.models import ModelLogEntry

from tests import factories
from tests.admin.test_visitors import INDEX, signed_in
from wagtail_ma import flow
from wagtail_ma.people import unrecorded
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.scoring import award

pytestmark = pytest.mark.django_db
ALL = ("view_visitor", "view_lead", "change_lead")


@pytest.fixture
def lead(site: Any, now: datetime) -> Lead:
    browser = factories.browser(now)
    flow.record_hit(factories.page_hit(browser_key=browser.key), now=now)
    found = identify(browser, email="ann@example.com", now=now, method="form", company_name="Acme")
    award.award([found.visitor_id], now=now)
    return found


def url(lead: Lead) -> str:
    return reverse("wagtail_ma_visitors:recording", args=[lead.visitor_id])


def is_unrecorded(lead: Lead) -> bool:
    return Visitor.objects.get(pk=lead.visitor_id).is_unrecorded


def test_button__pressed__not_recorded_and_shown_and_logged(client: Client, lead: Lead) -> None:
    signed_in(client, *ALL)
    page = f"{INDEX}{lead.visitor_id}/"
    before = client.get(page).content.decode()
    assert 'value="start"' in before and "Not recorded" not in before
    response = client.post(url(lead), {"act": "start"}, follow=True)
    assert response.redirect_chain[-1][0] == page
    assert "Not recorded" in response.content.decode() and 'value="end"' in response.content.decode()
    assert is_unrecorded(lead)
    assert "silent" in lead.visitor.identities.values_list("kind", flat=True)
    client.post(url(lead), {"act": "end"})
    assert not is_unrecorded(lead)
    logged = ModelLogEntry.objects.filter(object_id=str(lead.pk), action__contains="record")
    assert set(logged.values_list("action", flat=True)) == {
        "wagtail_ma.do_not_record",
        "wagtail_ma.record_again",
    }


@pytest.mark.parametrize("act", ["", "nonsense"])
def test_button__nothing_that_we_know__changes_nothing(client: Client, lead: Lead, act: str) -> None:
    signed_in(client, *ALL)
    assert client.post(url(lead), {"act": act}).status_code == 302
    assert not is_unrecorded(lead)
    assert not ModelLogEntry.objects.filter(action__contains="record").exists()


@pytest.mark.parametrize(
    "codenames", [("view_visitor",), ("view_visitor", "view_lead"), ("view_visitor", "change_lead"), ()]
)
def test_button__without_the_right__refused(client: Client, lead: Lead, codenames: tuple[str, ...]) -> None:
    signed_in(client, *codenames)
    client.post(url(lead), {"act": "start"})
    assert not is_unrecorded(lead)
    if "view_lead" in codenames:
        assert 'value="start"' not in client.get(f"{INDEX}{lead.visitor_id}/").content.decode()


def test_button__by_get_or_nobody__nothing(client: Client, lead: Lead) -> None:
    assert client.post(url(lead), {"act": "start"}).status_code == 302
    signed_in(client, *ALL)
    assert client.get(url(lead), {"act": "start"}).status_code == 405
    assert (
        client.post(reverse("wagtail_ma_visitors:recording", args=[987654]), {"act": "x"}).status_code == 404
    )
    assert not is_unrecorded(lead)


@pytest.mark.parametrize("index", [INDEX, "/admin/marketing/leads/"])
def test_lists__filtered_by_it_and_marked(client: Client, lead: Lead, now: datetime, index: str) -> None:
    bob = factories.make_lead("bob@example.com", now=now, company_name="Bobs")
    award.award([bob.visitor_id], now=now)
    unrecorded.start(lead.visitor_id, now=now)
    signed_in(client, *ALL)
    off = client.get(index, {"recording": "off", "list": "all"}).content.decode()
    on = client.get(index, {"recording": "on", "list": "all"}).content.decode()
    assert ("Acme" in off, "Bobs" in off, "Acme" in on, "Bobs" in on) == (True, False, False, True)
    assert off.count("Not recorded") > on.count("Not recorded")


def test_erase__of_somebody_not_recorded__says_what_becomes_of_the_wish(client: Client, lead: Lead) -> None:
    signed_in(client, *ALL, "erase_lead")
    page = reverse("wagtail_ma_leads:delete", args=[lead.pk])
    words = "Their wish not to be recorded is erased"
    assert words not in client.get(page).content.decode()
    unrecorded.start(lead.visitor_id, now=lead.created_at)
    assert words in client.get(page).content.decode()
