"""Interests and temperatures from facts."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scoring.history import a_browser, a_page, a_view, a_visit, a_visitor, an_activity
from wagtail_ma.reports import interests as reports
from wagtail_ma.scoring import interests
from wagtail_ma.scoring.award import award
from wagtail_ma.scoring.models import Interest
from wagtail_ma.scoring.queries import interests_of, standing_of, temperature
from wagtail_ma.tracking.models import PageClass, Topic, TrackedPage

pytestmark = pytest.mark.django_db


@pytest.fixture
def topics():
    return {
        name: Topic.objects.create(name=name, kind=kind)
        for name, kind in {"Cabinet": "product", "Flow": "product", "Price": "concern"}.items()
    }


def page_about(now, *topics, page_class=""):
    page = a_page(now, f"url:/{'-'.join(topic.name for topic in topics)}-{page_class}")
    page.topics.set(topics)
    if page_class:
        cls, _made = PageClass.objects.get_or_create(key=page_class)
        TrackedPage.objects.filter(pk=page.pk).update(page_class=cls)
    return page


def test_award__views_of_topics__weights_by_reading_and_kind(now, topics):
    visitor = a_visitor(now)
    visit = a_visit(a_browser(visitor, now), now)
    a_view(visit, now, page=page_about(now, topics["Cabinet"]), seconds=120)
    a_view(visit, now, page=page_about(now, topics["Flow"], topics["Price"]), seconds=0)
    award([visitor.pk], now=now)
    mine = interests_of([visitor.pk], now=now)[visitor.pk]
    assert [each.topic.name for each in mine.products] == ["Cabinet", "Flow"]
    assert [each.topic.name for each in mine.concerns] == ["Price"]
    assert mine.products[0].weight == pytest.approx(100 * 3 / (3 + 12))
    assert mine.is_focused
    later = interests_of([visitor.pk], now=now + timedelta(days=30))[visitor.pk]
    assert later.products[0].weight == pytest.approx(100 * 1.5 / (1.5 + 12))


def test_award__topic_taken_from_the_page__interest_goes(now, topics):
    visitor = a_visitor(now)
    page = page_about(now, topics["Cabinet"])
    a_view(a_visit(a_browser(visitor, now), now), now, page=page)
    award([visitor.pk], now=now)
    page.topics.clear()
    award([visitor.pk], now=now)
    assert not Interest.objects.exists()


def test_award__several_products_alike__not_focused(now, topics):
    visitor = a_visitor(now)
    visit = a_visit(a_browser(visitor, now), now)
    for name in ("Cabinet", "Flow"):
        a_view(visit, now, page=page_about(now, topics[name]), seconds=60)
    award([visitor.pk], now=now)
    mine = interests_of([visitor.pk], now=now)[visitor.pk]
    assert mine.concentration == pytest.approx(0.5)
    assert not mine.is_focused


def test_causes__two_pages__larger_part_first_and_sum_is_the_evidence(now, topics):
    visitor = a_visitor(now)
    browser = a_browser(visitor, now)
    visit = a_visit(browser, now)
    small = page_about(now, topics["Cabinet"], topics["Price"])
    large = page_about(now, topics["Cabinet"])
    a_view(visit, now - timedelta(days=30), page=small, seconds=60)
    for _number in range(2):
        a_view(visit, now, page=large, seconds=60)
    an_activity(browser, now, visit=visit, tracked_page=large)
    an_activity(browser, now, kind="mail_click", tracked_page=large, data={"is_machine": True})
    award([visitor.pk], now=now)
    found = reports.causes(visitor.pk, topics["Cabinet"], now=now)
    assert [(each.url, each.view_count, each.act_count) for each in found] == [
        (large.url, 2, 1),
        (small.url, 1, 0),
    ]
    evidence = math.fsum(each.evidence for each in found)
    mine = interests_of([visitor.pk], now=now)[visitor.pk]
    assert mine.products[0].weight == pytest.approx(interests.shown_weight(evidence))


def test_temperatures__pricing_and_articles__kept_apart(now):
    buyer, reader = a_visitor(now), a_visitor(now)
    pricing, article = page_about(now, page_class="pricing"), page_about(now, page_class="article")
    a_view(a_visit(a_browser(buyer, now), now), now, page=pricing, seconds=600)
    visit = a_visit(a_browser(reader, now), now)
    for _number in range(3):
        a_view(visit, now, page=article, seconds=0)
    award([buyer.pk, reader.pk], now=now)
    warm, keen = (temperature(standing_of(each.pk), now=now) for each in (buyer, reader))
    assert (warm.intent_level, warm.research_level) == ("strong", "none")
    assert (keen.intent_level, keen.research_level) == ("none", "weak")
    assert reports.distribution(now=now) == {("strong", "none"): 1, ("none", "weak"): 1}


def test_distribution__time_passes__levels_fall(now):
    visitor = a_visitor(now)
    a_view(
        a_visit(a_browser(visitor, now), now), now, page=page_about(now, page_class="pricing"), seconds=240
    )
    award([visitor.pk], now=now)
    levels = [next(iter(reports.distribution(now=now + timedelta(days=days))))[0] for days in (0, 30, 60)]
    # 15 points of evidence, then 7.5, then 3.75.
    assert levels == ["strong", "weak", "none"]


@given(st.floats(0.1, 1e6), st.floats(0.1, 1e6))
def test_shown_weight__any_evidence__keeps_the_order_and_has_an_inverse(first, second):
    shown = interests.shown_weight(first), interests.shown_weight(second)
    assert 0 < shown[0] < 100
    if first < second * 0.999:
        assert shown[0] < shown[1]
    if shown[0] < 99.9:
        assert interests.evidence_of(shown[0]) == pytest.approx(first, rel=1e-6)


def test_matrix__sorted_by_topic__most_interested_first(now, topics):
    ids = []
    for seconds in (0, 240, 60):
        visitor = a_visitor(now)
        a_view(
            a_visit(a_browser(visitor, now), now), now, page=page_about(now, topics["Flow"]), seconds=seconds
        )
        ids.append(visitor.pk)
    award(ids, now=now)
    rows = reports.people(topic=topics["Flow"])
    found = reports.lines(list(rows), [topics["Cabinet"], topics["Flow"]], now=now)
    assert [line.standing.visitor_id for line in found] == [ids[1], ids[2], ids[0]]
    assert found[0].cells[0].weight == 0
    assert found[0].cells[1].weight > found[1].cells[1].weight
    assert found[0].focus == 1
