"""The funnel of a form."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.forms.test_form_page import send
from wagtail_ma.forms import confirm
from wagtail_ma.forms.models import Submission
from wagtail_ma.reports import forms as reports
from wagtail_ma.tracking.models import Activity

pytestmark = pytest.mark.django_db


def told(identity, form, kind, at, **data):
    Activity.objects.create(
        identity=identity,
        visitor_id=identity.visitor_id,
        kind=kind,
        at=at,
        object_kind="form",
        object_key=str(form.pk),
        source_key=f"browser:{kind}:{at}:{data}",
        data=data,
    )


@pytest.fixture
def form(site):
    """Three looked at it, two of them began; two others sent it without JavaScript, one confirmed."""
    form = factories.lead_form(consent_text="Yes", asks_confirmation=True)
    at = timezone.now() - timedelta(days=1)
    people = [factories.browser(at) for _number in range(3)]
    for identity in people:
        told(identity, form, "form_view", at)
        told(identity, form, "form_view", at + timedelta(hours=1))
    for identity in people[:2]:
        told(identity, form, "form_start", at)
        told(identity, form, "form_abandon", at, field="company_name")
    told(people[0], form, "form_abandon", at + timedelta(hours=2), field="phone")
    told(people[0], form, "form_view", at - timedelta(days=400))
    for name in ("ann", "bob"):
        send(Client(), form, {"email": f"{name}@example.com"})
    send(Client(), form, {"family_name": "ああああ"})
    url = confirm.make_link(Submission.objects.earliest("pk"), now=timezone.now())
    Client().post(url)
    return form


def test_funnel__acts_of_people__each_counts_once_per_stage(form):
    found = reports.funnel(form, now=timezone.now())
    assert (found.seen, found.started, found.sent, found.confirmed) == (5, 4, 2, 1)
    assert found.stopped == [("company_name", 2), ("phone", 1)]
    assert found.share_sent == 0.4


def test_funnel__person_who_came_back_and_sent_it__did_not_stop(form):
    browser = Submission.objects.earliest("pk").browser
    told(browser, form, "form_abandon", timezone.now() - timedelta(hours=1), field="phone")
    assert reports.funnel(form, now=timezone.now()).stopped == [("company_name", 2), ("phone", 1)]


def test_funnel__form_without_confirmation__has_no_such_stage(site):
    assert reports.funnel(factories.lead_form(), now=timezone.now()).confirmed is None


@pytest.mark.parametrize("text", [None, "", "x", "7", "99999999999"])
def test_period__odd__the_usual_one(text):
    assert reports.period(text) == 90


def test_screen__results__chart_table_and_questions_by_their_labels(admin_client, form):
    response = admin_client.get(reverse("wagtail_ma_forms:results", args=[form.pk]) + "?days=30")
    text = response.content.decode()
    assert "ma-chart--funnel" in text
    assert "<table" in text
    assert "Confirmed the address" in text
    assert "Company" in text


def test_screen__nobody_came__says_what_to_do(admin_client, site):
    url = reverse("wagtail_ma_forms:results", args=[factories.lead_form().pk])
    assert "Nobody has seen this form" in admin_client.get(url).content.decode()


def test_screen__person_without_rights__refused(client, form, django_user_model):
    client.force_login(django_user_model.objects.create_user("e", "e@example.com", "e"))
    assert client.get(reverse("wagtail_ma_forms:results", args=[form.pk])).status_code in (302, 403)
