"""Memberships follow the rules: at once for visitors with news, by and by for what time changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from tests.factories import condition, group, make_browser, make_segment, make_view
from wagtail_ma.core.conditions import Condition, facts
from wagtail_ma.people.models import News, Visitor
from wagtail_ma.segments import compiled, preview, queries, refresh
from wagtail_ma.segments.causes import Change
from wagtail_ma.segments.models import Membership, Segment

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def viewed(page: Any, number: int = 3, days: int | None = 14, **values: Any) -> Any:
    return condition("page_viewed", page=page.pk, number=number, days=days, **values)


def members(segment: Segment) -> set[int]:
    return set(queries.members(segment.pk).values_list("pk", flat=True))


def test_refresh_visitors__third_view__enters_and_only_then(home: Any, now: Any) -> None:
    segment = make_segment("Readers", viewed(home))
    browser = make_browser(now=now)
    for number in range(3):
        assert refresh.refresh_visitors([browser.visitor_id], now=now) == []
        make_view(browser, home, at=now - number * HOUR)
    entered = refresh.refresh_visitors([browser.visitor_id], now=now)
    assert entered == [Change(segment.pk, browser.visitor_id, True)]
    assert refresh.refresh_visitors([browser.visitor_id], now=now) == []
    assert queries.is_member(segment.pk, browser.visitor_id)
    segment.refresh_from_db()
    assert segment.member_count == 1


def test_refresh_visitors__views_grow_old__leaves(home: Any, now: Any) -> None:
    segment = make_segment("Readers", viewed(home, number=1, days=14))
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    refresh.refresh_visitors([browser.visitor_id], now=now)
    # The window's end belongs to it.
    assert refresh.refresh_visitors([browser.visitor_id], now=now + 14 * DAY) == []
    left = refresh.refresh_visitors([browser.visitor_id], now=now + 14 * DAY + HOUR)
    assert left == [Change(segment.pk, browser.visitor_id, False)]
    assert members(segment) == set()


def test_refresh_visitors__others__left_alone(home: Any, now: Any) -> None:
    segment = make_segment("Readers", viewed(home, number=1))
    one, other = make_browser(now=now), make_browser(now=now)
    for browser in (one, other):
        make_view(browser, home, at=now)
    refresh.refresh_visitors([one.visitor_id], now=now)
    assert members(segment) == {one.visitor_id}


def test_refresh_visitors__segment_asks_for_segment__same_call(home: Any, now: Any) -> None:
    # Made first, decided last.
    outer = make_segment("Readers, not yet known")
    inner = make_segment("Readers", viewed(home, number=1))
    outer.rule = [condition("in_segment", segment=inner.pk), condition("identified", **{"is": "no"})]
    outer.save()
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    changes = refresh.refresh_visitors([browser.visitor_id], now=now)
    assert [change.segment_id for change in changes] == [inner.pk, outer.pk]


def test_refresh_visitors__circle__broken_and_members_stay(now: Any) -> None:
    one, other = make_segment("One"), make_segment("Other")
    browser = make_browser(now=now)
    Membership.objects.create(segment=one, visitor_id=browser.visitor_id, entered_at=now)
    for segment, asked in ((one, other), (other, one)):
        segment.rule = [condition("in_segment", segment=asked.pk)]
        segment.save()
    assert refresh.refresh_visitors([browser.visitor_id], now=now) == []
    one.refresh_from_db()
    assert one.broken_reason
    assert members(one) == {browser.visitor_id}


def test_asks_for_itself__through_another_segment__found(now: Any) -> None:
    one, other = make_segment("One"), make_segment("Other")
    other.rule = [group("none", condition("in_segment", segment=one.pk))]
    other.save()
    assert compiled.asks_for_itself(one.pk, [condition("in_segment", segment=other.pk)])
    assert compiled.asks_for_itself(one.pk, [condition("in_segment", segment=one.pk)])
    assert not compiled.asks_for_itself(other.pk, [condition("identified", **{"is": "yes"})])


@pytest.mark.parametrize("full", [False, True])
def test_refresh__page_deleted__segment_broken_and_members_frozen(home: Any, now: Any, full: bool) -> None:
    from tests.testapp.models import ContentPage

    page = home.add_child(instance=ContentPage(title="Prices", slug="prices"))
    segment = make_segment("Readers", viewed(page, number=1))
    healthy = make_segment("Everybody here", condition("visit_count", number=1))
    browser = make_browser(now=now)
    make_view(browser, page, at=now)
    refresh.refresh_visitors([browser.visitor_id], now=now)
    page.delete()
    if full:
        assert refresh.refresh_segment(segment, now=now + 100 * DAY) == []
    else:
        refresh.refresh_visitors([browser.visitor_id], now=now + 100 * DAY)
    segment.refresh_from_db()
    assert segment.broken_reason
    assert members(segment) == {browser.visitor_id}
    assert members(healthy) == {browser.visitor_id}


def test_refresh_visitors__rule_repaired__no_longer_broken(home: Any, now: Any) -> None:
    segment = make_segment("Readers", condition("no_such_condition"))
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    refresh.refresh_visitors([browser.visitor_id], now=now)
    segment.rule = [viewed(home, number=1)]
    segment.save()
    refresh.refresh_visitors([browser.visitor_id], now=now)
    segment.refresh_from_db()
    assert segment.broken_reason == ""
    assert members(segment) == {browser.visitor_id}


class Faulty(Condition):
    key = "faulty"
    label = "Faulty"

    def test(self, values: Any, scope: Any) -> Any:
        raise ZeroDivisionError("a host project's mistake")


def test_refresh_visitors__condition_raises__other_segments_go_on(home: Any, now: Any) -> None:
    facts.register("faulty", Faulty())
    try:
        make_segment("Bad", condition("faulty"))
        good = make_segment("Good", viewed(home, number=1))
        browser = make_browser(now=now)
        make_view(browser, home, at=now)
        changes = refresh.refresh_visitors([browser.visitor_id], now=now)
        assert changes == [Change(good.pk, browser.visitor_id, True)]
    finally:
        facts.unregister("faulty")


def test_refresh_visitors__twenty_segments__few_statements(
    home: Any, now: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        make_segment(f"Segment {number}", viewed(home, number=number + 1))
    browsers = [make_browser(now=now) for _number in range(5)]
    ids = [browser.visitor_id for browser in browsers]
    refresh.refresh_visitors(ids, now=now)
    # Segments, pages and their places (3), memberships, and one statement for all rules.
    with django_assert_max_num_queries(7):
        refresh.refresh_visitors(ids, now=now)


def test_refresh_visitors__page_moved__compiled_anew(home: Any, now: Any) -> None:
    from tests.testapp.models import ContentPage

    shelf = home.add_child(instance=ContentPage(title="Shelf", slug="shelf"))
    page = home.add_child(instance=ContentPage(title="Page", slug="page"))
    segment = make_segment("Shelf readers", viewed(shelf, number=1, subtree=True))
    browser = make_browser(now=now)
    make_view(browser, page, at=now)
    refresh.refresh_visitors([browser.visitor_id], now=now)
    assert members(segment) == set()
    page.move(shelf, pos="last-child")
    refresh.refresh_visitors([browser.visitor_id], now=now)
    assert members(segment) == {browser.visitor_id}


def test_refresh_segment__new_rule__everybody_at_once(home: Any, now: Any) -> None:
    segment = make_segment("Readers", viewed(home, number=1))
    readers = [make_browser(now=now) for _number in range(3)]
    make_browser(now=now)
    for browser in readers:
        make_view(browser, home, at=now)
    changes = refresh.refresh_segment(segment, now=now)
    assert {change.visitor_id for change in changes} == {browser.visitor_id for browser in readers}
    segment.refresh_from_db()
    assert (segment.member_count, segment.refreshed_at) == (3, now)
    assert refresh.refresh_segment(segment, now=now) == []


def test_refresh_segment__rule_about_absence__includes_people_without_rows(home: Any, now: Any) -> None:
    segment = make_segment("Newcomers", viewed(home, number=0, comparison="at_most"))
    reader, other = make_browser(now=now), make_browser(now=now)
    make_view(reader, home, at=now)
    refresh.refresh_segment(segment, now=now)
    assert members(segment) == {other.visitor_id}
    segment.refresh_from_db()
    assert segment.includes_strangers


def test_refresh_segment__merged_visitor__not_a_member(home: Any, now: Any) -> None:
    segment = make_segment("Everybody", viewed(home, number=0, comparison="at_least"))
    kept, merged = make_browser(now=now), make_browser(now=now)
    Visitor.objects.filter(pk=merged.visitor_id).update(merged_into=kept.visitor_id)
    refresh.refresh_segment(segment, now=now)
    assert set(segment.memberships.values_list("visitor_id", flat=True)) == {kept.visitor_id}


def test_refresh_due__only_time_has_passed__news_and_react_stores_it(home: Any, now: Any) -> None:
    segment = make_segment("Readers", viewed(home, number=1, days=14))
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    assert refresh.refresh_due(now=now) == 1
    assert News.objects.count() == 0
    assert members(segment) == {browser.visitor_id}
    assert refresh.refresh_due(now=now + timedelta(minutes=14)) == 0
    later = now + 15 * DAY
    assert refresh.refresh_due(now=later) == 1
    # Still in: leaving is for react to find, so that scenarios hear of it.
    assert members(segment) == {browser.visitor_id}
    assert list(News.objects.values_list("visitor_id", flat=True)) == [browser.visitor_id]
    assert refresh.refresh_visitors([browser.visitor_id], now=later)[0].entered is False


def test_refresh_due__broken_segment__does_not_block_the_others(home: Any, now: Any) -> None:
    for number in range(refresh.SEGMENTS_PER_CALL):
        make_segment(f"Broken {number}", condition("no_such_condition"))
    good = make_segment("Good", viewed(home, number=1))
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    refresh.refresh_due(now=now)
    refresh.refresh_due(now=now)
    assert members(good) == {browser.visitor_id}


def test_membership__twice__refused(now: Any) -> None:
    segment = make_segment()
    browser = make_browser(now=now)
    Membership.objects.create(segment=segment, visitor_id=browser.visitor_id, entered_at=now)
    with pytest.raises(IntegrityError):
        Membership.objects.create(segment=segment, visitor_id=browser.visitor_id, entered_at=now)


def test_preview__good_rule__count_sample_and_sentence(home: Any, now: Any) -> None:
    browsers = [make_browser(now=now) for _number in range(7)]
    for browser in browsers:
        make_view(browser, home, at=now)
    found = preview.matches("all", [viewed(home, number=1)], now=now)
    assert found.count == 7
    assert [visitor.pk for visitor in found.sample] == [b.visitor_id for b in reversed(browsers)][:5]
    assert found.sentence == "Viewed “Home” at least 1 time in the last 14 days"
    assert Membership.objects.count() == 0


def test_preview__rule_not_finished__a_problem_and_nobody(now: Any) -> None:
    make_browser(now=now)
    found = preview.matches("none", [condition("page_viewed", page=None, number="")], now=now)
    assert found.count == 0
    assert found.problem
