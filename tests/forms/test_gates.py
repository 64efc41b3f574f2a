"""Gates of collections, and those that do not open for everybody."""

from __future__ import annotations

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from wagtail.models import Collection

from tests import factories
from tests.forms.test_form_page import send, url_of
from wagtail_ma.forms import downloads, gates
from wagtail_ma.forms.models import GatedDocument, LeadForm, Submission
from wagtail_ma.messaging import sending
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models_of_companies import Company, CompanyDomain
from wagtail_ma.tracking.models import Activity

pytestmark = pytest.mark.django_db


@pytest.fixture
def document(site, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    document = factories.document()
    parent = Collection.get_first_root_node().add_child(name="Papers")
    document.collection = parent.add_child(name="2026")
    document.save()
    return document


@pytest.fixture
def form(document):
    return factories.lead_form()


def gate_collection(name, form, **fields):
    return GatedDocument.objects.create(collection=Collection.objects.get(name=name), form=form, **fields)


@pytest.mark.parametrize("name", ["Papers", "2026"])
def test_collection__gated__its_documents_lead_to_the_form(client, document, form, name):
    gate_collection(name, form)
    assert client.get(document.url)["Location"] == f"{url_of(form)}?document={document.pk}"
    open_document = factories.document("Open")
    assert client.get(open_document.url).status_code == 200


def test_collection__form_sent__document_served(client, document, form):
    gate_collection("Papers", form)
    thanks = client.get(send(client, form, query=f"?document={document.pk}")["Location"])
    assert client.get(thanks.context["download_url"]).status_code == 200
    assert client.get(document.url).status_code == 200


def test_collection__gates_at_several_levels__nearest_one_counts(document, form):
    gate_collection("Papers", form)
    nearer = gate_collection("2026", factories.lead_form())
    assert gates.gate_of(document.pk).rule == nearer
    own = GatedDocument.objects.create(document_id=document.pk, form=form)
    assert gates.gate_of(document.pk).rule == own


def test_collection__sibling__not_gated(client, document, form):
    Collection.objects.get(name="Papers").add_child(name="2027")
    gate_collection("2027", form)
    assert gates.gate_of(document.pk) is None


def test_gate_of__document_deleted__none(document, form):
    gate_collection("Papers", form)
    assert gates.gate_of(99_999) is None


@pytest.mark.parametrize(
    ("email", "is_blocked"),
    [
        ("ann@rival.example", True),
        ("ann@tokyo.rival.example", True),
        ("ann@notrival.example", False),
        ("ann@example.com", False),
    ],
)
def test_is_blocked__domain__with_its_sub_domains(email, is_blocked):
    rule = GatedDocument(blocked_domains="@Rival.Example\n\n other.example ")
    assert gates.is_blocked(rule, email) is is_blocked


def ask(client, document, form, for_blocked):
    GatedDocument.objects.create(
        document_id=document.pk, form=form, blocked_domains="rival.example", for_blocked=for_blocked
    )
    response = send(client, form, {"email": "ann@rival.example"}, query=f"?document={document.pk}")
    return client.get(response["Location"])


@pytest.mark.parametrize(
    ("policy", "state", "words"),
    [("hold", "held", "will be looked at"), ("refuse", "refused", "cannot hand out")],
)
def test_send__blocked_domain__no_document_by_any_way(client, document, form, policy, state, words):
    LeadForm.objects.update(thanks="Your download begins.")
    thanks = ask(client, document, form, policy)
    assert "Your download begins." not in thanks.content.decode()
    assert words in thanks.content.decode()
    assert thanks.context["download_url"] == ""
    submission = Submission.objects.get()
    assert submission.state == state
    assert client.get(document.url).status_code == 302
    for by_mail in (False, True):
        link = downloads.make_link(submission, now=timezone.now(), by_mail=by_mail)
        assert client.post(link).status_code == 403
    assert not Delivery.objects.exists()


def test_review__held_and_accepted__link_by_mail(client, admin_client, document, form):
    ask(client, document, form, "hold")
    url = reverse("wagtail_ma_forms:review", args=[Submission.objects.get().pk])
    for _again in range(2):
        admin_client.post(url, {"decision": "accept"})
    assert Delivery.objects.get().builtin == "download_link"
    factories.make_sender()
    sending.drain(now=timezone.now())
    assert mail.outbox[0].to == ["ann@rival.example"]
    assert client.get(document.url).status_code == 200


def test_review__held_and_refused__nothing_is_sent(client, admin_client, document, form):
    ask(client, document, form, "hold")
    url = reverse("wagtail_ma_forms:review", args=[Submission.objects.get().pk])
    admin_client.post(url, {"decision": "refuse"})
    assert Submission.objects.get().state == "refused"
    assert not Delivery.objects.exists()


def test_review__without_the_right_to_change_leads__refused(client, document, form, django_user_model):
    from django.contrib.auth.models import Permission

    ask(client, document, form, "hold")
    user = django_user_model.objects.create_user("e", "e@example.com", "e")
    user.user_permissions.set(Permission.objects.filter(codename__in=["access_admin", "view_lead"]))
    client.force_login(user)
    url = reverse("wagtail_ma_forms:review", args=[Submission.objects.get().pk])
    assert client.post(url, {"decision": "accept"}).status_code in (302, 403)
    assert Submission.objects.get().state == "held"


GATE = {"for_blocked": "hold"}


def test_admin__collection__gated(admin_client, document, form):
    collection = Collection.objects.get(name="Papers")
    url = reverse("wagtail_ma_gated:add")
    data = {**GATE, "collection": collection.pk, "form": form.pk, "blocked_domains": "@Rival.example\n"}
    assert admin_client.post(url, data).status_code == 302
    rule = GatedDocument.objects.get()
    assert (rule.collection, rule.document_id, rule.blocked_domains) == (collection, None, "rival.example")
    assert "is gated already" in admin_client.post(url, data).content.decode()
    assert "Collection “Papers”" in admin_client.get(reverse("wagtail_ma_gated:index")).content.decode()


@pytest.mark.parametrize("both", [True, False])
def test_admin__both_or_none__refused_in_words(admin_client, document, form, both):
    data = {**GATE, "form": form.pk}
    if both:
        data |= {"document": document.pk, "collection": document.collection_id}
    text = admin_client.post(reverse("wagtail_ma_gated:add"), data).content.decode()
    assert "either a document or a collection" in text


def test_admin__no_domain__refused_in_words(admin_client, document, form):
    data = {**GATE, "document": document.pk, "form": form.pk, "blocked_domains": "our rivals"}
    assert "is not a domain" in admin_client.post(reverse("wagtail_ma_gated:add"), data).content.decode()


@pytest.mark.parametrize(("blocks", "state"), [(True, "held"), (False, "accepted")])
def test_send__somebody_of_a_competitor__held_if_the_gate_says_so(client, document, form, blocks, state):
    GatedDocument.objects.create(document_id=document.pk, form=form, blocks_competitors=blocks)
    rival = Company.objects.create(name="Rival Works", is_competitor=True, created_at=timezone.now())
    CompanyDomain.objects.create(company=rival, domain="rival.example")
    send(client, form, {"email": "anna@rival.example"}, query=f"?document={document.pk}")
    assert Submission.objects.get().state == state
    assert (client.get(document.url).status_code == 200) == (state == "accepted")


def test_known_visitor__let_through_only_where_set_and_in_the_same_browser(client, document, form):
    rule = GatedDocument.objects.create(document_id=document.pk, form=form)
    send(client, factories.lead_form())
    assert client.get(document.url).status_code == 302
    rule.lets_known_through = True
    rule.save()
    assert client.get(document.url).status_code == 200
    assert client.get(document.url, headers={"Range": "bytes=0-3"}).status_code in (200, 206)
    assert Activity.objects.filter(kind="download").count() == 1
    assert Client().get(document.url).status_code == 302


def test_known_visitor__of_a_blocked_domain__stays_outside(client, document, form):
    GatedDocument.objects.create(
        document_id=document.pk, form=form, lets_known_through=True, blocked_domains="rival.example"
    )
    send(client, factories.lead_form(), {"email": "anna@rival.example"})
    assert client.get(document.url).status_code == 302
