"""The kinds of questions, and those that depend on others."""

from __future__ import annotations

import pytest

from tests import factories
from tests.forms.test_form_page import send, url_of
from wagtail_ma.forms.models import Submission
from wagtail_ma.people.models import Lead

pytestmark = pytest.mark.django_db


def make_form(*rows, **fields):
    """A form that asks for the address and these questions of its own."""
    form = factories.lead_form("email", **fields)
    for order, row in enumerate(rows, start=1):
        form.fields.add(
            form.fields.model(**{"maps_to": "question", "sort_order": order, "label": "Q", **row})
        )
    form.save()
    return form


def sent(client, form, answers, status=303):
    response = send(client, form, {"family_name": "", "company_name": "", **answers})
    assert response.status_code == status, response.content.decode()
    return Submission.objects.latest("pk").data if status == 303 else response.content.decode()


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        ("line", "ｱｲｳ abc", "アイウ abc"),
        ("text", "a\nb", "a\nb"),
        ("number", "１,２００", 1200),
        ("number", "−1.5", -1.5),
        ("date", "2026-11-22", "2026-11-22"),
        ("date", "２０２６/１１/２", "2026-11-02"),
        ("date", "2026年11月22日", "2026-11-22"),
        ("select", "two", "two"),
        ("radio", "one", "one"),
        ("checkboxes", ["one", "two"], ["one", "two"]),
        ("checkbox", "yes", True),
        ("hidden", "spring", "spring"),
    ],
)
def test_answer__of_each_kind__kept_as_json(client, site, kind, typed, kept):
    form = make_form({"key": "q", "kind": kind, "choices": "one\ntwo"})
    assert sent(client, form, {"q": typed})["q"] == kept


@pytest.mark.parametrize(
    ("kind", "typed"),
    [("number", "many"), ("number", "NaN"), ("date", "tomorrow"), ("select", "three"), ("radio", "")],
)
def test_answer__impossible__refused_beside_the_question(client, site, kind, typed):
    form = make_form({"key": "q", "kind": kind, "choices": "one\ntwo"})
    text = sent(client, form, {"q": typed}, status=422)
    assert f'id="ma-form-{form.pk}-q_error"' in text
    assert "ma-form__field--wrong" in text


@pytest.mark.parametrize(
    ("maps_to", "typed", "kept"),
    [
        ("family_name_kana", "すずき", "スズキ"),
        ("family_name_kana", "ｽｽﾞｷ", "スズキ"),
        ("postal_code", "〒１００ー０００１", "100-0001"),
        ("postal_code", "1000001", "100-0001"),
        ("phone", "０３（１２３４）５６７８", "03(1234)5678"),
    ],
)
def test_answer__japanese_notation__repaired(client, site, maps_to, typed, kept):
    assert sent(client, factories.lead_form("email", maps_to), {maps_to: typed})[maps_to] == kept


@pytest.mark.parametrize(("maps_to", "typed"), [("family_name_kana", "鈴木"), ("postal_code", "12345")])
def test_answer__beyond_repair__refused(client, site, maps_to, typed):
    sent(client, factories.lead_form("email", maps_to), {maps_to: typed}, status=422)


def test_standard_question__as_a_list__still_fills_the_lead(client, site):
    form = make_form({"maps_to": "title", "kind": "select", "choices": "Manager\nDirector", "label": ""})
    sent(client, form, {"title": "Director"})
    assert Lead.objects.get().title == "Director"


def test_group__radio_buttons__is_a_fieldset_with_legend(client, site):
    form = make_form(
        {"key": "q", "kind": "radio", "choices": "one\ntwo", "label": "Which one?", "help_text": "?"}
    )
    text = client.get(url_of(form)).content.decode()
    assert "<fieldset" in text and "<legend" in text
    assert f'aria-describedby="ma-form-{form.pk}-q_helptext"' in text
    assert f'id="ma-form-{form.pk}-q_helptext"' in text


def test_hidden_value__in_the_address__replaces_the_editor_s(client, site):
    form = make_form({"key": "campaign", "kind": "hidden", "default": "none"})
    text = client.get(f"{url_of(form)}?campaign=spring&email=evil@example.com").content.decode()
    assert 'name="campaign" value="spring"' in text
    assert "evil@example.com" not in text
    assert 'value="none"' in client.get(url_of(form)).content.decode()


def test_label__with_markup__escaped(client, site):
    form = make_form({"key": "q", "kind": "radio", "choices": "<i>one", "label": "<b>Q", "help_text": "<u>h"})
    text = client.get(url_of(form)).content.decode()
    assert "<b>Q" not in text and "<i>one" not in text and "<u>h" not in text


# --- questions that depend on others


@pytest.fixture
def conditional(site):
    return make_form(
        {"key": "way", "kind": "radio", "choices": "venue\nonline"},
        {"key": "guests", "kind": "number", "show_if": "way", "show_if_values": "venue"},
    )


def test_condition__page__shows_all_and_tells_the_script(client, conditional):
    text = client.get(url_of(conditional)).content.decode()
    assert 'data-ma-if="way" data-ma-is="[&quot;venue&quot;]"' in text
    assert "Only if you answered “Q” with: venue" in text
    assert not [line for line in text.splitlines() if 'name="guests"' in line and "required" in line]


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ({"way": "online"}, 303),
        ({"way": "venue", "guests": "2"}, 303),
        ({"way": "venue"}, 422),
        ({"way": "online", "guests": "2"}, 303),
    ],
)
def test_condition__required_question__only_when_it_holds(client, conditional, answers, status):
    sent(client, conditional, answers, status=status)


def test_condition__on_a_tick__holds_for_yes(client, site):
    form = make_form(
        {"key": "call", "kind": "checkbox", "is_required": False},
        {"key": "when", "kind": "line", "show_if": "call", "show_if_values": "yes"},
    )
    sent(client, form, {"call": "yes"}, status=422)
    sent(client, form, {})


# --- policy on addresses


def test_free_mail__refused__says_so(client, site):
    form = factories.lead_form(free_mail="refuse")
    text = send(client, form, {"email": "ann@gmail.com"})
    assert text.status_code == 422
    assert "at your company" in text.content.decode()
    assert send(client, form).status_code == 303


def test_free_mail__warned__accepted_when_sent_again(client, site):
    form = factories.lead_form(free_mail="warn")
    response = send(client, form, {"email": "ａnn@gmail.com"})
    assert response.status_code == 422
    text = response.content.decode()
    assert 'name="ma_warned" value="ann@gmail.com"' in text
    assert f'aria-describedby="ma-form-{form.pk}-email_warning"' in text
    assert send(client, form, {"email": "ann@gmail.com", "ma_warned": "bob@gmail.com"}).status_code == 422
    assert send(client, form, {"email": "ann@gmail.com", "ma_warned": "ann@gmail.com"}).status_code == 303


@pytest.mark.parametrize("policy", ["allow", "warn", "refuse"])
def test_disposable__address__always_refused(client, site, policy):
    form = factories.lead_form(free_mail=policy)
    assert send(client, form, {"email": "ann@mailinator.com"}).status_code == 422
    assert not Lead.objects.exists()
