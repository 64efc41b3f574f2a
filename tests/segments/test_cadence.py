"""How often a segment is decided anew, and that nothing that react did is undone by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.factories import condition, group, make_browser, make_segment, make_view
from wagtail_ma.people.models import News
from wagtail_ma.rules.tree import parse
from wagtail_ma.segments import refresh
from wagtail_ma.segments.cadence import LONGEST, SHORTEST, cadence
from wagtail_ma.segments.models import PastMembership, Segment

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([condition("visit_count", number=1, days=1)], 15 * MINUTE),
        ([condition("visit_count", number=1, days=7)], 105 * MINUTE),
        ([condition("visit_count", number=1, days=3000)], LONGEST),
        ([condition("identified")], LONGEST),
        ([condition("visit_count", number=1, days=30), condition("score", number=5)], SHORTEST),
        (
            [condition("visit_count", days=30), group("any", condition("last_visit", days=4))],
            60 * MINUTE,
        ),
        ([condition("surge", number=2, days=20, silence=2)], 30 * MINUTE),
        ([condition("no_such_condition")], SHORTEST),
    ],
)
def test_cadence__windows_of_the_rule__by_the_smallest(conditions: Any, expected: timedelta) -> None:
    assert cadence(parse("all", conditions)) == expected


def test_cadence__fixed_members__seldom() -> None:
    assert cadence(None) == LONGEST


def test_refresh_due__rule_of_a_week__not_every_quarter_of_an_hour(home: Any, now: Any) -> None:
    make_segment("Readers", condition("page_viewed", page=home.pk, days=7))
    assert refresh.refresh_due(now=now) == 1
    # Once more after a new rule: react may have worked by the old one meanwhile.
    assert refresh.refresh_due(now=now + 14 * MINUTE) == 0
    later = now + 15 * MINUTE
    assert refresh.refresh_due(now=later) == 1
    assert refresh.refresh_due(now=later + 104 * MINUTE) == 0
    assert refresh.refresh_due(now=later + 105 * MINUTE) == 1


def test_refresh_due__visitor_acts_while_it_counts__what_react_did_stays(
    home: Any, now: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = make_segment("Readers", condition("page_viewed", page=home.pk, days=7))
    browser = make_browser(now=now)
    refresh.refresh_due(now=now)
    later = now + 15 * MINUTE
    differences = refresh.differences

    def slow(*args: Any, **kwargs: Any) -> Any:
        found = differences(*args, **kwargs)
        make_view(browser, home, at=later)
        refresh.refresh_visitors([browser.visitor_id], now=later)
        return found

    monkeypatch.setattr(refresh, "differences", slow)
    refresh.refresh_due(now=later)
    assert segment.memberships.filter(visitor_id=browser.visitor_id).exists()


def test_refresh_segment__react_by_the_old_rule_meanwhile__mended_a_quarter_of_an_hour_later(
    home: Any, now: Any
) -> None:
    segment = make_segment("Anybody", condition("visit_count", number=0))
    browser = make_browser(now=now)
    refresh.refresh_segment(segment, now=now)
    segment = Segment.objects.get(pk=segment.pk)
    # As if a reaction that had read the rule before the edit stored its verdict after it.
    segment.memberships.all().delete()
    refresh.refresh_due(now=now + 15 * MINUTE)
    assert list(News.objects.values_list("visitor_id", flat=True)) == [browser.visitor_id]


def test_leaving__member__kept_from_when_until_when(home: Any, now: Any) -> None:
    segment = make_segment("Readers", condition("page_viewed", page=home.pk, days=7))
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    refresh.refresh_visitors([browser.visitor_id], now=now)
    later = now + 8 * DAY
    refresh.refresh_visitors([browser.visitor_id], now=later)
    stay = PastMembership.objects.get()
    assert (stay.segment_id, stay.visitor_id, stay.entered_at, stay.left_at) == (
        segment.pk,
        browser.visitor_id,
        now,
        later,
    )
    assert not segment.memberships.exists()


def test_past_membership__older_than_the_facts__forgotten(now: Any) -> None:
    segment = make_segment("Readers", condition("visit_count", number=1))
    browser = make_browser(now=now)
    for days in (100, 10_000):
        PastMembership.objects.create(
            segment=segment,
            visitor_id=browser.visitor_id,
            born_visitor_id=browser.visitor_id,
            entered_at=now - days * DAY,
            left_at=now - days * DAY,
        )
    refresh.refresh_segment(segment, now=now)
    assert [stay.left_at for stay in PastMembership.objects.all()] == [now - 100 * DAY]
