"""The screens of forms and gated documents."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from wagtail.models import ModelLogEntry

from tests import factories
from tests.forms.test_form_page import send
from wagtail_ma.forms.models import GatedDocument, LeadForm, Submission

pytestmark = pytest.mark.django_db


@pytest.fixture
def form(site):
    return factories.lead_form(name="Whitepaper form")


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def questions(*rows, initial=0):
    data = {
        "fields-TOTAL_FORMS": len(rows),
        "fields-INITIAL_FORMS": initial,
        "fields-MIN_NUM_FORMS": 0,
        "fields-MAX_NUM_FORMS": 1000,
    }
    for number, maps_to in enumerate(rows):
        data |= {
            f"fields-{number}-maps_to": maps_to,
            f"fields-{number}-ORDER": number + 1,
            f"fields-{number}-is_required": "on",
        }
    return data


BASICS = {"name": "New", "purpose": "contact", "free_mail": "allow"}
GATE = {"for_blocked": "hold"}


def test_add__new_form__begins_with_the_usual_questions(admin_client, site):
    text = admin_client.get(reverse("wagtail_ma_forms:add")).content.decode()
    for number, maps_to in enumerate(("family_name", "company_name", "email")):
        assert f'name="fields-{number}-maps_to"' in text
        assert f'<option value="{maps_to}" selected>' in text


def test_add__three_questions__saved_in_their_order(admin_client, site):
    data = {**BASICS, **questions("email", "phone", "message")}
    response = admin_client.post(reverse("wagtail_ma_forms:add"), data)
    assert response.status_code == 302
    assert [row.maps_to for row in LeadForm.objects.get().fields.all()] == ["email", "phone", "message"]


def test_add__same_question_twice__refused_in_words(admin_client, site):
    response = admin_client.post(reverse("wagtail_ma_forms:add"), {**BASICS, **questions("email", "email")})
    assert response.status_code == 200
    assert "is asked twice" in response.content.decode()
    assert not LeadForm.objects.exists()


def test_edit__form__tells_its_public_address(admin_client, form):
    text = admin_client.get(reverse("wagtail_ma_forms:edit", args=[form.pk])).content.decode()
    assert reverse("wagtail_ma:form", args=[form.pk]) in text
    assert reverse("wagtail_ma_forms:submissions", args=[form.pk]) in text


def test_index__form_with_a_submission__counted(admin_client, client, form):
    send(client, form)
    text = admin_client.get(reverse("wagtail_ma_forms:index")).content.decode()
    assert "Whitepaper form" in text
    assert "Family name, Company, E-mail address" in text


def test_submissions__list__names_lead_to_the_visitor(admin_client, client, form):
    send(client, form, {"company_name": "<b>Example</b>"})
    text = admin_client.get(reverse("wagtail_ma_forms:submissions", args=[form.pk])).content.decode()
    assert "Suzuki" in text
    assert "&lt;b&gt;Example" in text
    assert "<b>Example" not in text


def test_submissions__export__formulas_are_guarded(admin_client, client, form):
    send(client, form, {"company_name": '=HYPERLINK("x")'})
    url = reverse("wagtail_ma_forms:submissions", args=[form.pk])
    response = admin_client.get(f"{url}?export=csv")
    text = b"".join(response.streaming_content).decode() if response.streaming else response.content.decode()
    assert "'=HYPERLINK" in text


@pytest.mark.parametrize(
    ("codenames", "status"), [([], 302), (["change_leadform"], 302), (["view_lead"], 200)]
)
def test_submissions__without_the_right_to_see_leads__refused(
    client, django_user_model, form, codenames, status
):
    group = Group.objects.create(name="g")
    group.permissions.set(Permission.objects.filter(codename__in=["access_admin", *codenames]))
    user = django_user_model.objects.create_user("e", "e@example.com", "e")
    user.groups.add(group)
    client.force_login(user)
    url = reverse("wagtail_ma_forms:submissions", args=[form.pk])
    assert client.get(url).status_code == status
    if status == 200:
        assert client.get(f"{url}?export=csv").status_code in (302, 403)


def test_delete__form_in_front_of_a_document__not_possible(admin_client, form, media):
    GatedDocument.objects.create(document_id=factories.document().pk, form=form)
    response = admin_client.post(reverse("wagtail_ma_forms:delete", args=[form.pk]))
    assert response.status_code < 500
    assert LeadForm.objects.filter(pk=form.pk).exists()


def test_gated__add__document_kept_by_id(admin_client, form, media):
    document = factories.document()
    data = {**GATE, "document": document.pk, "form": form.pk}
    assert admin_client.post(reverse("wagtail_ma_gated:add"), data).status_code == 302
    assert GatedDocument.objects.get().document_id == document.pk
    again = admin_client.post(reverse("wagtail_ma_gated:add"), data)
    assert "This document is gated already." in again.content.decode()


def test_gated__edit__shows_the_chosen_document(admin_client, form, media):
    gate = GatedDocument.objects.create(document_id=factories.document("The paper").pk, form=form)
    text = admin_client.get(reverse("wagtail_ma_gated:edit", args=[gate.pk])).content.decode()
    assert "The paper" in text
    form_two = factories.lead_form(name="Two")
    data = {**GATE, "document": gate.document_id, "form": form_two.pk}
    assert admin_client.post(reverse("wagtail_ma_gated:edit", args=[gate.pk]), data).status_code == 302
    gate.refresh_from_db()
    assert gate.form == form_two


def test_gated__index__counts_downloads_and_survives_a_deleted_document(admin_client, client, form, media):
    document = factories.document("The paper")
    GatedDocument.objects.create(document_id=document.pk, form=form)
    GatedDocument.objects.create(document_id=99_999, form=form)
    client.get(
        client.get(send(client, form, query=f"?document={document.pk}")["Location"]).context["download_url"]
    )
    response = admin_client.get(reverse("wagtail_ma_gated:index"))
    rows = {row.document_title: row.download_count for row in response.context["object_list"]}
    assert rows == {"The paper": 1, None: 0}
    assert "Deleted document" in response.content.decode()


def test_empty_lists__say_what_to_do_next(admin_client, site):
    assert "Make the first form" in admin_client.get(reverse("wagtail_ma_forms:index")).content.decode()
    assert "Gate a document" in admin_client.get(reverse("wagtail_ma_gated:index")).content.decode()


def test_log__answers_looked_at__without_saying_whose(admin_client, client, form):
    send(client, form, {"family_name": "aaaa"})
    sent = Submission.objects.get()
    admin_client.get(reverse("wagtail_ma_forms:submissions", args=[form.pk]))
    admin_client.get(reverse("wagtail_ma_forms:submissions", args=[form.pk]) + "?export=csv")
    admin_client.get(reverse("wagtail_ma_forms:review", args=[sent.pk]))
    logged = ModelLogEntry.objects.filter(action__startswith="wagtail_ma.").order_by("pk")
    assert [entry.action.removeprefix("wagtail_ma.") for entry in logged] == [
        "view_submissions",
        "export",
        "view_lead",
    ]
    assert all("ann" not in f"{entry.label} {entry.data}".lower() for entry in logged)
