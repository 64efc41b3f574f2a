"""What follows a form: staff are told, a page of the site's own thanks."""

from __future__ import annotations

import pytest
from django.core import mail
from django.utils import timezone

from tests import factories
from tests.forms.test_form_page import send
from tests.testapp.models import ContentPage
from wagtail_ma.forms.models import Submission
from wagtail_ma.messaging import sending
from wagtail_ma.messaging.models import Delivery

pytestmark = pytest.mark.django_db

STAFF = "sales@example.org\nmarketing@example.org"


def test_notify__two_addresses__each_gets_the_answers_once(client, site):
    factories.make_sender()
    form = factories.lead_form(notify=STAFF, name="Contact")
    send(client, form, {"company_name": "<b>Example</b> Ltd"})
    sending.drain(now=timezone.now())
    sending.drain(now=timezone.now())
    assert sorted(message.to[0] for message in mail.outbox) == sorted(STAFF.split())
    message = mail.outbox[0]
    assert message.subject == "Form sent: Contact"
    assert "Company: <b>Example</b> Ltd" in message.body
    assert "&lt;b&gt;Example" in message.alternatives[0][0]
    assert "<b>Example" not in message.alternatives[0][0]
    assert f"/visitors/{Submission.objects.get().visitor_id}" in message.body


def test_notify__queue__holds_nothing_that_was_typed(client, site):
    send(client, factories.lead_form(notify=STAFF))
    for delivery in Delivery.objects.all():
        assert "Suzuki" not in str(delivery.extra)
        assert delivery.visitor_id is None


def test_notify__person_erased_meanwhile__nothing_is_told(client, site):
    factories.make_sender()
    send(client, factories.lead_form(notify=STAFF))
    Submission.objects.all().delete()
    sending.drain(now=timezone.now())
    assert mail.outbox == []


def test_notify__no_usable_address__form_still_taken(client, site):
    assert send(client, factories.lead_form(notify="nobody\n")).status_code == 303
    assert not Delivery.objects.exists()


def test_thanks_page__chosen__visitor_is_led_there(client, home):
    page = ContentPage(title="Merci", slug="merci")
    home.add_child(instance=page)
    form = factories.lead_form(thanks_page_key=page.translation_key)
    assert send(client, form)["Location"] == page.url
    page.unpublish()
    assert "?sent=" in send(client, form, {"email": "bob@example.com"})["Location"]


def test_thanks_page__with_a_document__link_after_the_download(client, home, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    page = ContentPage(title="Merci", slug="merci")
    home.add_child(instance=page)
    form = factories.lead_form(thanks_page_key=page.translation_key, document_id=factories.document().pk)
    thanks = client.get(send(client, form)["Location"])
    assert thanks.context["download_url"]
    assert f'href="{page.url}"' in thanks.content.decode()


def test_document_of_a_form__not_gated__handed_out_by_link_and_mail(client, site, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    form = factories.lead_form(document_id=factories.document().pk)
    thanks = client.get(send(client, form)["Location"])
    assert client.get(thanks.context["download_url"]).status_code == 200
    assert Delivery.objects.get().builtin == "download_link"
