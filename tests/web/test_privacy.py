"""One's own data by a link in a mail."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from wagtail.models import ModelLogEntry

from tests import factories
from wagtail_ma.core import tokens
from wagtail_ma.messaging import sending
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import Identity, Lead
from wagtail_ma.web import privacy

pytestmark = pytest.mark.django_db
ASK = "/ma/privacy/"


@pytest.fixture
def ann(site, now):
    factories.make_lead("bob@example.com", now=now, family_name="Bobson")
    return factories.make_lead("ann@example.com", now=now, family_name="Annson")


def link(lead, *, at=None):
    identity = Identity.objects.get(key=lead.email)
    token = tokens.dumps(privacy.PURPOSE, (identity.pk, lead.email), now=at or timezone.now())
    return reverse("wagtail_ma:privacy_mine", args=[token])


def test_ask__known_or_not__the_same_answer(client, ann):
    known = client.post(ASK, {"email": " ANN@example.com"})
    unknown = client.post(ASK, {"email": "nobody@example.com"})
    assert known.content == unknown.content
    assert Delivery.objects.get().email == "ann@example.com"
    assert client.post(ASK, {"email": "nonsense"}).status_code == 422
    assert "ann" not in client.get(ASK).content.decode().lower()


def test_ask__many_times__three_mails_a_day(client, ann):
    for _again in range(5):
        client.post(ASK, {"email": "ann@example.com"})
    assert Delivery.objects.count() == 3


def test_ask__mail__holds_a_link_that_works(client, ann, mailoutbox):
    client.post(ASK, {"email": "ann@example.com"})
    url = Delivery.objects.get().extra["url"]
    assert client.get(f"/{url.split('/', 3)[3]}").status_code == 200
    sending.drain(now=timezone.now())
    assert url in mailoutbox[0].body


def test_mine__opened_by_a_scanner__shows_and_changes_nothing(client, ann):
    response = client.get(link(ann))
    assert response.status_code == 200
    for word in ("Annson", "ann@example.com", "Bobson"):
        assert word not in response.content.decode()
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    assert Lead.objects.count() == 2


def test_mine__export__is_ones_own_and_logged_without_a_name(client, ann):
    response = client.post(link(ann), {"do": "json"})
    assert json.loads(response.content)["Lead"][0]["family_name"] == "Annson"
    assert "Bobson" not in response.content.decode()
    assert "Annson" in client.post(link(ann), {"do": "csv"}).content.decode()
    assert ModelLogEntry.objects.filter(action="wagtail_ma.own_data").count() == 2


def test_mine__erase__needs_the_tick_and_takes_only_that_person(client, ann):
    url = link(ann)
    assert client.post(url, {"do": "erase"}).status_code == 422
    assert Lead.objects.count() == 2
    assert client.post(url, {"do": "erase", "sure": "yes"}).status_code == 200
    assert Lead.objects.get().family_name == "Bobson"
    assert client.post(url, {"do": "json"}).status_code == 403


@pytest.mark.parametrize("purpose", ["download", "form_confirm"])
def test_mine__foreign_token__is_refused(client, ann, purpose):
    identity = Identity.objects.get(key="ann@example.com")
    token = tokens.dumps(purpose, (identity.pk, "ann@example.com"), now=timezone.now())
    assert client.post(reverse("wagtail_ma:privacy_mine", args=[token]), {"do": "json"}).status_code == 403


def test_mine__expired_or_changed_link__is_refused(client, ann):
    old = link(ann, at=timezone.now() - timedelta(hours=25))
    assert client.post(old, {"do": "json"}).status_code == 410
    good = link(ann)
    place = good.rindex("/") - 5
    bad = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
    assert client.post(bad, {"do": "json"}).status_code == 403


def test_mine__id_of_another_with_ones_own_address__is_refused(client, ann):
    bob = Identity.objects.get(key="bob@example.com")
    token = tokens.dumps(privacy.PURPOSE, (bob.pk, "ann@example.com"), now=timezone.now())
    assert client.post(reverse("wagtail_ma:privacy_mine", args=[token]), {"do": "json"}).status_code == 403


def test_pages__self_service_off__are_not_there(settings, ann):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "SELF_SERVICE": False}
    assert Client().get(ASK).status_code == 404
    assert Client().get(link(ann)).status_code == 404
