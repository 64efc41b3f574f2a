"""Two companies that were made one by mistake are two again, as if they had never been one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import START
from wagtail_ma.people import companies, company_merge, company_undo
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Lead, News
from wagtail_ma.people.models_of_companies import (
    Affiliation,
    Company,
    CompanyAlias,
    CompanyDomain,
    CompanyMerge,
)

pytestmark = pytest.mark.django_db
QUIETLY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ALPHA, BETA, GAMMA = "Alpha", "株式会社ベータ", "Gamma"
# Of Alpha's domain, of Beta's, and of nobody's.
PEOPLE = ["ann@alpha.example", "bob@beta.example", "bea@beta.example", "eve@gmail.com", "joe@gmail.com"]
NAMES = ["", ALPHA, BETA, "Beta Inc", GAMMA, "Delta"]
told = st.tuples(
    st.just("told"), st.sampled_from(PEOPLE), st.sampled_from(NAMES), st.sampled_from(["", "Sales", "IT"])
)
act = st.one_of(
    told,
    told,
    told,
    st.tuples(st.just("website")),
    st.tuples(st.just("alias"), st.sampled_from(["Alpha Corp", "Omega"])),
    st.tuples(st.just("domain")),
    st.tuples(st.just("gamma")),
)


class World:
    """Three companies and who says to belong to them."""

    def __init__(self) -> None:
        self.now = START
        for name, domain in ((ALPHA, "alpha.example"), (BETA, "beta.example"), (GAMMA, "gamma.example")):
            self.now += timedelta(days=1)
            company = Company.objects.create(name=name, created_at=self.now)
            CompanyDomain.objects.create(company=company, domain=domain)
        CompanyAlias.objects.create(company=self.get(BETA), name="Beta Inc")
        # Alpha, the one to be kept, is younger than Beta and lacks what the others have.
        Company.objects.filter(name=ALPHA).update(created_at=self.now)
        Company.objects.filter(name=BETA).update(is_customer=True, website="https://beta.example/")
        Company.objects.filter(name=GAMMA).update(
            is_customer=True, is_competitor=True, website="https://gamma.example/"
        )

    def get(self, name: str) -> Company:
        return Company.objects.get(name=name)

    def do(self, name: str, *arguments: Any) -> None:
        self.now += timedelta(hours=1)
        getattr(self, name)(*arguments)

    def told(self, email: str, company: str, department: str) -> None:
        identify(None, email=email, now=self.now, method="form", company_name=company, department=department)

    def website(self) -> None:
        Company.objects.filter(name=ALPHA).update(website="https://alpha.example/")

    def alias(self, name: str) -> None:
        CompanyAlias.objects.get_or_create(company=self.get(ALPHA), name=name)

    def domain(self) -> None:
        alpha = self.get(ALPHA)
        if not alpha.domains.filter(domain="alpha.test").exists():
            CompanyDomain.objects.create(company=alpha, domain="alpha.test")
            companies.take_in(alpha, "alpha.test", now=self.now)

    def gamma(self) -> None:
        """A merge that is right, and stays."""
        if gamma := Company.objects.filter(name=GAMMA).first():
            company_merge.merge(self.get(ALPHA), gamma, now=self.now)


def portrait() -> dict[str, Any]:
    """All companies with everything of theirs; aliases and domains by their text, people by address."""
    return {
        company.name: {
            "values": {
                name: value
                for name, value in company_merge.as_values(company).items()
                # (A company made meanwhile has another number in another world.)
                if name != "followed_marks" and (name, company.name) != ("id", "Delta")
            },
            "domains": sorted(company.domains.values_list("domain", "is_shared")),
            "aliases": sorted(company.aliases.values_list("name", "strict_key")),
            "people": sorted(company.leads.values_list("email", "company_name")),
            "times": sorted(
                (str(row.since), str(row.until), row.lead.email, row.department, row.title, row.source)
                for row in company.affiliations.select_related("lead")
            ),
        }
        for company in Company.objects.all()
    }


def live(world: World, meanwhile: list[tuple[Any, ...]], *, merged: bool) -> dict[str, Any]:
    """How all stand after these acts, with a merge before and its undoing after them, or without."""
    now, point = world.now, transaction.savepoint()
    try:
        world.now += timedelta(hours=1)
        if merged:
            company_merge.merge(world.get(ALPHA), world.get(BETA), now=world.now)
            assert not Company.objects.filter(name=BETA).exists()
        for name, *arguments in meanwhile:
            world.do(name, *arguments)
        world.now += timedelta(hours=1)
        if merged:
            step = CompanyMerge.objects.get(other__name=BETA)
            company_undo.undo(step, now=world.now)
        return portrait()
    finally:
        transaction.savepoint_rollback(point)
        world.now = now


def named_once(acts: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Without what somebody says who has named a company in these acts already. (Of several names told in
    turn while the two were one, the record keeps the last: the way there is not known.)"""
    kept, seen = [], set()
    for name, *arguments in acts:
        if name == "told" and arguments[1]:
            if arguments[0] in seen:
                continue
            seen.add(arguments[0])
        kept.append((name, *arguments))
    return kept


