"""Double opt-in: nothing but the button in the mail makes a consent count where proof is asked for."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from tests import factories
from tests.forms.test_form_page import ANSWERS, send
from wagtail_ma.core import tokens
from wagtail_ma.forms import confirm
from wagtail_ma.forms.models import Submission
from wagtail_ma.messaging import consents, sending, suppressions
from wagtail_ma.messaging.models import Consent, Delivery
from wagtail_ma.people.models import IdentityLink
from wagtail_ma.tracking.models import Activity

pytestmark = pytest.mark.django_db

EMAIL = ANSWERS["email"]
TEXT = "You may write to me."


@pytest.fixture
def form(site):
    return factories.lead_form(consent_text=TEXT, asks_confirmation=True)


def link() -> str:
    return confirm.make_link(Submission.objects.latest("pk"), now=timezone.now())


def test_send__form_with_confirmation__consent_waits_and_a_mail_asks(client, form):
    thanks = client.get(send(client, form, {"consent": "on"})["Location"]).content.decode()
    assert "press the button in it" in thanks
    assert not Consent.objects.exists()
    assert not consents.may_mail(EMAIL)
    assert [(row.builtin, row.email) for row in Delivery.objects.all()] == [("form_confirm", EMAIL)]
    assert Submission.objects.get().asked_at is not None


def test_mail__sent__holds_the_link_and_the_words(client, form, django_capture_on_commit_callbacks):
    factories.make_sender()
    send(client, form, {"consent": "on", "family_name": "<b>Suzuki"})
    sending.drain(now=timezone.now())
    message = mail.outbox[0]
    assert message.to == [EMAIL]
    assert TEXT in message.body
    assert TEXT in message.alternatives[0][0]
    assert "Suzuki" not in message.body + message.subject
    path = re.search(r"http://testserver(/ma/form/confirm/\S+)", message.body)[1]
    assert client.get(path).status_code == 200


def test_link__opened__changes_nothing(client, form):
    send(client, form, {"consent": "on"})
    for method in (client.get, client.head):
        response = method(link())
        assert response.status_code == 200
        assert "no-store" in response["Cache-Control"]
    assert TEXT in client.get(link()).content.decode()
    assert "<script" not in client.get(link()).content.decode()
    assert not Consent.objects.exists()
    assert Submission.objects.get().confirmed_at is None


def test_button__pressed_twice__one_consent_with_its_words(client, form):
    send(client, form, {"consent": "on"})
    for _again in range(2):
        assert "confirmed" in client.post(link()).content.decode()
    consent = Consent.objects.get()
    assert (consent.is_granted, consent.text, consent.source_kind) == (True, TEXT, "confirmation")
    assert consent.source_key == str(Submission.objects.get().pk)
    assert consents.may_mail(EMAIL)
    assert Activity.objects.filter(kind="form_confirm").count() == 1


def test_button__box_not_ticked__address_confirmed_without_consent(client, form):
    send(client, form)
    client.post(link())
    assert Submission.objects.get().confirmed_at is not None
    assert not Consent.objects.exists()


def test_button__in_the_browser_of_the_form__address_is_verified_there(client, form):
    send(client, form)
    client.post(link())
    proof = IdentityLink.objects.get(method="confirmation")
    assert proof.strength == "verified"
    assert proof.identity_id == Submission.objects.get().browser_id


def test_button__in_another_browser__consent_but_no_proof_for_either(client, form):
    send(client, form, {"consent": "on"})
    Client().post(link())
    assert consents.may_mail(EMAIL)
    assert not IdentityLink.objects.filter(strength="verified").exists()


@pytest.mark.parametrize("token", ["x", "é", "A" * 3000, "W10"])
def test_link__rubbish__403(client, form, token):
    assert client.get(f"/ma/form/confirm/{token}/").status_code == 403
    assert client.post(f"/ma/form/confirm/{token}/").status_code == 403


def test_link__of_another_purpose__403(client, form):
    send(client, form)
    token = tokens.dumps("form_sent", (Submission.objects.get().pk,), now=timezone.now())
    assert client.post(f"/ma/form/confirm/{token}/").status_code == 403


def test_link__after_eight_days__410_and_no_change(client, form):
    send(client, form, {"consent": "on"})
    old = confirm.make_link(Submission.objects.get(), now=timezone.now() - timedelta(days=8))
    assert client.post(old).status_code == 410
    assert not Consent.objects.exists()


def test_link__person_erased__403(client, form):
    send(client, form)
    url = link()
    Submission.objects.all().delete()
    assert client.post(url).status_code == 403


def test_consent__of_an_unsubscribed_address__must_be_proven(client, site):
    form = factories.lead_form(consent_text=TEXT)
    suppressions.add(EMAIL, reason=suppressions.UNSUBSCRIBED, now=timezone.now())
    thanks = client.get(send(client, form, {"consent": "on"})["Location"]).content.decode()
    # Whoever typed somebody else's address learns nothing about it.
    assert "press the button in it" not in thanks
    assert not consents.may_mail(EMAIL)
    assert Delivery.objects.get().builtin == "form_confirm"
    client.post(link())
    assert consents.may_mail(EMAIL)


def test_consent__unsubscribed_and_box_not_ticked__no_mail(client, site):
    suppressions.add(EMAIL, reason=suppressions.UNSUBSCRIBED, now=timezone.now())
    send(client, factories.lead_form(consent_text=TEXT))
    assert not Delivery.objects.exists()


def test_button__address_stopped_by_hand__stays_stopped(client, form):
    suppressions.add(EMAIL, reason=suppressions.MANUAL, now=timezone.now())
    send(client, form, {"consent": "on"})
    client.post(link())
    assert not consents.may_mail(EMAIL)


def test_send__again_and_again__no_more_than_three_mails_a_day(client, form):
    for _time in range(5):
        send(client, form, {"consent": "on"})
    assert Delivery.objects.filter(builtin="form_confirm").count() == 3


def test_version__form_changed__consent_keeps_the_words_it_was_given(client, form):
    send(client, form, {"consent": "on"})
    url = link()
    form.consent_text = "You may sell my data."
    form.save()
    client.post(url)
    assert Consent.objects.get().text == TEXT
    send(client, form, {"email": "bob@example.com"})
    assert [row.version.number for row in Submission.objects.order_by("pk")] == [1, 2]
