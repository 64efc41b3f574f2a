"""Keeping the members of a segment as a segment of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.factories import condition, make_browser, make_segment, make_view
from wagtail_ma.people.models import News
from wagtail_ma.segments import decisions, refresh
from wagtail_ma.segments.models import Segment

pytestmark = pytest.mark.django_db


def test_snapshot__members_now__stay_when_the_other_changes(home: Any, now: Any) -> None:
    segment = make_segment("Readers", condition("page_viewed", page=home.pk, days=7))
    reader, other = make_browser(now=now), make_browser(now=now)
    make_view(reader, home, at=now)
    refresh.refresh_segment(segment, now=now)
    kept = decisions.snapshot(segment, "Readers of today", by=None, now=now)
    assert (kept.is_static, kept.member_count) == (True, 1)
    assert not News.objects.exists()
    later = now + timedelta(days=30)
    assert refresh.refresh_visitors([reader.visitor_id, other.visitor_id], now=later)
    assert not segment.memberships.exists()
    assert [each.visitor_id for each in kept.memberships.all()] == [reader.visitor_id]
    assert refresh.differences(Segment.objects.get(pk=kept.pk), now=later) == []


def test_snapshot__live_segment__has_nobody_to_keep(now: Any) -> None:
    segment = make_segment("Searchers", condition("query_parameter", name="q", operator="present"))
    with pytest.raises(decisions.LiveSegment):
        decisions.snapshot(segment, "Copy", by=None, now=now)
