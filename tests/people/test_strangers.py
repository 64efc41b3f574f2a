"""Strangers whom nobody can recognise any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from tests import factories
from wagtail_ma import flow
from wagtail_ma.core.belongings import belongings
from wagtail_ma.jobs import tick
from wagtail_ma.people import merge, strangers
from wagtail_ma.people.models import Identity, Lead, Visitor
from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.sales.models_of_tasks import Task
from wagtail_ma.scoring.carry import carry_forward
from wagtail_ma.tracking import retention, rollups
from wagtail_ma.tracking.models import Visit

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=1000)


@pytest.fixture(name="stranger")
def _stranger(home: Any, now: datetime) -> Visitor:
    """Somebody who came once, long ago."""
    key = flow.record_hit(factories.page_hit(home), now=now - LONG_AGO).browser_key
    return Visitor.objects.get(identities__key=key)


def forget_facts(now: datetime) -> None:
    while rollups.roll_up(now=now, limit=30):
        pass
    retention.purge(now=now, carry=partial(carry_forward, now=now))


def test_due__visits_deleted_and_cookie_ended__forgotten_with_all_traces(
    stranger: Visitor, now: datetime
) -> None:
    assert not strangers.due(now=now).exists(), "the visit is there"
    forget_facts(now)
    assert list(strangers.due(now=now)) == [stranger]
    assert strangers.purge(now=now) == 1
    assert not Visitor.objects.exists() and not Identity.objects.exists()
    assert strangers.purge(now=now) == 0


def test_due__browser_comes_back_meanwhile__stays(home: Any, stranger: Visitor, now: datetime) -> None:
    forget_facts(now)
    key = Identity.objects.get(visitor=stranger).key
    flow.record_hit(factories.page_hit(home, browser_key=key), now=now)
    assert not strangers.due(now=now).exists()


@override_settings(WAGTAIL_MA={"RETENTION_MONTHS": 4})
def test_due__cookie_may_still_be_there__stays_until_it_has_ended(home: Any, now: datetime) -> None:
    """Facts go after four months, the cookie lives for 400 days: who comes back is recognised."""
    flow.record_hit(factories.page_hit(home), now=now - timedelta(days=300))
    key = flow.record_hit(factories.page_hit(home), now=now - timedelta(days=500)).browser_key
    flow.record_hit(factories.page_hit(home, browser_key=key), now=now - timedelta(days=200))
    forget_facts(now)
    assert not Visit.objects.exists()
    assert not strangers.due(now=now).exists(), "one came first, the other last, less than 400 days ago"
    assert strangers.due(now=now + timedelta(days=150)).count() == 1
    assert strangers.due(now=now + timedelta(days=250)).count() == 2


def task(visitor: Visitor, at: datetime) -> None:
    Task.objects.create(visitor=visitor, text="Look", due_at=at, created_at=at, source_key="1")


def hot(visitor: Visitor, at: datetime) -> None:
    definition = HotDefinition.objects.create(name="x", kind="rank")
    HotEntry.objects.create(
        visitor=visitor,
        born_visitor=visitor,
        definition=definition,
        opened_at=at,
        evidence_at=at,
        expires_at=at,
    )


def lead(visitor: Visitor, at: datetime) -> None:
    made = factories.make_lead("a@example.com", now=at)
    Lead.objects.filter(pk=made.pk).update(visitor=visitor)


def merged(visitor: Visitor, at: datetime) -> None:
    other = Visitor.objects.create(first_seen_at=at)
    identity = merge.lock(visitor.identities.values_list("pk", flat=True)).popitem()[1]
    merge.repoint(identity, other.pk, now=at, method="test")


@pytest.mark.parametrize("tie", [task, hot, lead, merged])
def test_due__somebody_has_to_do_with_them__stays(stranger: Visitor, now: datetime, tie: Any) -> None:
    forget_facts(now)
    tie(stranger, now - LONG_AGO)
    assert stranger not in strangers.due(now=now)


def test_background_work__once_an_hour_and_a_few_at_a_time(home: Any, now: datetime) -> None:
    for _ in range(3):
        flow.record_hit(factories.page_hit(home), now=now - LONG_AGO)
    forget_facts(now)
    assert strangers.forget_due(now=now, limit=2) == 2
    assert [tick.forget_strangers(now=now + timedelta(minutes=minutes)) for minutes in (0, 30, 61)] == [
        1,
        0,
        0,
    ]
    flow.record_hit(factories.page_hit(home), now=now - LONG_AGO)
    forget_facts(now)
    assert tick.forget_strangers(now=now + timedelta(minutes=90)) == 0
    assert tick.forget_strangers(now=now + timedelta(minutes=130)) == 1
    assert not Visitor.objects.exists()


def test_ma_purge__forgets_and_tells(stranger: Visitor, now: datetime, capsys: Any) -> None:
    call_command("ma_purge", "--dry-run")
    assert "Strangers that would be forgotten: 0" in capsys.readouterr().out
    call_command("ma_purge")
    assert "Forgotten strangers: 1" in capsys.readouterr().out
    assert not Visitor.objects.exists()


def test_traces__are_what_is_left_of_facts() -> None:
    assert {entry.model for entry in belongings if entry.is_trace} == {
        "wagtail_ma.CarriedPoints",
        "wagtail_ma.CarriedCounts",
        "wagtail_ma.PastMembership",
    }
