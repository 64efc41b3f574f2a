"""Two named persons become one, and two again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from tests import factories
from wagtail_ma import flow
from wagtail_ma.people import merge, phones, proposals
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, Lead, LeadField, MergeProposal
from wagtail_ma.scoring.models import Standing
from wagtail_ma.segments.models import SegmentDecision
from wagtail_ma.tracking.models import PageView

pytestmark = pytest.mark.django_db
NAME = {"family_name": "Ito", "given_name": "Ann"}


@pytest.fixture
def two(site, now):
    """Ann under two addresses, each with a browser and views."""
    LeadField.objects.create(key="budget", label="Budget")
    leads = []
    for number, email in enumerate(("ann@acme.example", "a.ito@acme.example")):
        browser = factories.browser(now)
        flow.record_hit(factories.page_hit(browser_key=browser.key), now=now)
        more = {"phone": "03-1"} if number else {"title": "部長"}
        leads.append(
            identify(browser, email=email, now=now + timedelta(minutes=number), method="form", **NAME, **more)
        )
    identify(None, email=leads[1].email, now=now, method="form", **{"attributes.budget": "5 M"})
    flow.react(now=now + timedelta(minutes=5))
    return leads


def world() -> dict[str, list]:
    """What is true now, without row ids of what is derived."""
    return {
        "identities": sorted(Identity.objects.values_list("key", "visitor_id")),
        "views": sorted(PageView.objects.values_list("pk", "visitor_id")),
        "leads": sorted(
            Lead.objects.values_list(
                "pk", "visitor_id", "phone", "title", "rank", "company_id", "family_name"
            )
        ),
        "attributes": [lead.attributes for lead in Lead.objects.order_by("pk")],
        "sources": [lead.sources for lead in Lead.objects.order_by("pk")],
        "decisions": sorted(SegmentDecision.objects.values_list("pk", "visitor_id")),
        "standings": sorted(Standing.objects.values_list("visitor_id", "view_count", "visit_count")),
    }


def test_look__same_name_in_one_company__proposed_once(two, now):
    proposal = MergeProposal.objects.get()
    assert (proposal.kept_id, proposal.other_id) == (two[0].visitor_id, two[1].visitor_id)
    identify(None, email="ann@acme.example", now=now, method="form", **NAME)
    assert MergeProposal.objects.count() == 1


def test_look__same_name_in_other_companies__not_proposed(site, now):
    for email in ("ann@one.example", "ann@two.example"):
        identify(None, email=email, now=now, method="form", **NAME)
    assert not MergeProposal.objects.exists()


def test_look__same_name_at_one_computer__proposed(site, now):
    browser = factories.browser(now)
    for email in ("ann@gmail.com", "ann@yahoo.co.jp"):
        identify(browser, email=email, now=now, method="form", **NAME)
    assert MergeProposal.objects.get().reason == "browser"


@pytest.mark.parametrize(
    ("one", "other", "is_proposed"),
    [
        ({"phone": "090-1234-5678"}, {"mobile_phone": "+81 (0)90 1234 5678"}, True),
        ({"phone": "０９０ー１２３４ー５６７８"}, {"phone": "09012345678"}, True),
        (
            {"phone": "03-1234-5678", "family_name": "Ito"},
            {"phone": "0312345678", "family_name": "Ito"},
            True,
        ),
        # Colleagues share the line of their office.
        (
            {"phone": "03-1234-5678", "family_name": "Ito"},
            {"phone": "0312345678", "family_name": "Abe"},
            False,
        ),
        ({"phone": "03-1234-5678"}, {"phone": "0312345678"}, False),
        ({"phone": "03-1234-5678", **NAME}, {"phone": "0312345678", **NAME, "given_name": "Ken"}, False),
        ({"phone": "090-1234-5678"}, {"phone": "090-1234-5679"}, False),
    ],
)
def test_look__telephone_number__of_one_person_or_with_the_name(site, now, one, other, is_proposed):
    identify(None, email="ann@one.example", now=now, method="form", **one)
    identify(None, email="ann@two.example", now=now, method="form", **other)
    found = MergeProposal.objects.first()
    assert (found is not None and found.reason == "phone") == is_proposed


def test_look__number_that_was_changed_since__not_proposed(site, now):
    identify(None, email="ann@one.example", now=now, method="form", phone="090-1234-5678")
    identify(None, email="ann@one.example", now=now, method="form", phone="090-0000-0000")
    identify(None, email="ann@two.example", now=now, method="form", phone="090-1234-5678")
    assert not MergeProposal.objects.exists()


def test_look__record_edited_by_hand__proposed(admin_client, two, now):
    eve = identify(None, email="eve@gmail.com", now=now, method="form", mobile_phone="080-1111-2222")
    MergeProposal.objects.all().delete()
    edit = reverse("wagtail_ma_leads:edit", args=[two[0].pk])
    form = admin_client.get(edit).context["form"]
    data = {name: form[name].value() or "" for name in form.fields} | {"other_phone": "08011112222"}
    assert admin_client.post(edit, data).status_code == 302
    proposal = MergeProposal.objects.get(reason="phone")
    assert {proposal.kept_id, proposal.other_id} == {two[0].visitor_id, eve.visitor_id}
    html = admin_client.get(reverse("wagtail_ma_proposals:index")).content.decode()
    assert "Same telephone number" in html


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("03-1234-5678", "0312345678"),
        ("（０３）１２３４－５６７８", "0312345678"),
        ("+81-3-1234-5678", "0312345678"),
        ("+81 (0)3 1234 5678", "0312345678"),
        ("03-1234-5678 内線 12", "0312345678x12"),
        ("03-1234-5678 ext. 12", "0312345678x12"),
        ("03-1234-5678（内線12）", "0312345678x12"),
        ("+49 30 123456-7", "+49301234567"),
        ("1234", ""),
        ("none", ""),
        ("", ""),
    ],
)
def test_key_of__any_notation__one_key(text, key):
    assert phones.key_of(text) == key


def test_accept__two_persons__one_with_all_history_and_no_gaps(two, now):
    proposals.accept(MergeProposal.objects.get(), user_id=None, now=now)
    flow.react(now=now + timedelta(minutes=9))
    kept = Lead.objects.get(pk=two[0].pk)
    assert (kept.phone, kept.title, kept.attributes) == ("03-1", "部長", {"budget": "5 M"})
    assert set(PageView.objects.values_list("visitor_id", flat=True)) == {kept.visitor_id}
    assert Standing.objects.get().view_count == 2
    assert identify(None, email="a.ito@acme.example", now=now, method="form").pk == kept.pk


def test_undo__after_a_merge__the_world_as_without_it(two, now):
    visitor = Lead.objects.get(pk=two[1].pk).visitor
    SegmentDecision.objects.create(
        segment=factories.make_segment(),
        visitor=visitor,
        born_visitor=visitor,
        is_member=True,
        decided_at=now,
    )
    before = world()
    proposal = MergeProposal.objects.get()
    proposals.accept(proposal, user_id=None, now=now)
    flow.react(now=now + timedelta(minutes=9))
    assert world() != before
    proposals.undo(proposal, user_id=None, now=now)
    flow.react(now=now + timedelta(minutes=19))
    assert world() == before
    assert proposal.state == "undone"


def test_undo__browser_that_joined_since__goes_with_its_address(two, now):
    proposal = MergeProposal.objects.get()
    proposals.accept(proposal, user_id=None, now=now)
    fresh = factories.browser(now)
    identify(fresh, email="a.ito@acme.example", now=now, method="form")
    assert Identity.objects.get(pk=fresh.pk).visitor_id == two[0].visitor_id
    proposals.undo(proposal, user_id=None, now=now)
    assert Identity.objects.get(pk=fresh.pk).visitor_id == two[1].visitor_id


def test_accept__twice_or_refused_after__is_not_possible(two, now):
    proposal = MergeProposal.objects.get()
    proposals.accept(proposal, user_id=None, now=now)
    with pytest.raises(proposals.CannotMerge):
        proposals.accept(proposal, user_id=None, now=now)
    with pytest.raises(proposals.CannotMerge):
        proposals.refuse(proposal, user_id=None, now=now)
    proposals.undo(proposal, user_id=None, now=now)
    with pytest.raises(merge.CannotUndo):
        proposals.undo(proposal, user_id=None, now=now)


def test_screen__merge_and_undo__by_two_clicks(admin_client, two):
    proposal = MergeProposal.objects.get()
    response = admin_client.get(reverse("wagtail_ma_proposals:index"))
    assert "a.ito@acme.example" in response.content.decode()
    url = reverse("wagtail_ma_proposals:decide", args=[proposal.pk])
    assert "03-1" in admin_client.get(url).content.decode()
    admin_client.post(url, {"do": "merge"})
    assert Lead.objects.filter(visitor__merged_into__isnull=True).count() == 1
    assert admin_client.get(reverse("wagtail_ma_leads:index")).context["lead_count"] == 1
    admin_client.post(url, {"do": "undo"})
    assert Lead.objects.filter(visitor__merged_into__isnull=True).count() == 2
    admin_client.post(url, {"do": "refuse"})
    proposal.refresh_from_db()
    assert (proposal.state, proposal.decided_by is not None) == ("refused", True)


def test_screen__propose_by_hand__leads_to_the_decision(admin_client, two, now):
    other = identify(None, email="eve@gmail.com", now=now, method="form")
    url = reverse("wagtail_ma_proposals:propose", args=[two[0].pk])
    assert admin_client.get(url).status_code == 200
    assert "email" in admin_client.post(url, {"email": "ann@acme.example"}).context["form"].errors
    response = admin_client.post(url, {"email": "EVE@gmail.com"})
    found = MergeProposal.objects.get(other=other.visitor)
    assert response["Location"] == reverse("wagtail_ma_proposals:decide", args=[found.pk])


def test_screen__without_permission__is_refused(client, django_user_model, two):
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("reader", password="x")
    user.user_permissions.set(Permission.objects.filter(codename__in=["access_admin", "view_lead"]))
    client.force_login(user)
    proposal = MergeProposal.objects.get()
    client.post(reverse("wagtail_ma_proposals:decide", args=[proposal.pk]), {"do": "merge"})
    proposal.refresh_from_db()
    assert proposal.state == "open"
