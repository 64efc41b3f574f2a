"""The short ways into the database end in the same rows as the long one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings

from tests.factories import engagement_hit, page_hit
from tests.statements import counted
from tests.tracking.test_batch import rows, stories, told, wipe
from wagtail_ma import flow
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import few_statements, one_statement
from wagtail_ma.tracking.models import PageView, Visit

pytestmark = pytest.mark.django_db(transaction=True)
IS_POSTGRES = connection.vendor == "postgresql"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
def test_messages__recorded_either_way__same_rows(home: Any, now: datetime, story: list[Any]) -> None:
    heard = told(story, now, home)
    wipe()
    with patch.object(one_statement, "is_usual", return_value=False), _long_way_only():
        for each in heard:
            # (Inside of a transaction PostgreSQL goes the long way with totals, too.)
            with transaction.atomic():
                flow.record_hit(each.hit, now=each.at)
    expected, news = rows(), News.objects.count()
    wipe()
    for each in heard:
        flow.record_hit(each.hit, now=each.at)
    assert (rows(), News.objects.count()) == (expected, news)


def _long_way_only() -> Any:
    return patch.object(few_statements, "is_usual", return_value=False)


def test_view_and_totals__few_statements(home: Any, now: datetime) -> None:
    flow.record_hit(page_hit(home), now=now)
    with counted() as captured:
        key = flow.record_hit(page_hit(home), now=now).browser_key
    # SQLite: five rows of a new visitor, BEGIN and COMMIT.
    assert len(captured) == (1 if IS_POSTGRES else 7)
    hit = page_hit(home, browser_key=key)
    with counted() as captured:
        assert flow.record_hit(hit, now=now + timedelta(seconds=9)).browser_key == key
    assert len(captured) == (1 if IS_POSTGRES else 6)
    with counted() as captured:
        flow.record_hit(engagement_hit(hit.view_id, 5, page=home), now=now + timedelta(seconds=20))
    assert len(captured) == (2 if IS_POSTGRES else 6)
    view = PageView.objects.select_related("visit").get(view_id=hit.view_id)
    assert (view.engaged_seconds, view.visit.last_at) == (5, now + timedelta(seconds=20))
    assert News.objects.count() == 4


@pytest.mark.parametrize("later", [timedelta(minutes=40), timedelta(minutes=1)])
def test_any_single_view__at_most_eight_statements(home: Any, now: datetime, later: timedelta) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    stranger = flow.record_hit(page_hit(home), now=now).browser_key
    Visitor.objects.filter(identities__key=stranger).delete()
    for hit in (page_hit(home), page_hit(home, browser_key=key), page_hit(home, browser_key=stranger)):
        with counted() as captured:
            flow.record_hit(hit, now=now + later)
        assert len(captured) <= 8
    assert Identity.objects.filter(key=stranger).count() == 0


def test_first_view__told_twice__one_visitor_and_the_same_key(home: Any, now: datetime) -> None:
    hit = page_hit(home)
    keys = {flow.record_hit(hit, now=now + timedelta(seconds=n)).browser_key for n in range(3)}
    assert len(keys) == 1
    assert (Visitor.objects.count(), Visit.objects.count(), PageView.objects.count()) == (1, 1, 1)


def test_view_told_again_later__prolongs_nothing_and_is_no_news(home: Any, now: datetime) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    hit = page_hit(home, browser_key=key)
    for minutes in (1, 20):
        flow.record_hit(hit, now=now + timedelta(minutes=minutes))
    view = PageView.objects.select_related("visit").get(view_id=hit.view_id)
    assert (view.at, view.visit.last_at) == (now + timedelta(minutes=1), now + timedelta(minutes=1))
    assert News.objects.count() == 2
