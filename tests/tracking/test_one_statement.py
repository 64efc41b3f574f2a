"""The short way into the database ends in the same rows as the long one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings

from tests.factories import engagement_hit, page_hit
from tests.tracking.test_batch import rows, stories, told, wipe
from wagtail_ma import flow
from wagtail_ma.people.models import News
from wagtail_ma.tracking.models import PageView

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="other databases go the long way"),
]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
def test_messages__recorded_either_way__same_rows(home: Any, now: datetime, story: list[Any]) -> None:
    heard = told(story, now, home)
    wipe()
    for each in heard:
        # Inside of a transaction it is the long way.
        with transaction.atomic():
            flow.record_hit(each.hit, now=each.at)
    expected, news = rows(), News.objects.count()
    wipe()
    for each in heard:
        flow.record_hit(each.hit, now=each.at)
    assert (rows(), News.objects.count()) == (expected, news)


def test_view_and_totals_of_a_known_browser__one_and_two_statements(home: Any, now: datetime) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    hit = page_hit(home, browser_key=key)
    with CaptureQueriesContext(connection) as captured:
        assert flow.record_hit(hit, now=now + timedelta(seconds=9)).browser_key == key
    assert len(captured) == 1
    with CaptureQueriesContext(connection) as captured:
        flow.record_hit(engagement_hit(hit.view_id, 5, page=home), now=now + timedelta(seconds=20))
    assert len(captured) == 2
    view = PageView.objects.select_related("visit").get(view_id=hit.view_id)
    assert (view.engaged_seconds, view.visit.last_at) == (5, now + timedelta(seconds=20))
    assert News.objects.count() == 3


def test_view_told_again_later__prolongs_nothing_and_is_no_news(home: Any, now: datetime) -> None:
    key = flow.record_hit(page_hit(home), now=now).browser_key
    hit = page_hit(home, browser_key=key)
    for minutes in (1, 20):
        flow.record_hit(hit, now=now + timedelta(minutes=minutes))
    view = PageView.objects.select_related("visit").get(view_id=hit.view_id)
    assert (view.at, view.visit.last_at) == (now + timedelta(minutes=1), now + timedelta(minutes=1))
    assert News.objects.count() == 2
