"""Which company somebody belongs to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from wagtail_ma.people import companies
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models_of_companies import Affiliation, Company

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
