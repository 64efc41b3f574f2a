"""Ready-made forms."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.forms.test_form_page import send, url_of
from wagtail_ma.admin.forms import name_questions, problems_of
from wagtail_ma.forms.models import LeadForm
from wagtail_ma.forms.starters import STARTERS, find, new_form

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("purpose", LeadForm.Purpose.values)
def test_starter__of_each_purpose__is_a_working_form(client, site, purpose, language):
    form = new_form(find(purpose), language=language)
    rows = list(form.fields.all())
    name_questions(rows)
    assert [problem for index in range(len(rows)) for problem in problems_of(rows, index)] == []
    assert form.consent_text and form.heading and form.submit_label
    form.save()
    response = client.get(url_of(form))
    assert response.status_code == 200
    names = [row.name for row in rows]
    assert len(names) == len(set(names)) and "email" in names
    assert ("family_name_kana" in names) == (language == "ja" and "given_name" in names)


def test_starters__every_purpose__has_one():
    assert [starter.purpose for starter in STARTERS] == LeadForm.Purpose.values


def test_screen__starters__lead_to_a_filled_in_editor(admin_client, site):
    text = admin_client.get(reverse("wagtail_ma_forms:starters")).content.decode()
    assert "?from=seminar&amp;language=ja" in text
    editor = admin_client.get(f"{reverse('wagtail_ma_forms:add')}?from=seminar&language=en").content.decode()
    assert 'value="attendance"' in editor
    assert 'name="fields-6-maps_to"' in editor


@pytest.mark.parametrize("query", ["?from=nonsense", "?from=seminar&language=xx", ""])
def test_screen__odd_address__still_an_editor(admin_client, site, query):
    assert admin_client.get(reverse("wagtail_ma_forms:add") + query).status_code == 200


def test_starter__newsletter__sent__asks_for_confirmation(client, site):
    form = new_form(find("newsletter"), language="en")
    form.save()
    thanks = client.get(send(client, form, {"consent": "on"})["Location"]).content.decode()
    assert "press the button in it" in thanks
