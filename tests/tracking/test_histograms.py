"""Medians from buckets."""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import browser, page_hit
from wagtail_ma import flow
from wagtail_ma.tracking import histograms
from wagtail_ma.tracking.models import PageView


def exact(seconds: list[float], share: float) -> float:
    return sorted(seconds)[max(1, math.ceil(share * len(seconds))) - 1]


def bucket(seconds: float) -> int:
    """The definition, in Python."""
    if seconds < histograms.LINEAR_SECONDS:
        return math.floor(seconds + 0.5)
    return 120 + math.floor(math.log(seconds / 120) / math.log(1.02) + 0.5)


@given(
    st.lists(st.integers(0, 36_000).map(lambda tenths: tenths / 10), min_size=1, max_size=60),
    st.sampled_from([0.5, 0.9]),
)
def test_quantile__any_durations__is_off_by_half_a_second_or_one_per_cent(
    seconds: list[float], share: float
) -> None:
    halves = [seconds[::2], seconds[1::2]]
    days = [
        {str(bucket(each)): [bucket(x) for x in half].count(bucket(each)) for each in half} for half in halves
    ]
    found = histograms.quantile(histograms.add(days), share)
    wanted = exact(seconds, share)
    assert found == pytest.approx(wanted, abs=0.5001, rel=0.0101)


def test_quantile__nothing__is_none() -> None:
    assert histograms.quantile({}, 0.5) is None


@pytest.mark.django_db
def test_bucket_of__in_the_database__agrees_with_the_definition(home: Any, now: datetime) -> None:
    flow.record_hit(page_hit(home, browser_key=browser(now).key), now=now)
    view = PageView.objects.get()
    seconds = [0, 0.4, 0.5, 1.2, 59.9, 119.4, 119.5, 119.9, 120, 121.3, 300, 1800, 1799.5, 36_000]
    copies = []
    for each in seconds:
        copy = PageView.objects.get(pk=view.pk)
        copy.pk, copy.view_id, copy.engaged_seconds = None, uuid.uuid4(), each
        copies.append(copy)
    view.delete()
    PageView.objects.bulk_create(copies)
    rows = PageView.objects.annotate(b=histograms.bucket_of()).values_list("engaged_seconds", "b")
    assert dict(rows) == {each: bucket(each) for each in seconds}
