"""The rules by which an address is tied to a browser."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from wagtail_ma.people import browsers, merge
from wagtail_ma.people.identify import identify, identify_browser
from wagtail_ma.people.models import Identity, IdentityLink, Lead, News, Visitor
from wagtail_ma.people.role_addresses import is_role_address
from wagtail_ma.tracking.models import Activity

pytestmark = pytest.mark.django_db


def test_identify__anonymous_browser_and_new_address__same_visitor_gets_the_lead(now):
    browser = factories.browser(now)
    before = browser.visitor_id
    lead = identify(browser, email=" Ann@Example.COM", now=now, method="form", family_name="Ann")
    assert lead.visitor_id == before
    assert (lead.email, lead.family_name, lead.created_at) == ("ann@example.com", "Ann", now)
    assert Visitor.objects.count() == 1
    link = IdentityLink.objects.get()
    assert (link.from_visitor_id, link.to_visitor_id, link.strength) == (None, before, "claimed")
    assert link.identity.key == "ann@example.com"


def test_identify__twice__changes_nothing_but_newer_values(now):
    browser = factories.browser(now)
    first = identify(browser, email="ann@example.com", now=now, method="form", company_name="Old Ltd")
    second = identify(
        browser, email="ＡＮＮ＠example.com", now=now, method="form", company_name="New Ltd", title=""
    )
    assert first.pk == second.pk
    assert second.company_name == "New Ltd"
    assert (Lead.objects.count(), Visitor.objects.count(), IdentityLink.objects.count()) == (1, 1, 1)


def test_identify__empty_value__keeps_the_known_one(now):
    browser = factories.browser(now)
    identify(browser, email="ann@example.com", now=now, method="form", company_name="Known Ltd")
    lead = identify(browser, email="ann@example.com", now=now, method="form", company_name="  ")
    lead.refresh_from_db()
    assert lead.company_name == "Known Ltd"


def test_identify__known_address_from_a_second_browser__history_joins_and_the_empty_one_is_a_tombstone(now):
    later = now + timedelta(days=1)
    old, second = factories.browser(now), factories.browser(later)
    lead = identify(old, email="ann@example.com", now=later, method="form")
    fact = factories.activity(second, later)
    emptied = second.visitor_id
    News.objects.all().delete()

    same = identify(second, email="ann@example.com", now=later, method="form")

    assert same == lead
    assert second.visitor_id == lead.visitor_id
    fact.refresh_from_db()
    assert fact.visitor_id == lead.visitor_id
    assert Visitor.objects.get(pk=emptied).merged_into_id == lead.visitor_id
    link = IdentityLink.objects.get(identity=second)
    assert (link.from_visitor_id, link.to_visitor_id, link.method) == (emptied, lead.visitor_id, "form")
    assert set(News.objects.values_list("visitor_id", flat=True)) == {emptied, lead.visitor_id}


def test_identify__known_address_from_an_older_browser__first_seen_is_the_earliest(now):
    later = now + timedelta(days=9)
    old, second = factories.browser(now), factories.browser(later)
    identify(second, email="ann@example.com", now=later, method="form")
    lead = identify(old, email="ann@example.com", now=later, method="form")
    assert Visitor.objects.get(pk=lead.visitor_id).first_seen_at == now


@pytest.mark.parametrize("is_known", [False, True])
def test_identify__shared_computer__browser_gets_a_new_identity_and_the_old_keeps_its_facts(now, is_known):
    browser = factories.browser(now)
    ann = identify(browser, email="ann@example.com", now=now, method="form")
    fact = factories.activity(browser, now)
    if is_known:
        identify(None, email="bob@example.com", now=now, method="import")

    who = identify_browser(browser, email="bob@example.com", now=now, method="form")

    assert who.is_new_browser
    assert who.identity.key != browser.key
    assert who.lead.visitor_id == who.identity.visitor_id != ann.visitor_id
    fact.refresh_from_db()
    assert fact.visitor_id == ann.visitor_id
    assert Identity.objects.get(pk=browser.pk).visitor_id == ann.visitor_id
    conflict = IdentityLink.objects.get(identity=who.identity)
    assert conflict.evidence["conflict_with"] == browser.pk


def test_identify__forwarded_mail_link__browser_stays_with_its_owner(now):
    browser = factories.browser(now)
    ann = identify(browser, email="ann@example.com", now=now, method="form")
    who = identify_browser(browser, email="bob@example.com", now=now, method="mail_link")
    assert not who.is_new_browser
    assert who.identity.kind == Identity.Kind.EMAIL
    assert who.lead.visitor_id != ann.visitor_id
    assert Identity.objects.get(pk=browser.pk).visitor_id == ann.visitor_id


def test_proofs__somebody_else_s_mail__proves_nothing_and_hides_no_later_proof(now):
    browser = factories.browser(now)
    ann = identify(browser, email="ann@example.com", now=now, method="form")
    identify_browser(browser, email="bob@example.com", now=now, method="mail_link")
    assert not browsers.proofs(browser.pk, ann.visitor_id).exists()
    for _time in range(2):
        for method in ("mail_link", "login"):
            identify_browser(browser, email="ann@example.com", now=now, method=method)
    methods = browsers.proofs(browser.pk, ann.visitor_id).values_list("method", flat=True)
    assert sorted(methods) == ["login", "mail_link"]


def test_identify__mail_link_in_an_anonymous_browser__is_verified(now):
    identify(None, email="ann@example.com", now=now, method="import")
    browser = factories.browser(now)
    identify(browser, email="ann@example.com", now=now, method="mail_link")
    assert IdentityLink.objects.get(identity=browser).strength == "verified"


def test_identify__role_address__own_person_and_the_browser_stays(now):
    browser = factories.browser(now)
    who = identify_browser(browser, email="info@example.com", now=now, method="form", company_name="Example")
    assert not who.is_new_browser
    assert who.lead.visitor_id != browser.visitor_id
    assert who.identity.kind == Identity.Kind.EMAIL
    assert not Lead.objects.filter(visitor_id=browser.visitor_id).exists()
    # The same desk from anywhere is the same lead, and nobody's browser.
    other = factories.browser(now)
    again = identify_browser(other, email="info@example.com", now=now, method="form")
    assert again.lead == who.lead
    assert Identity.objects.get(pk=other.pk).visitor_id == other.visitor_id != who.lead.visitor_id


def test_identify__no_browser__own_lead(now):
    who = identify_browser(None, email="ann@example.com", now=now, method="import")
    assert who.identity.kind == Identity.Kind.EMAIL
    assert who.lead.visitor_id == who.identity.visitor_id


def test_identify__person_without_lead_row__gets_it_back(now):
    browser = factories.browser(now)
    lead = identify(browser, email="ann@example.com", now=now, method="form")
    visitor_id = lead.visitor_id
    lead.delete()
    assert identify(browser, email="ann@example.com", now=now, method="form").visitor_id == visitor_id


def test_identify__refusal_to_be_tracked__survives_the_merge_and_leaves_with_the_undo(now):
    lead = identify(None, email="ann@example.com", now=now, method="import")
    browser = factories.browser(now)
    Visitor.objects.filter(pk=browser.visitor_id).update(excluded_reason="opt-out")
    identify(browser, email="ann@example.com", now=now, method="form")
    assert Visitor.objects.get(pk=lead.visitor_id).excluded_reason == "opt-out"
    merge.undo(IdentityLink.objects.get(identity=browser), now=now)
    assert Visitor.objects.get(pk=lead.visitor_id).excluded_reason == ""


def test_identify__doubtful_browser__does_not_take_the_person_out_of_lists(now):
    lead = identify(None, email="ann@example.com", now=now, method="import")
    browser = factories.browser(now)
    Visitor.objects.filter(pk=browser.visitor_id).update(excluded_reason=Visitor.DOUBTFUL)
    identify(browser, email="ann@example.com", now=now, method="form")
    assert Visitor.objects.get(pk=lead.visitor_id).excluded_reason == ""


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@b", "a@b.c\nBcc: x@y.z", "a b@example.com", "@example.com"]
)
def test_identify__nonsense_address__refused_without_a_row(now, address):
    with pytest.raises(ValueError):
        identify(None, email=address, now=now, method="form")
    assert not Visitor.objects.exists()


def test_identify__unknown_field__refused(now):
    with pytest.raises(TypeError):
        identify(None, email="ann@example.com", now=now, method="form", shoe_size="38")


def test_identify__hostile_values__one_clean_line_of_the_right_length(now):
    lead = identify(
        None,
        email="ann@example.com",
        now=now,
        method="form",
        family_name="A\r\nBcc: x\x00" + "x" * 500,
        company_name="\u202eLtd",
    )
    lead.refresh_from_db()
    assert lead.family_name.startswith("A  Bcc: xxx")
    assert len(lead.family_name) == 80
    assert lead.company_name == "Ltd"


@pytest.mark.parametrize(
    "email", ["info@a.example", "sales.tokyo@a.example", "soumu@a.co.jp", "support2@a.example"]
)
def test_is_role_address__desk__true(email):
    assert is_role_address(email)


@pytest.mark.parametrize(
    "email", ["ann@a.example", "informatik.bauer@a.example", "hrabal@a.example", "soumura@a.jp"]
)
def test_is_role_address__person__false(email):
    assert not is_role_address(email)


def test_activity_of_merged_identity__written_after_the_merge__names_the_person(now):
    lead = identify(None, email="ann@example.com", now=now, method="import")
    browser = factories.browser(now)
    identify(browser, email="ann@example.com", now=now, method="form")
    factories.activity(browser, now)
    assert set(Activity.objects.values_list("visitor_id", flat=True)) == {lead.visitor_id}