@QUIETLY
@given(before=st.lists(act, max_size=6), meanwhile=st.lists(act, max_size=6).map(named_once))
def test_undo__whatever_happened_before_and_meanwhile__as_without_the_merge(site, before, meanwhile):
    with transaction.atomic():
        world = World()
        for name, *arguments in before:
            world.do(name, *arguments)
        assert live(world, meanwhile, merged=True) == live(world, meanwhile, merged=False)
        transaction.set_rollback(True)


@pytest.fixture
def merged(site, now):
    """Alpha, with Beta merged into it."""
    world = World()
    for email in PEOPLE[:3]:
        world.do("told", email, "", "")
    kept, other = world.get(ALPHA), world.get(BETA)
    company_merge.merge(kept, other, now=world.now + timedelta(hours=1))
    return world, kept, other


def test_undo__people_by_domain_and_by_hand__each_where_they_belong(merged):
    world, kept, other = merged
    world.now += timedelta(days=1)
    new = identify(None, email="new@beta.example", now=world.now, method="form")
    bob, bea = Lead.objects.get(email="bob@beta.example"), Lead.objects.get(email="bea@beta.example")
    # A colleague looks twice, and leaves him with Alpha.
    bob.sources = {**bob.sources, "company": {"by": "manual", "at": world.now.isoformat()}}
    bob.save()
    News.objects.all().delete()
    company_undo.undo(CompanyMerge.objects.get(), now=world.now + timedelta(days=1))
    other.refresh_from_db()
    for lead, company in ((new, other), (bea, other), (bob, kept)):
        lead.refresh_from_db()
        assert lead.company == company
        assert Affiliation.objects.get(lead=lead, until=None).company == company
    assert {new.visitor_id, bea.visitor_id} <= set(News.objects.values_list("visitor", flat=True))


def test_undo__twice_or_without_the_kept_one__refused(merged):
    world, kept, _other = merged
    step = CompanyMerge.objects.get()
    third = world.get(GAMMA)
    company_merge.merge(third, kept, now=world.now)
    with pytest.raises(company_undo.CannotUndo):
        company_undo.undo(step, now=world.now)
    # What is undone last comes first.
    company_undo.undo(CompanyMerge.objects.get(kept_key=third.pk), now=world.now)
    company_undo.undo(step, now=world.now)
    with pytest.raises(company_undo.CannotUndo):
        company_undo.undo(step, now=world.now)
    assert set(Company.objects.values_list("name", flat=True)) == {ALPHA, BETA, GAMMA}
    assert not company_undo.merges_of(kept).exists()


def test_undo__times_with_microseconds__first_seen_as_before(site, now):
    now = now.replace(microsecond=123_456)
    other = Company.objects.create(name=BETA, created_at=now)
    kept = Company.objects.create(name=ALPHA, created_at=now + timedelta(days=1))
    company_merge.merge(kept, other, now=now + timedelta(days=2))
    company_undo.undo(CompanyMerge.objects.get(), now=now + timedelta(days=3))
    times = dict(Company.objects.values_list("name", "created_at"))
    assert times == {ALPHA: now + timedelta(days=1), BETA: now}


def test_undo_view__one_click__both_are_there_and_it_is_logged(merged, admin_client):
    _world, kept, other = merged
    page = reverse("wagtail_ma_companies:company", args=[kept.pk])
    undo = reverse("wagtail_ma_companies:undo_merge", args=[kept.pk, CompanyMerge.objects.get().pk])
    html = admin_client.get(page).content.decode()
    assert undo in html and BETA in html
    assert admin_client.get(undo).status_code == 405
    assert Company.objects.count() == 2
    answer = admin_client.post(undo, follow=True)
    assert "is a company of its own again. People who came with it: 2." in answer.content.decode()
    assert undo not in answer.content.decode()
    assert Company.objects.filter(pk=other.pk, name=BETA).exists()
    history = admin_client.get(reverse("wagtail_ma_companies:history", args=[kept.pk])).content.decode()
    assert "Made two companies of one again" in history
    assert "That is not possible any more" in admin_client.post(undo, follow=True).content.decode()


def test_undo_view__another_company_or_no_right__not_allowed(merged, admin_client, client, django_user_model):
    world, kept, _other = merged
    step = CompanyMerge.objects.get()
    foreign = reverse("wagtail_ma_companies:undo_merge", args=[world.get(GAMMA).pk, step.pk])
    assert admin_client.post(foreign).status_code == 404
    member = django_user_model.objects.create_user("member", password="x")
    rights = ("access_admin", "view_company", "change_company")
    member.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(member)
    page = reverse("wagtail_ma_companies:company", args=[kept.pk])
    undo = reverse("wagtail_ma_companies:undo_merge", args=[kept.pk, step.pk])
    html = client.get(page).content.decode()
    assert BETA in html and undo not in html
    client.post(undo)
    assert company_undo.merges_of(kept).exists()
