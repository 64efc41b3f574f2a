"""Answers that are none, and what staff do about them."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests import factories
from tests.forms.test_form_page import send
from wagtail_ma.forms.dummies import looks_like_dummy
from wagtail_ma.forms.models import GatedDocument, Submission
from wagtail_ma.messaging.models import Consent, Delivery
from wagtail_ma.people.models import Identity, Lead
from wagtail_ma.tracking.models import Activity


@pytest.mark.parametrize(
    "values",
    [
        {"family_name": "ああああ"},
        {"family_name": "テスト"},
        {"family_name": "ﾃｽﾄ"},
        {"company_name": "TEST"},
        {"company_name": "xxxxx"},
        {"company_name": "----"},
        {"family_name": "１２３４５"},
        {"phone": "000-0000-0000"},
        {"phone": "0123456789"},
        {"email": "aaaa@aaaa.com"},
        {"family_name": "aaa", "company_name": "bbb"},
    ],
)
def test_looks_like_dummy__nobody__yes(values):
    assert looks_like_dummy(values)


@pytest.mark.parametrize(
    "values",
    [
        {"family_name": "佐々木", "given_name": "ああ"},
        {"company_name": "AAA"},
        {"company_name": "3333 Arts"},
        {"company_name": "テスト工業株式会社"},
        {"company_name": "トットット"},
        {"phone": "0120-000-000"},
        {"phone": "03-1234-5678"},
        {"email": "test@example.com"},
        {"message": "test"},
        {"family_name": "", "company_name": None},
        {},
    ],
)
def test_looks_like_dummy__somebody__no(values):
    assert not looks_like_dummy(values)


@pytest.fixture
def form(site, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    form = factories.lead_form(consent_text="Yes")
    GatedDocument.objects.create(document_id=factories.document().pk, form=form)
    return form


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, {"DNT": "1"}])
def test_send__dummy__set_aside_without_a_lead_and_told_nothing(client, form, headers):
    response = send(client, form, {"family_name": "ああああ", "consent": "on"}, headers=headers)
    assert response.status_code == 303
    thanks = client.get(response["Location"])
    assert thanks.context["download_url"] == ""
    assert Submission.objects.get().is_suspect
    assert not Lead.objects.exists()
    assert not Identity.objects.filter(kind="email").exists()
    assert not (Delivery.objects.exists() or Consent.objects.exists() or Activity.objects.exists())


@pytest.mark.django_db
def test_send__dummy__opens_no_gate(client, form):
    send(client, form, {"family_name": "ああああ"})
    gate = GatedDocument.objects.get()
    assert (
        client.get(reverse("wagtaildocs_serve", args=[gate.document_id, "whitepaper.pdf"])).status_code == 302
    )


@pytest.mark.django_db
def test_review__accepted__as_if_it_had_just_been_sent(client, admin_client, form):
    send(client, form, {"family_name": "テスト", "consent": "on"})
    submission = Submission.objects.get()
    url = reverse("wagtail_ma_forms:review", args=[submission.pk])
    text = admin_client.get(url).content.decode()
    assert "テスト" in text
    for _again in range(2):
        assert admin_client.post(url, {"decision": "accept"}).status_code == 302
    submission.refresh_from_db()
    lead = Lead.objects.get()
    assert (submission.state, lead.family_name) == ("accepted", "テスト")
    assert submission.visitor_id == lead.visitor_id == submission.identity.visitor_id
    assert Delivery.objects.get().builtin == "download_link"
    assert Activity.objects.filter(kind="form_submit").count() == 1
    assert Consent.objects.count() == 1
