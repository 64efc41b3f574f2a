"""Naming people while others do the same, hits arrive, and react computes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import transaction
from django.db.models import F

from tests import factories
from tests.races.test_recording import record, together
from wagtail_ma import flow
from wagtail_ma.core.belongings import belongings
from wagtail_ma.forms.submit import submit
from wagtail_ma.people import browsers
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, IdentityLink, Lead, News, Visitor
from wagtail_ma.scoring.models import ScoringModel, Standing
from wagtail_ma.tracking.models import Activity, PageView

pytestmark = pytest.mark.django_db(transaction=True)

ANN = "ann@example.com"


def send(form, key, email, now, *, nonce="n"):
    """What the view does with a form."""
    with transaction.atomic():
        browser = browsers.recognise(key, now=now)
        return submit(form, {"email": email}, browser_identity=browser, now=now, nonce=nonce)


def check() -> None:
    for belonging in belongings:
        if belonging.role == "fact":
            model = apps.get_model(belonging.model)
            of_identity = F(f"{belonging.identity}__visitor_id")
            assert not model.objects.exclude(visitor_id=of_identity).exists(), belonging.model
    assert not Visitor.objects.filter(merged_into__isnull=False, identities__isnull=False).exists()


@pytest.mark.parametrize("round_number", range(3))
def test_identify__same_new_address_in_many_browsers_at_once__one_person(site, now, round_number):
    keys = [factories.browser(now).key for _ in range(6)]
    form = factories.lead_form("email")
    together(*[lambda key=key: send(form, key, ANN, now, nonce=key) for key in keys])
    assert Lead.objects.count() == Identity.objects.filter(kind="email").count() == 1
    person = Lead.objects.get().visitor_id
    assert set(Identity.objects.values_list("visitor_id", flat=True)) == {person}
    assert set(Activity.objects.values_list("visitor_id", flat=True)) == {person}
    assert Activity.objects.count() == 6
    check()


@pytest.mark.parametrize("round_number", range(3))
def test_identify__different_addresses_in_one_browser_at_once__as_many_persons(site, now, round_number):
    key = factories.browser(now).key
    form = factories.lead_form("email")
    addresses = [f"a{number}@example.com" for number in range(4)]
    together(*[lambda email=email: send(form, key, email, now, nonce=email) for email in addresses])
    assert Lead.objects.count() == 4
    assert Identity.objects.filter(kind="browser").values("visitor_id").distinct().count() == 4
    check()


def test_submit__same_form_twice_at_once__one_submission(site, now):
    key = factories.browser(now).key
    form = factories.lead_form("email")
    together(*[lambda: send(form, key, ANN, now) for _ in range(4)])
    assert form.submissions.count() == Activity.objects.count() == Lead.objects.count() == 1


def test_submit__same_form_twice_at_once_without_cookie__one_submission(site, now):
    form = factories.lead_form("email")
    together(*[lambda: send(form, None, ANN, now) for _ in range(4)])
    assert form.submissions.count() == Activity.objects.count() == Lead.objects.count() == 1
    check()


def test_merge__hits_in_flight__no_fact_is_left_behind(home, now):
    lead = identify(None, email=ANN, now=now, method="import")
    key = factories.browser(now).key
    hits = [factories.page_hit(home, browser_key=key) for _ in range(24)]
    form = factories.lead_form("email")

    def visit(some):
        for hit in some:
            record(hit, now)

    together(
        lambda: visit(hits[:12]),
        lambda: visit(hits[12:]),
        lambda: send(form, key, ANN, now),
    )
    assert PageView.objects.filter(visitor_id=lead.visitor_id).count() == 24
    check()


def test_merge__while_react_computes__nothing_derived_is_left_on_the_tombstone(home, now):
    later = now + timedelta(seconds=10)
    identify(None, email=ANN, now=now, method="import")
    keys = [flow.record_hit(factories.page_hit(home), now=now).browser_key for _ in range(6)]
    form = factories.lead_form("email")

    def name_all():
        for key in keys:
            send(form, key, ANN, now, nonce=key)

    def react():
        for _ in range(6):
            flow.react(now=later)

    together(name_all, react)
    flow.react(now=later)
    assert IdentityLink.objects.filter(from_visitor__isnull=False).count() == 6
    for belonging in belongings:
        if belonging.role == "derived":
            model = apps.get_model(belonging.model)
            assert not model.objects.filter(visitor__merged_into__isnull=False).exists(), belonging.model
    check()


def test_react__news_about_a_tombstone__its_derived_rows_go(home, now):
    key = flow.record_hit(factories.page_hit(home), now=now).browser_key
    identify(None, email=ANN, now=now, method="import")
    send(factories.lead_form("email"), key, ANN, now)
    tombstone = Visitor.objects.get(merged_into__isnull=False)
    model = ScoringModel.objects.create(epoch=now, created_at=now)
    Standing.objects.create(model=model, visitor=tombstone)  # as a react that ran at the same moment
    flow.react(now=now + timedelta(seconds=10))
    assert not Standing.objects.filter(visitor=tombstone).exists()
    assert not News.objects.filter(visitor=tombstone).exists()
