"""Nothing that can be sent to a form or a download makes an error page, or a row it should not."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import factories
from tests.forms.test_form_page import ANSWERS, state_in, url_of
from wagtail_ma.forms.models import Submission
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import Lead
from wagtail_ma.web import forms as form_views

relaxed = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
text = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        ["", "\x00", "\r\nBcc: a@example.com", "a" * 70_000, "{{ 7*7 }}", "=1+1", "\ud800", "'; --"]
    ),
)
NAMES = [*ANSWERS, "message", "phone", "consent", "ma_homepage", "next", "document"]


@pytest.mark.django_db
@relaxed
@given(answers=st.dictionaries(st.sampled_from(NAMES), text, max_size=6))
def test_post__any_answers__never_an_error_page(site, answers):
    form = factories.lead_form("family_name", "company_name", "email", "phone", "message", consent_text="Yes")
    client = Client()
    state = state_in(client.get(url_of(form)))
    clean = {key: value.encode("utf-8", "replace").decode() for key, value in answers.items()}
    response = client.post(url_of(form), {**ANSWERS, **clean, "ma_state": state})
    assert response.status_code in (200, 303, 422, 429)
    for lead in Lead.objects.all():
        assert "\n" not in lead.email + lead.family_name + lead.company_name
        assert "\x00" not in lead.family_name + lead.company_name


KINDS = ["line", "text", "number", "date", "select", "radio", "checkboxes", "checkbox", "hidden"]


@pytest.mark.django_db
@relaxed
@given(
    answers=st.dictionaries(
        st.sampled_from([*KINDS, "family_name_kana", "postal_code", "ma_warned", "ma_state"]),
        st.one_of(text, st.lists(text, max_size=3), st.decimals().map(str), st.dates().map(str)),
        max_size=8,
    )
)
def test_post__any_kind_of_question__never_an_error_page(site, answers):
    form = factories.lead_form("email", "family_name_kana", "postal_code", free_mail="warn", name="Fuzz")
    question = form.fields.model
    for order, kind in enumerate(KINDS, start=5):
        row = {"maps_to": "question", "key": kind, "label": kind, "kind": kind, "choices": "one\ntwo"}
        form.fields.add(
            question(**row, is_required=False, sort_order=order, show_if="line", show_if_values="a")
        )
    form.save()
    client = Client()
    answers = {
        name: [one.encode("utf-8", "replace").decode() for one in value]
        if isinstance(value, list)
        else value.encode("utf-8", "replace").decode()
        for name, value in answers.items()
    }
    known = {"email": "ann@example.com", "ma_state": state_in(client.get(url_of(form)))}
    response = client.post(url_of(form), {**known, **answers})
    assert response.status_code in (200, 303, 422, 429)
    assert client.get(url_of(form)).status_code == 200


@pytest.mark.django_db
@relaxed
@given(
    body=st.binary(max_size=400),
    content_type=st.sampled_from(
        [
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain",
            "multipart/form-data",
            "x",
        ]
    ),
)
def test_post__any_bytes__never_an_error_page_nor_a_row(site, body, content_type):
    form = factories.lead_form()
    response = Client().post(url_of(form), body, content_type=content_type)
    assert response.status_code in (400, 403, 422)
    assert not Submission.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.django_db
@relaxed
@given(
    cookie=st.text(
        alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='";,\\'), max_size=80
    )
)
def test_post__any_cookie__an_unsigned_key_is_never_adopted(site, cookie):
    Submission.objects.all().delete()  # the limit per address counts them
    form = factories.lead_form()
    client = Client()
    client.cookies["wagtail_ma"] = cookie
    state = state_in(client.get(url_of(form)))
    response = client.post(url_of(form), {**ANSWERS, "ma_state": state})
    assert response.status_code == 303
    assert response.cookies["wagtail_ma"].value != cookie


@contextmanager
def write_lock():
    """Another process holds SQLite's write lock."""
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite has one writer")
@pytest.mark.django_db(transaction=True)
def test_post__database_locked__asked_to_send_again_with_the_entries_kept(site, monkeypatch):
    monkeypatch.setattr(form_views, "WAIT_MS", 50)
    form = factories.lead_form()
    client = Client()
    answers = {**ANSWERS, "ma_state": state_in(client.get(url_of(form)))}
    with write_lock():
        response = client.post(url_of(form), answers)
    assert response.status_code == 503
    assert 'value="Suzuki"' in response.content.decode()
    assert not Lead.objects.exists()
    assert client.post(url_of(form), answers).status_code == 303
    assert Lead.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
def test_other_methods__refused(client, site, method):
    form = factories.lead_form()
    assert getattr(client, method)(url_of(form)).status_code == 405
    assert getattr(client, method)(reverse("wagtail_ma:download", args=["x"])).status_code == 405
