"""The screens of leads and companies: editing, exporting, erasing, and who may."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from wagtail.models import ModelLogEntry

from tests import factories
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, Lead, LeadField, Visitor
from wagtail_ma.people.models_of_companies import Affiliation, Company
from wagtail_ma.tracking.models import Visit

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(site, now):
    return identify(
        factories.browser(now),
        email="ann@acme.example",
        now=now,
        method="form",
        company_name="ACME",
        phone="1",
    )


@pytest.fixture
def member(client, django_user_model):
    """Logs somebody in who may enter the admin and has these permissions besides."""

    def log_in(*codenames):
        user = django_user_model.objects.create_user("member", password="x")
        wanted = Permission.objects.filter(codename__in=["access_admin", *codenames])
        user.user_permissions.set(wanted)
        client.force_login(user)
        return client

    return log_in


def values(lead, **changes):
    names = [
        "family_name", "given_name", "family_name_kana", "given_name_kana", "company_name", "company",
        "department", "job_function", "title", "rank", "buying_role", "phone", "mobile_phone", "other_phone",
        "postal_code", "address", "language", "time_zone", "owner",
    ]  # fmt: skip
    data = {name: getattr(lead, f"{name}_id" if name in ("company", "owner") else name) for name in names}
    return {name: "" if value is None else value for name, value in {**data, **changes}.items()}


def test_index__linked_and_not__counts_and_filters(admin_client, ann, now):
    identify(None, email="bob@acme.example", now=now, method="import")
    response = admin_client.get(reverse("wagtail_ma_leads:index"))
    assert (response.context["lead_count"], response.context["unlinked_count"]) == (2, 1)
    response = admin_client.get(reverse("wagtail_ma_leads:index") + "?linked=no")
    assert [lead.email for lead in response.context["object_list"]] == ["bob@acme.example"]


def test_index__filters__company_owner_and_source(admin_client, ann, now, django_user_model):
    bob = identify(None, email="bob@other.example", now=now, method="import", company_name="Other Ltd")
    seller = django_user_model.objects.create_user("seller")
    Lead.objects.filter(pk=bob.pk).update(owner=seller)

    def shown(query):
        response = admin_client.get(reverse("wagtail_ma_leads:index") + query)
        return [lead.email for lead in response.context["object_list"]]

    assert shown("?company=other") == ["bob@other.example"]
    assert shown(f"?owner={seller.pk}") == shown("?source=import") == shown("?source=offline")
    assert shown("?source=offline") == ["bob@other.example"]
    assert shown("?owner=null") == shown("?source=form") == shown("?source=online") == ["ann@acme.example"]
    assert len(shown("?source=nonsense&owner=nonsense")) in (0, 2)


def test_index__statements__do_not_grow_with_the_rows(admin_client, ann, now, django_assert_max_num_queries):
    for number in range(20):
        identify(None, email=f"p{number}@p{number}.example", now=now, method="import", company_name="P")
    admin_client.get(reverse("wagtail_ma_leads:index"))
    with django_assert_max_num_queries(22):
        admin_client.get(reverse("wagtail_ma_leads:index"))


def test_edit__changes__are_kept_with_their_source_and_their_history(admin_client, ann):
    LeadField.objects.create(key="budget", label="Budget")
    url = reverse("wagtail_ma_leads:edit", args=[ann.pk])
    html = admin_client.get(url).content.decode()
    assert "Budget" in html
    # Once: of two, what was typed into the first is lost.
    assert html.count('name="attribute_budget"') == 1
    data = values(ann, title="部長", department="営業部", buying_role="decides", attribute_budget="5 M")
    response = admin_client.post(url, data)
    assert response.status_code == 302, response.context["form"].errors
    ann.refresh_from_db()
    assert (ann.rank, ann.job_function, ann.buying_role) == (4, "sales", "decides")
    assert ann.attributes == {"budget": "5 M"}
    assert ann.sources["title"]["by"] == "manual"
    assert ann.sources["phone"]["by"] == "form"
    assert Affiliation.objects.get(lead=ann, until=None).title == "部長"
    page = admin_client.get(reverse("wagtail_ma_visitors:visitor", args=[ann.visitor_id])).content.decode()
    assert "5 M" in page


def test_edit__any_of_several_choices__ticked_kept_and_read(admin_client, ann):
    LeadField.objects.create(key="fields", label="Fields", kind="several", choices="Rail\nFood\nSteel")
    ann.attributes = {"fields": ["Rail", "Coal"]}
    ann.save()
    url = reverse("wagtail_ma_leads:edit", args=[ann.pk])
    html = admin_client.get(url).content.decode()
    # What is no choice any more can still be kept.
    assert html.count('name="attribute_fields"') == 4
    assert html.count("checked") == 2
    admin_client.post(url, values(ann, attribute_fields=["Coal", "Steel"]))
    ann.refresh_from_db()
    assert ann.attributes == {"fields": ["Coal", "Steel"]}
    page = admin_client.get(reverse("wagtail_ma_visitors:visitor", args=[ann.visitor_id])).content.decode()
    assert "Coal, Steel" in page
    admin_client.post(url, values(ann))
    ann.refresh_from_db()
    assert ann.attributes == {}


def test_edit__another_company_by_hand__the_old_affiliation_ends(admin_client, ann, now):
    other = Company.objects.create(name="Other", created_at=now)
    admin_client.post(reverse("wagtail_ma_leads:edit", args=[ann.pk]), values(ann, company=other.pk))
    ann.refresh_from_db()
    assert ann.company == other
    assert Affiliation.objects.filter(lead=ann).count() == 2
    assert Affiliation.objects.get(lead=ann, until__isnull=False).company.name == "ACME"


def test_add__known_address__is_the_known_person(admin_client, ann):
    data = values(ann, email="ANN@acme.example", given_name="Ann")
    response = admin_client.post(reverse("wagtail_ma_leads:add"), data)
    assert response.status_code == 302, response.context["form"].errors
    lead = Lead.objects.get()
    assert (lead.pk, lead.given_name, lead.phone) == (ann.pk, "Ann", "1")


def test_add__no_address__says_so(admin_client, ann):
    response = admin_client.post(reverse("wagtail_ma_leads:add"), values(ann, email="ann"))
    assert "email" in response.context["form"].errors


def test_data__with_permission__is_a_file_and_is_logged(admin_client, ann):
    response = admin_client.get(reverse("wagtail_ma_leads:json", args=[ann.pk]))
    assert json.loads(response.content)["Lead"][0]["email"] == "ann@acme.example"
    assert "attachment" in response["Content-Disposition"]
    assert (
        "ann@acme.example"
        in admin_client.get(reverse("wagtail_ma_leads:csv", args=[ann.pk])).content.decode()
    )
    assert ModelLogEntry.objects.filter(action="wagtail_ma.export").count() == 2


def test_erase__confirmed__person_is_gone_and_the_log_knows_who_did_it(admin_client, ann):
    url = reverse("wagtail_ma_leads:delete", args=[ann.pk])
    assert "cannot be undone" in admin_client.get(url).content.decode()
    assert Lead.objects.exists()
    admin_client.post(url)
    assert not Lead.objects.exists()
    assert not Visitor.objects.exists()
    entry = ModelLogEntry.objects.get(action="wagtail_ma.erase")
    assert "ann" not in entry.label.lower()
    assert entry.user is not None


RIGHTS = [
    ("wagtail_ma_leads:index", "view_lead"),
    ("wagtail_ma_leads:edit", "change_lead"),
    ("wagtail_ma_leads:json", "export_lead"),
    ("wagtail_ma_leads:csv", "export_lead"),
    ("wagtail_ma_leads:delete", "erase_lead"),
]


@pytest.mark.parametrize(("name", "needed"), RIGHTS)
def test_screens__each_other_permission__is_not_enough(member, ann, name, needed):
    others = {"view_lead", "change_lead", "delete_lead", "export_lead", "erase_lead", "view_visitor"} - {
        needed
    }
    if name.endswith("index"):
        others -= {"change_lead", "delete_lead"}
    client = member(*others)
    url = reverse(name, args=[] if name.endswith("index") else [ann.pk])
    for response in (client.get(url), client.post(url)):
        assert response.status_code in (302, 403, 405)
        assert b"ann@acme.example" not in response.content
    assert Lead.objects.filter(pk=ann.pk).exists()


@pytest.mark.parametrize(("name", "needed"), RIGHTS)
def test_screens__their_permission__is_enough(member, ann, name, needed):
    client = member(needed)
    assert client.get(reverse(name, args=[] if name.endswith("index") else [ann.pk])).status_code == 200


def test_company__its_people_and_visits__only_for_whoever_may_see_leads(member, ann, now):
    url = reverse("wagtail_ma_companies:company", args=[ann.company_id])
    client = member("view_company")
    page = client.get(url).content.decode()
    assert "ACME" in page
    assert "ann@acme.example" not in page
    client.get(reverse("wagtail_ma_companies:index"))
    client.logout()
    assert client.get(url).status_code == 302


def test_company__people__are_listed_with_their_visits(admin_client, ann, now):
    page = admin_client.get(reverse("wagtail_ma_companies:company", args=[ann.company_id])).content.decode()
    assert reverse("wagtail_ma_visitors:visitor", args=[ann.visitor_id]) in page
    same = {"identity": Identity.objects.get(key=ann.email), "visitor_id": ann.visitor_id}
    Visit.objects.create(**same, started_at=now, last_at=now, medium="organic", source="<i>yahoo")
    page = admin_client.get(reverse("wagtail_ma_companies:company", args=[ann.company_id])).content.decode()
    assert "Search: &lt;i&gt;yahoo" in page
    assert "ACME" in admin_client.get(reverse("wagtail_ma_companies:index")).content.decode()


def test_company__domains_by_hand__no_free_mail_and_no_foreign_one(admin_client, ann, now):
    other = Company.objects.create(name="Other", created_at=now)
    url = reverse("wagtail_ma_companies:edit", args=[other.pk])
    for wrong in ("gmail.com", "sales.example.co.jp", "acme.example", "co.jp"):
        response = admin_client.post(url, {"name": "Other", "domain_lines": wrong})
        assert "domain_lines" in response.context["form"].errors, wrong
    lead = factories.make_lead("eve@sub.other.example", now=now)
    assert admin_client.post(url, {"name": "Other", "domain_lines": "@Other.example"}).status_code == 302
    lead.refresh_from_db()
    assert lead.company == other


def test_company__other_names_and_shared_domains__kept_and_checked(admin_client, ann, now):
    url = reverse("wagtail_ma_companies:edit", args=[ann.company_id])
    data = {"name": "ACME", "domain_lines": "acme.example", "shared_lines": "group.example"}
    response = admin_client.post(url, data | {"alias_lines": "Acme Corp. Japan\nエーシーエムイー"})
    assert response.status_code == 302, response.context["form"].errors
    company = Company.objects.get(pk=ann.company_id)
    assert [str(alias) for alias in company.aliases.all()] == ["Acme Corp. Japan", "エーシーエムイー"]
    assert dict(company.domains.values_list("domain", "is_shared")) == {
        "acme.example": False,
        "group.example": True,
    }
    page = admin_client.get(url).content.decode()
    assert "エーシーエムイー" in page
    assert "group.example" in page
    for field, wrong in (
        ("shared_lines", "acme.example"),
        ("shared_lines", "gmail.com"),
        ("alias_lines", "!!"),
    ):
        assert field in admin_client.post(url, {**data, field: wrong}).context["form"].errors, wrong


def test_company__merged__only_after_a_warning_and_with_both_rights(admin_client, ann, now):
    other = identify(
        None, email="bob@acme2.example", now=now, method="form", company_name="<b>Acme</b> 2"
    ).company
    url = reverse("wagtail_ma_companies:merge", args=[ann.company_id])
    assert "&lt;b&gt;Acme&lt;/b&gt; 2" in admin_client.get(f"{url}?q=acme").content.decode()
    page = admin_client.get(f"{url}?with={other.pk}").content.decode()
    assert "merge can be undone" in page
    assert Company.objects.count() == 2
    assert admin_client.post(url, {"with": other.pk}).status_code == 302
    assert Company.objects.get().aliases.get().name == "<b>Acme</b> 2"
    assert ModelLogEntry.objects.filter(action="wagtail_ma.merge_companies").exists()
    for odd in ("", "x", "0", "9" * 40):
        assert admin_client.post(url, {"with": odd}).status_code == 404
        assert admin_client.get(f"{url}?with={odd}").status_code == 404


@pytest.mark.parametrize("right", ["change_company", "delete_company", "view_company", "change_lead"])
def test_company__merged__with_one_right_only__refused(member, ann, now, right):
    other = Company.objects.create(name="Other", created_at=now)
    url = reverse("wagtail_ma_companies:merge", args=[ann.company_id])
    client = member(right)
    assert client.post(url, {"with": other.pk}).status_code in (302, 403)
    assert client.get(url).status_code in (302, 403)
    assert Company.objects.count() == 2


def test_companies__perhaps_twice__filtered(admin_client, ann, now):
    for name in ("JR東日本", "ジェイアール東日本"):
        Company.objects.create(name=name, created_at=now)
    response = admin_client.get(reverse("wagtail_ma_companies:index") + "?twice=yes")
    assert {company.name for company in response.context["object_list"]} == {"JR東日本", "ジェイアール東日本"}
