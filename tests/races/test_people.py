"""Merging and erasing persons, and joining companies, while others do the same and hits arrive."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction

from tests import factories
from tests.races.test_identify import check, send
from tests.races.test_recording import record, together
from wagtail_ma import flow
from wagtail_ma.people import erase, merge, persons, proposals
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, IdentityLink, Lead, MergeProposal, News, Visitor
from wagtail_ma.people.models_of_companies import Affiliation, Company, CompanyDomain
from wagtail_ma.scoring.models import Standing
from wagtail_ma.tracking.models import Activity, PageView, TrackedPage, Visit

pytestmark = pytest.mark.django_db(transaction=True)
FACTS = 50_000
only_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
LATER = timedelta(minutes=1)


def orphans():
    """Rows whose visitor is gone: the database itself does not look for them."""
    tables = (Visit, PageView, Activity, News)
    return [row for table in tables for row in table.objects.exclude(visitor__in=Visitor.objects.all())]


def somebody(home, now):
    """Three messages of a browser that was here already, and how to erase whose it is."""
    view_id = uuid4()
    key = flow.record_hit(factories.page_hit(home, view_id=view_id), now=now).browser_key
    person = persons.gather(Visitor.objects.get(identities__key=key).pk, now=now)
    messages = {
        "view": factories.page_hit(home, browser_key=key),
        "totals": factories.engagement_hit(view_id, 30, page=home, browser_key=key),
        "act": factories.page_hit(
            home, browser_key=key, kind="c", event_id=uuid4(), name="form_view", data={}
        ),
    }
    return messages, lambda: erase.erase(person)


@pytest.mark.parametrize("round_number", range(3))
def test_company__colleagues_at_once__one_company(site, now, round_number):
    form = factories.lead_form("email")
    addresses = [f"a{number}@acme.example" for number in range(6)]
    together(*[lambda email=email: send(form, None, email, now, nonce=email) for email in addresses])
    assert CompanyDomain.objects.count() == 1
    assert set(Lead.objects.values_list("company_id", flat=True)) == {CompanyDomain.objects.get().company_id}
    assert Company.objects.count() == 1
    assert Affiliation.objects.filter(until=None).count() == 6


def test_accept__hits_in_flight_and_two_clicks__one_merge_and_no_fact_left_behind(home, now):
    keys = [factories.browser(now).key for _ in range(2)]
    for key, email in zip(keys, ("ann@acme.example", "a.ito@acme.example"), strict=True):
        browser = Identity.objects.get(key=key)
        identify(browser, email=email, now=now, method="form", family_name="Ito", given_name="Ann")
    proposal = MergeProposal.objects.get()
    hits = [factories.page_hit(home, browser_key=keys[1]) for _ in range(16)]

    def click():
        try:
            proposals.accept(MergeProposal.objects.get(), user_id=None, now=now)
        except proposals.CannotMerge:
            return

    together(lambda: [record(hit, now) for hit in hits], click, click, lambda: flow.react(now=now))
    assert PageView.objects.filter(visitor_id=proposal.kept_id).count() == 16
    # One for each identity of the other: the browser and the address.
    assert IdentityLink.objects.filter(method="merge").count() == 2
    check()


def test_undo__hits_in_flight_and_react__each_has_their_own_facts(home, now):
    lead = identify(None, email="ann@example.com", now=now, method="import")
    key = flow.record_hit(factories.page_hit(home), now=now).browser_key
    browser = Identity.objects.get(key=key)
    origin_id = browser.visitor_id
    identify(browser, email="ann@example.com", now=now, method="form")
    link = IdentityLink.objects.get(identity=browser)
    hits = [factories.page_hit(home, browser_key=key) for _ in range(16)]
    later = now + timedelta(seconds=10)

    def click():
        try:
            merge.undo(IdentityLink.objects.get(pk=link.pk), now=now)
        except merge.CannotUndo:
            return

    together(
        lambda: [record(hit, now) for hit in hits],
        click,
        click,
        lambda: [flow.react(now=later) for _ in range(4)],
    )
    flow.react(now=later)
    assert PageView.objects.filter(visitor_id=origin_id).count() == 17
    assert Standing.objects.get(visitor_id=origin_id).view_count == 17
    assert not Standing.objects.filter(visitor_id=lead.visitor_id, view_count__gt=0).exists()
    check()


def test_erase__hits_in_flight__nobody_is_left(home, now):
    key = factories.browser(now).key
    lead = identify(Identity.objects.get(key=key), email="ann@example.com", now=now, method="form")
    hits = [factories.page_hit(home, browser_key=key) for _ in range(12)]
    together(
        lambda: [record(hit, now) for hit in hits],
        lambda: erase.erase(persons.gather(lead.visitor_id, now=now)),
    )
    assert not Lead.objects.exists()
    assert not Identity.objects.filter(kind="email").exists()
    # What came later is a stranger's.
    assert not Visitor.objects.filter(pk=lead.visitor_id).exists()
    check()


def test_merge__of_50_000_facts__is_short_and_hits_are_recorded_meanwhile(home, now):
    """The request moves no more than a chunk; the rest follows in short transactions, between which
    hits of the same browser come through."""
    lead = identify(None, email="ann@example.com", now=now, method="import")
    first = factories.page_hit(home)
    key = flow.record_hit(first, now=now).browser_key
    browser, visit, page = Identity.objects.get(key=key), Visit.objects.get(), TrackedPage.objects.get()
    sample = PageView.objects.get()
    stamp = now - timedelta(days=1)
    rows = []
    for _ in range(FACTS):
        row = PageView(
            **{
                field.attname: getattr(sample, field.attname)
                for field in PageView._meta.concrete_fields
                if field.attname not in ("id", "view_id", "at")
            },
            at=stamp,
            view_id=factories.page_hit().view_id,
        )
        rows.append(row)
    PageView.objects.bulk_create(rows, batch_size=5_000)
    assert (visit.identity_id, page.pk) == (browser.pk, sample.tracked_page_id)

    identify(browser, email="ann@example.com", now=now, method="form")
    moved = PageView.objects.filter(visitor_id=lead.visitor_id).count()
    assert moved == merge.AT_ONCE

    def settle():
        while IdentityLink.objects.filter(is_settled=False).exists():
            merge.settle(now=now)

    hits = [factories.page_hit(home, browser_key=key) for _ in range(10)]
    together(settle, lambda: [record(hit, now + timedelta(seconds=1)) for hit in hits])
    assert PageView.objects.filter(visitor_id=lead.visitor_id).count() == FACTS + 1 + 10
    check()


@only_postgresql
def test_merge__not_committed_yet__hits_of_other_browsers_do_not_wait(home, now):
    identify(None, email="ann@example.com", now=now, method="import")
    mine, other = (flow.record_hit(factories.page_hit(home), now=now).browser_key for _ in range(2))
    done = []
    with transaction.atomic():
        identify(Identity.objects.get(key=mine), email="ann@example.com", now=now, method="form")
        together(lambda: done.append(record(factories.page_hit(home, browser_key=other), now)))
        assert done
    assert PageView.objects.count() == 3


@only_postgresql
@pytest.mark.parametrize("kind", ["view", "totals", "act"])
def test_message__its_visitor_is_being_erased__nothing_of_them_is_left(home, now, kind):
    messages, forget = somebody(home, now)
    gone = Visitor.objects.get()
    is_erased, is_coming = threading.Event(), threading.Event()

    def erasing():
        with transaction.atomic():
            forget()
            is_erased.set()
            is_coming.wait(timeout=30)
            time.sleep(0.1)

    def coming():
        is_erased.wait(timeout=30)
        is_coming.set()
        record(messages[kind], now + LATER)

    together(erasing, coming)
    assert not orphans()
    assert not Visitor.objects.filter(pk=gone.pk).exists()
    # A browser that is known no more begins anew.
    assert Visit.objects.count() == Visitor.objects.count() == (kind != "totals")


@only_postgresql
@pytest.mark.parametrize("kind", ["view", "totals", "act"])
def test_erase__message_not_committed_yet__it_goes_too(home, now, kind):
    messages, forget = somebody(home, now)
    is_written = threading.Event()

    def writing():
        with transaction.atomic():
            flow.record_hit(messages[kind], now=now + LATER)
            is_written.set()
            time.sleep(0.1)

    def erasing():
        is_written.wait(timeout=30)
        forget()

    together(writing, erasing)
    assert not orphans()
    assert not any(table.objects.exists() for table in (Visitor, Identity, Visit, PageView, Activity, News))


def test_erase__messages_at_the_same_moment__no_row_of_nobody(home, now):
    for _ in range(8):
        messages, forget = somebody(home, now)
        together(forget, *[lambda hit=hit: record(hit, now + LATER) for hit in messages.values()])
        assert not orphans()
