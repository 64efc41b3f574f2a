"""The editor of a form, and the screens of what was sent and agreed to."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.forms.test_admin import BASICS, questions
from tests.forms.test_form_page import send
from tests.testapp.models import ContentPage
from wagtail_ma.forms import confirm
from wagtail_ma.forms.models import LeadForm, LeadFormField, Submission
from wagtail_ma.messaging.models import Consent

pytestmark = pytest.mark.django_db


def post(admin_client, *rows, **fields):
    data = {**BASICS, **questions(*(row.get("maps_to", "question") for row in rows)), **fields}
    for number, row in enumerate(rows):
        data |= {f"fields-{number}-{name}": value for name, value in row.items()}
    response = admin_client.post(reverse("wagtail_ma_forms:add"), data)
    return response if response.status_code == 302 else response.content.decode()


RADIO = {"label": "Way", "key": "way", "kind": "radio", "choices": "venue\nonline"}


def test_add__own_questions__saved_and_named(admin_client, site):
    post(
        admin_client,
        {"maps_to": "email"},
        RADIO,
        {"label": "Guests", "kind": "number", "show_if": "way", "show_if_values": "venue"},
        {"label": "More", "kind": "text"},
    )
    rows = list(LeadForm.objects.get().fields.all())
    assert [row.name for row in rows] == ["email", "way", "q1", "q2"]
    assert rows[2].wanted_values == ["venue"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"label": ""}], "needs a label"),
        ([{"label": "A", "key": "Größe"}], "a short name has small letters"),
        ([{"label": "A", "key": "email"}], "is taken"),
        ([{"label": "A", "key": "consent"}], "is taken"),
        ([{"label": "A", "key": "a"}, {"label": "B", "key": "a"}], "is asked twice"),
        ([{"label": "A", "kind": "select"}], "write down the choices"),
        ([{"label": "A", "show_if": "b", "show_if_values": "x"}], "is none of the earlier questions"),
        ([RADIO, {"label": "A", "show_if": "way"}], "say for which answers"),
        ([RADIO, {"label": "A", "show_if": "way", "show_if_values": "boat"}], "is no answer to choose"),
        ([RADIO, {"maps_to": "email", "show_if": "way"}], "always asked for"),
    ],
)
def test_add__faulty_question__refused_in_words(admin_client, site, rows, words):
    assert words in post(admin_client, *rows)
    assert not LeadForm.objects.exists()


def test_add__no_lead_fields_defined__none_can_be_asked_for(admin_client, site):
    text = admin_client.get(reverse("wagtail_ma_forms:add")).content.decode()
    assert 'value="question"' in text
    assert 'value="attribute"' not in text
    post(admin_client, {"maps_to": "attribute", "key": "budget", "label": "Budget"})
    assert not LeadForm.objects.exists()


def test_add__notified_addresses__checked_and_normalised(admin_client, site):
    assert "is not an e-mail address" in post(admin_client, {"maps_to": "email"}, notify="nobody")
    post(admin_client, {"maps_to": "email"}, notify="Sales@Example.org\n\nsales@example.org")
    assert LeadForm.objects.get().notified == ["sales@example.org"]


def test_edit__thank_you_page_and_document__kept_and_shown(admin_client, home, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    page = ContentPage(title="Merci", slug="merci")
    home.add_child(instance=page)
    document = factories.document("The paper")
    post(admin_client, {"maps_to": "email"}, thanks_page=page.pk, document=document.pk)
    form = LeadForm.objects.get()
    assert (form.thanks_page_key, form.document_id) == (page.translation_key, document.pk)
    text = admin_client.get(reverse("wagtail_ma_forms:edit", args=[form.pk])).content.decode()
    assert "Merci" in text and "The paper" in text


def test_question_deleted__in_the_editor__is_not_checked(admin_client, site):
    form = factories.lead_form("email", "phone")
    rows = list(form.fields.all())
    data = {**BASICS, **questions("email", "email", initial=2)}
    data |= {f"fields-{number}-id": row.pk for number, row in enumerate(rows)}
    data["fields-1-DELETE"] = "on"
    url = reverse("wagtail_ma_forms:edit", args=[form.pk])
    assert admin_client.post(url, data).status_code == 302
    assert LeadFormField.objects.count() == 1


def export(client, url):
    response = client.get(url)
    return b"".join(response.streaming_content).decode() if response.streaming else response.content.decode()


def test_submissions__export__a_column_per_question_ever_asked(admin_client, client, site):
    form = factories.lead_form("email")
    form.fields.add(LeadFormField(maps_to="question", key="budget", label="Your =budget", sort_order=1))
    form.save()
    send(client, form, {"budget": "=1+1"})
    form.fields.get(key="budget").delete()
    url = reverse("wagtail_ma_forms:submissions", args=[form.pk])
    text = export(admin_client, f"{url}?export=csv")
    heading, row = text.strip().splitlines()
    assert "Your =budget" in heading
    assert "'=1+1" in row and ",=1+1" not in row
    assert admin_client.get(f"{url}?export=xlsx").status_code == 200
    assert "Your =budget: =1+1" in admin_client.get(url).content.decode()


def test_submissions__filtered_by_state__only_those(admin_client, client, site):
    form = factories.lead_form()
    send(client, form)
    send(client, form, {"family_name": "ああああ"})
    url = reverse("wagtail_ma_forms:submissions", args=[form.pk])
    response = admin_client.get(f"{url}?state=suspect")
    assert [row.data["family_name"] for row in response.context["object_list"]] == ["ああああ"]
    waiting = admin_client.get(reverse("wagtail_ma_forms:index")).context["object_list"][0]
    assert (waiting.submission_count, waiting.waiting_count) == (2, 1)
    assert admin_client.get(f"{url}?confirmed=true").status_code == 200


@pytest.fixture
def agreed(client, site):
    """One who agreed at once, one who confirmed by mail."""
    plain = factories.lead_form(consent_text="=Yes & please", name="Plain")
    send(client, plain, {"consent": "on"})
    double = factories.lead_form(consent_text="Yes", asks_confirmation=True, name="Double")
    send(client, double, {"consent": "on", "email": "bob@example.com"})
    client.post(confirm.make_link(Submission.objects.latest("pk"), now=timezone.now()))


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_consents__export__words_form_and_revision(admin_client, agreed, kind):
    url = reverse("wagtail_ma_forms:consents")
    response = admin_client.get(f"{url}?export={kind}")
    assert response.status_code == 200
    if kind == "csv":
        rows = (
            b"".join(response.streaming_content).decode() if response.streaming else response.content.decode()
        )
        assert "'=Yes & please" in rows
        assert "Double" in rows and "Plain" in rows
        assert "confirmed by mail" in rows


def test_consents__list__escaped_and_filtered(admin_client, agreed):
    url = reverse("wagtail_ma_forms:consents")
    assert "=Yes &amp; please" in admin_client.get(url).content.decode()
    found = admin_client.get(f"{url}?source_kind=confirmation").context["object_list"]
    assert [row.email for row in found] == ["bob@example.com"]
    assert [row.email for row in admin_client.get(f"{url}?q=ann").context["object_list"]] == [
        "ann@example.com"
    ]


def test_consents__without_the_right_to_export__list_only(client, agreed, django_user_model):
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("e", "e@example.com", "e")
    url = reverse("wagtail_ma_forms:consents")
    user.user_permissions.set(Permission.objects.filter(codename="access_admin"))
    client.force_login(user)
    assert client.get(url).status_code in (302, 403)
    user.user_permissions.set(Permission.objects.filter(codename__in=["access_admin", "view_lead"]))
    client.force_login(django_user_model.objects.get(pk=user.pk))
    assert client.get(url).status_code == 200
    assert client.get(f"{url}?export=csv").status_code in (302, 403)
    assert Consent.objects.count() == 2
