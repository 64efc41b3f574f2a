"""Hot leads while several workers react at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from tests import factories
from tests.races.test_recording import together
from wagtail_ma import flow
from wagtail_ma.people import news
from wagtail_ma.people.models import Visitor
from wagtail_ma.sales import hot
from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.scoring.models import ScoringRule, Standing

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@pytest.mark.parametrize("round_number", range(3))
def test_react__two_at_once__one_hot_entry_each(home, now, round_number):
    ScoringRule.objects.create(name="View", kind="page_view", points=60)
    definition = HotDefinition.objects.create(name="Score", kind="score", score=50, release_score=40)
    for _person in range(5):
        flow.record_hit(factories.page_hit(home), now=now)
    ids = list(Visitor.objects.values_list("pk", flat=True))
    together(*[lambda: flow.react(now=now)] * 4)
    open_now = HotEntry.objects.filter(closed_at__isnull=True, definition=definition)
    assert sorted(open_now.values_list("visitor_id", flat=True)) == sorted(ids)
    assert HotEntry.objects.count() == len(ids)
    # Handled while others react: it stays handled.
    entry = open_now.order_by("pk")[0]
    news.mark(ids, now=now)
    later = now + timedelta(minutes=1)
    together(lambda: hot.handle([entry.pk], by=None, now=later), *[lambda: flow.react(now=later)] * 3)
    while flow.react(now=later):
        pass
    entry.refresh_from_db()
    assert entry.ended == HotEntry.Ended.HANDLED
    assert HotEntry.objects.count() == len(ids)
    assert Standing.objects.filter(visitor__in=ids, engagement_sum__gt=0).count() == len(ids)
