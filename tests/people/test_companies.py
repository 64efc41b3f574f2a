"""Which company somebody belongs to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from wagtail_ma.people import companies, company_merge
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import News
from wagtail_ma.people.models_of_companies import Affiliation, Company, CompanyAlias

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("domain", "registered"),
    [
        ("sales.example.co.jp", "example.co.jp"),
        ("example.co.jp", "example.co.jp"),
        ("city.osaka.lg.jp", "osaka.lg.jp"),
        ("metro.tokyo.jp", "metro.tokyo.jp"),
        ("example.kawasaki.jp", ""),
        ("city.kawasaki.jp", "city.kawasaki.jp"),
        ("mail.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("example.de", "example.de"),
        ("co.jp", ""),
        ("jp", ""),
    ],
)
def test_registrable__mail_domains__the_part_that_was_registered(domain, registered):
    assert companies.registrable(domain) == registered


def join(email, name, now):
    return identify(None, email=email, now=now, method="form", company_name=name).company


def test_join__same_domain__one_company_whatever_the_name(site, now):
    first = join("ann@acme.co.jp", "アクメ株式会社", now)
    assert join("bob@tokyo.acme.co.jp", "ACME Japan", now) == first
    assert first.name == "アクメ株式会社"


def test_join__domain_before_the_name__takes_the_name_later(site, now):
    first = join("ann@acme.co.jp", "", now)
    assert first.name == "acme.co.jp"
    join("bob@acme.co.jp", "アクメ㈱", now)
    first.refresh_from_db()
    assert first.name == "アクメ㈱"
    assert first.strict_key == "アクメ"


def test_join__free_mail__by_the_name_alone(site, now):
    first = join("ann@gmail.com", "㈱アクメ", now)
    assert join("bob@yahoo.co.jp", "株式会社 ｱｸﾒ", now) == first
    assert not first.domains.exists()
    assert join("eve@gmail.com", "", now) is None
    assert join("x@docomo.ne.jp", "", now) is None


def test_join__name_of_another_company_typed__does_not_take_over_its_domain(site, now):
    victim = join("ann@acme.co.jp", "アクメ株式会社", now)
    join("eve@evil.example", "アクメ株式会社", now)
    assert [one.domain for one in victim.domains.all()] == ["acme.co.jp"]


def test_join__form_before_and_behind__two_companies(site, now):
    assert join("ann@gmail.com", "株式会社山田", now) != join("bob@gmail.com", "山田株式会社", now)
    assert Company.objects.count() == 2


def test_affiliation__change_of_company__keeps_the_history(site, now):
    lead = identify(None, email="ann@gmail.com", now=now, method="form", company_name="One")
    later = now + timedelta(days=30)
    identify(None, email="ann@gmail.com", now=now, method="form", title="Manager")
    identify(None, email="ann@gmail.com", now=later, method="form", company_name="Two", title="Director")
    old, new = Affiliation.objects.filter(lead=lead).order_by("since")
    assert (old.company.name, old.title, old.until) == ("One", "Manager", later)
    assert (new.company.name, new.title, new.until) == ("Two", "Director", None)
    lead.refresh_from_db()
    assert (lead.company.name, lead.rank) == ("Two", 4)


def test_sources__import__fills_gaps_only(site, now):
    identify(None, email="ann@gmail.com", now=now, method="form", phone="03-1111-2222")
    lead = identify(None, email="ann@gmail.com", now=now, method="import", phone="9", given_name="Ann")
    assert (lead.phone, lead.given_name) == ("03-1111-2222", "Ann")
    assert lead.sources["phone"]["by"] == "form"
    assert lead.sources["given_name"]["by"] == "import"


def test_join__two_at_once__one_company_by_domain(site, now):
    factories.browser(now)
    one = companies.find_or_make("a@acme.example", "Acme", now=now)
    assert companies.find_or_make("b@acme.example", "Acme", now=now) == one


def test_join__shared_domain__by_the_name_alone(site, now):
    parent = join("ann@group.example", "Group Holdings", now)
    parent.domains.update(is_shared=True)
    assert join("bob@group.example", "Group Logistics", now).name == "Group Logistics"
    assert join("eve@group.example", "", now) is None
    assert join("eve@group.example", "GROUP HOLDINGS", now) == parent


def test_join__other_name__is_that_company(site, now):
    nhk = join("ann@gmail.com", "日本放送協会", now)
    CompanyAlias.objects.create(company=nhk, name="ＮＨＫ")
    assert join("bob@gmail.com", "エヌ・エイチ・ケイ", now) == nhk
    assert join("eve@gmail.com", "NHK出版", now) != nhk


def test_similar__names_that_read_alike__never_joined_by_themselves(site, now):
    one = join("ann@gmail.com", "JR東日本", now)
    two = join("bob@gmail.com", "ジェイアール東日本", now)
    join("eve@gmail.com", "東日本電信電話", now)
    assert one != two
    assert company_merge.similar(one) == [two]
    assert set(company_merge.with_similar(Company.objects.all())) == {one, two}


def test_merge__everything_of_one__becomes_the_other_s(site, now):
    kept = join("ann@jr-east.example", "JR東日本", now)
    other = join("bob@jre.example", "東日本旅客鉄道株式会社", now)
    Company.objects.filter(pk=other.pk).update(is_customer=True, corporate_number="9011001029597")
    CompanyAlias.objects.create(company=other, name="East Japan Railway")
    News.objects.all().delete()
    assert company_merge.merge(kept, other, now=now) == 1
    kept.refresh_from_db()
    assert (kept.name, kept.is_customer, kept.corporate_number) == ("JR東日本", True, "9011001029597")
    assert set(kept.leads.values_list("email", flat=True)) == {"ann@jr-east.example", "bob@jre.example"}
    assert set(kept.domains.values_list("domain", flat=True)) == {"jr-east.example", "jre.example"}
    assert kept.affiliations.count() == 2
    assert News.objects.get().visitor == kept.leads.get(email="bob@jre.example").visitor
    # It does not come back: by no name and no domain.
    for email, name in (
        ("eve@gmail.com", "東日本旅客鉄道"),
        ("joe@gmail.com", "EAST JAPAN RAILWAY"),
        ("max@jre.example", ""),
    ):
        assert join(email, name, now) == kept
    assert Company.objects.count() == 1


def test_merge__certainly_two__refused(site, now):
    one, two = join("ann@a.example", "A", now), join("bob@b.example", "B", now)
    Company.objects.filter(pk=one.pk).update(corporate_number="8011005000968")
    Company.objects.filter(pk=two.pk).update(corporate_number="1180301018771")
    for other in (one, two):
        with pytest.raises(company_merge.NotTheSame):
            company_merge.merge(one, other, now=now)
    two.delete()
    with pytest.raises(company_merge.NotTheSame):
        company_merge.merge(one, Company(pk=10**9), now=now)


def test_merge__every_table_that_names_a_company__is_thought_of():
    assert {
        (relation.related_model.__name__, relation.field.name) for relation in Company._meta.related_objects
    } == {
        ("Lead", "company"),
        ("Affiliation", "company"),
        ("CompanyDomain", "company"),
        ("CompanyAlias", "company"),
    }
