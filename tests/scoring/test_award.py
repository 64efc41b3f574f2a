"""Entries and standings from facts, in the database."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.scoring.history import a_browser, a_page, a_view, a_visit, a_visitor, an_activity, move
from wagtail_ma.people.models import Lead
from wagtail_ma.scoring.award import award
from wagtail_ma.scoring.defaults import ensure_default_rules
from wagtail_ma.scoring.models import ScoreEntry, ScoringModel, ScoringRule, Standing
from wagtail_ma.scoring.queries import at_least, breakdown, current_score, ranked, standing_of
from wagtail_ma.tracking.models import PageClass, PageView

pytestmark = pytest.mark.django_db


@pytest.fixture
def one_point_per_view(now):
    return ScoringRule.objects.create(name="View", kind="page_view", points=1)


def test_award__first_time__makes_model_and_default_rules(now):
    visitor = a_visitor(now)
    award([visitor.pk], now=now)
    assert ScoringModel.objects.get().is_current
    assert ScoringRule.objects.filter(activity_kind="download", points=25).exists()
    assert standing_of(visitor.pk).rank == 0


def test_ensure_default_rules__rules_exist__adds_none(one_point_per_view):
    assert ensure_default_rules() == 0
    assert ScoringRule.objects.get() == one_point_per_view


def test_award__views_and_download__score_halves_after_a_half_life(now):
    visitor = a_visitor(now)
    browser = a_browser(visitor, now)
    visit = a_visit(browser, now)
    a_view(visit, now, seconds=90)
    an_activity(browser, now)
    award([visitor.pk], now=now)
    standing = standing_of(visitor.pk)
    assert current_score(standing, now=now) == pytest.approx(1 + 2 + 25)
    assert current_score(standing, now=now + timedelta(days=30)) == pytest.approx(14)
    assert standing.lifetime == 28
    assert (standing.view_count, standing.visit_count, standing.engaged_seconds) == (1, 1, 90)
    assert standing.last_seen_at == visit.last_at


def test_award__twice__writes_nothing_new(now, one_point_per_view):
    visitor = a_visitor(now)
    a_view(a_visit(a_browser(visitor, now), now), now)
    award([visitor.pk], now=now)
    before = list(ScoreEntry.objects.values_list("pk", "points"))
    award([visitor.pk], now=now + timedelta(minutes=1))
    assert list(ScoreEntry.objects.values_list("pk", "points")) == before
    assert Standing.objects.count() == 1


def test_award__view_deleted__entry_goes(now, one_point_per_view):
    visitor = a_visitor(now)
    a_view(a_visit(a_browser(visitor, now), now), now)
    award([visitor.pk], now=now)
    PageView.objects.all().delete()
    award([visitor.pk], now=now)
    assert not ScoreEntry.objects.exists()
    assert standing_of(visitor.pk).engagement_sum == 0


def test_award__day_cap__day_begins_in_the_sites_time_zone(now):
    ScoringRule.objects.create(name="View", kind="page_view", points=1, max_per_day=1)
    visitor = a_visitor(now)
    visit = a_visit(a_browser(visitor, now), now)
    # 23:30 and 00:30 in Tokyo: one UTC day, two days for the site.
    a_view(visit, datetime(2026, 3, 3, 14, 30, tzinfo=UTC))
    a_view(visit, datetime(2026, 3, 3, 15, 30, tzinfo=UTC))
    award([visitor.pk], now=now)
    assert standing_of(visitor.pk).lifetime == 2


def test_award__late_fact_under_a_cap__takes_the_place_of_the_later_one(now):
    rule = ScoringRule.objects.create(name="View", kind="page_view", points=1, max_total=1)
    visitor = a_visitor(now)
    visit = a_visit(a_browser(visitor, now), now)
    a_view(visit, now)
    award([visitor.pk], now=now)
    late = a_view(visit, now - timedelta(hours=1))
    award([visitor.pk], now=now)
    assert list(ScoreEntry.objects.values_list("rule", "fact_id", "at")) == [(rule.pk, late.pk, late.at)]


def test_award__bot_visit__earns_nothing_and_has_no_standing(now, one_point_per_view):
    visitor = a_visitor(now)
    browser = a_browser(visitor, now)
    visit = a_visit(browser, now, is_bot=True)
    a_view(visit, now)
    an_activity(browser, now, visit=visit)
    award([visitor.pk], now=now)
    assert not ScoreEntry.objects.exists()
    assert standing_of(visitor.pk) is None


def test_award__mail_click_of_a_machine__earns_nothing(now):
    ScoringRule.objects.create(name="Click", kind="activity", activity_kind="mail_click", points=5)
    visitor = a_visitor(now)
    browser = a_browser(visitor, now)
    an_activity(browser, now, kind="mail_click", data={"is_machine": True})
    award([visitor.pk], now=now)
    assert standing_of(visitor.pk).lifetime == 0
    an_activity(browser, now, kind="mail_click", data={"is_machine": False})
    award([visitor.pk], now=now)
    assert standing_of(visitor.pk).lifetime == 5


def test_award__engaged_rule__paid_once_the_view_has_grown(now):
    ScoringRule.objects.create(name="Read", kind="engaged", min_seconds=60, points=2)
    visitor = a_visitor(now)
    view = a_view(a_visit(a_browser(visitor, now), now), now, seconds=59.9)
    award([visitor.pk], now=now)
    assert standing_of(visitor.pk).lifetime == 0
    PageView.objects.filter(pk=view.pk).update(engaged_seconds=60)
    award([visitor.pk], now=now)
    assert standing_of(visitor.pk).lifetime == 2


def test_award__scrolled_to_the_end_without_reading__earns_no_more_than_a_glance(now):  # D36
    page = a_page(now, page_class=PageClass.objects.create(key="pricing", name="Pricing"))
    earned = []
    for scroll, seconds in ((0, 1), (100, 1), (100, 60)):
        visitor = a_visitor(now)
        view = a_view(a_visit(a_browser(visitor, now), now), now, page=page, seconds=seconds)
        PageView.objects.filter(pk=view.pk).update(scroll_percent=scroll)
        award([visitor.pk], now=now)
        earned.append(standing_of(visitor.pk).lifetime)
    glance, scrolled, read = earned
    assert glance == scrolled < read


def test_award__fact_moved_to_another_visitor__entry_follows(now, one_point_per_view):
    first, second = a_visitor(now), a_visitor(now)
    browser = a_browser(first, now)
    a_view(a_visit(browser, now), now)
    award([first.pk, second.pk], now=now)
    move(browser, second)
    first.merged_into = second
    first.save()
    award([second.pk], now=now)
    award([first.pk], now=now)
    assert list(ScoreEntry.objects.values_list("visitor", flat=True)) == [second.pk]
    assert standing_of(first.pk) is None
    assert standing_of(second.pk).lifetime == 1


def test_award__rule_for_a_page__counts_translations_and_pages_below(home, now):
    from tests.testapp.models import ContentPage

    child = home.add_child(instance=ContentPage(title="Pricing", slug="pricing"))
    below = child.add_child(instance=ContentPage(title="Details", slug="details"))
    other = home.add_child(instance=ContentPage(title="Jobs", slug="jobs"))
    ScoringRule.objects.create(name="Pricing", kind="page_view", points=10, page_key=child.translation_key)
    visitor = a_visitor(now)
    visit = a_visit(a_browser(visitor, now), now)
    for page in (child, below, other):
        tracked = a_page(now, f"page:{page.pk}", page_id=page.pk, translation_key=page.translation_key)
        a_view(visit, now, page=tracked)
    # A deleted translation: its row is all that is left.
    a_view(visit, now, page=a_page(now, "page:999", translation_key=child.translation_key))
    award([visitor.pk], now=now)
    assert standing_of(visitor.pk).lifetime == 30


def test_pages_within__any_tree__agrees_with_tracked_pages(home, now):
    from tests.testapp.models import ContentPage
    from wagtail_ma.tracking.pages import pages_within, tracked_pages

    child = home.add_child(instance=ContentPage(title="Pricing", slug="pricing"))
    below = child.add_child(instance=ContentPage(title="Details", slug="details"))
    alias = child.create_alias(parent=home, update_slug="alias", recursive=True)
    other = home.add_child(instance=ContentPage(title="Jobs", slug="jobs"))
    keys = {page.translation_key for page in (home, child, below, alias, other)} | {uuid.uuid4()}
    tracked = [
        a_page(now, f"page:{page.pk}", page_id=page.pk, translation_key=page.translation_key).pk
        for page in (home, child, below, alias, *alias.get_children(), other)
    ]
    tracked.append(a_page(now, "page:999", translation_key=child.translation_key).pk)
    tracked.append(a_page(now, "url:/x").pk)
    assert pages_within(keys, tracked) == {
        key: set(tracked_pages(key, with_descendants=True).values_list("pk", flat=True)) for key in keys
    }


def test_award__rule_for_a_page_that_is_gone__earns_nothing(home, now):
    ScoringRule.objects.create(name="Gone", kind="page_view", points=10, page_key=uuid.uuid4())
    visitor = a_visitor(now)
    a_view(a_visit(a_browser(visitor, now), now), now)
    award([visitor.pk], now=now)
    assert standing_of(visitor.pk).lifetime == 0


def test_award__inactive_rule__pays_nothing(now, one_point_per_view):
    one_point_per_view.is_active = False
    one_point_per_view.save()
    visitor = a_visitor(now)
    a_view(a_visit(a_browser(visitor, now), now), now)
    award([visitor.pk], now=now)
    assert standing_of(visitor.pk).lifetime == 0


def test_award__negative_points__score_never_below_zero(now):
    ScoringRule.objects.create(name="Jobs", kind="page_view", points=-5)
    visitor = a_visitor(now)
    a_view(a_visit(a_browser(visitor, now), now), now)
    award([visitor.pk], now=now)
    standing = standing_of(visitor.pk)
    assert current_score(standing, now=now) == 0
    assert standing.lifetime == -5
    why = breakdown(visitor.pk, now=now)
    assert (why.total, why.score) == (-5, 0)


def test_award__chunk_of_visitors__statements_do_not_grow_with_visitors(now, django_assert_max_num_queries):
    ensure_default_rules()
    ids = []
    for _number in range(20):
        visitor = a_visitor(now)
        a_view(a_visit(a_browser(visitor, now), now), now)
        ids.append(visitor.pk)
    award(ids[:1], now=now)
    with django_assert_max_num_queries(18):
        award(ids, now=now)


def test_breakdown__sum_of_rows__is_the_score_shown(now):
    visitor = a_visitor(now)
    browser = a_browser(visitor, now)
    for days in (0, 3, 40, 400):
        visit = a_visit(browser, now - timedelta(days=days))
        a_view(visit, now - timedelta(days=days), seconds=70)
        an_activity(browser, now - timedelta(days=days), visit=visit)
    award([visitor.pk], now=now)
    later = now + timedelta(days=11, hours=5)
    why = breakdown(visitor.pk, now=later)
    assert why.score == pytest.approx(current_score(standing_of(visitor.pk), now=later), rel=1e-9)
    assert sum(share.points for share in why.shares) == pytest.approx(why.total, rel=1e-9)
    assert why.rows[0].at >= why.rows[-1].at
    # Four visits, two of them after a month of silence.
    assert {share.count for share in why.shares} == {2, 4}


def test_ranked__any_moment__same_order_as_naive_scores(now, one_point_per_view):
    ids = []
    for number in range(1, 6):
        visitor = a_visitor(now)
        visit = a_visit(a_browser(visitor, now), now)
        for step in range(number):
            a_view(visit, now - timedelta(days=17 * number - step))
        ids.append(visitor.pk)
    award(ids, now=now)
    for days in (0, 10, 500):
        moment = now + timedelta(days=days)
        scores = [current_score(standing, now=moment) for standing in ranked()]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == 5


def test_ranked__excluded_visitor__is_left_out(now):
    shown, hidden = a_visitor(now), a_visitor(now, excluded_reason="staff")
    award([shown.pk, hidden.pk], now=now)
    assert [standing.visitor for standing in ranked()] == [shown]


def test_at_least__threshold__is_the_score_of_that_moment(now, one_point_per_view):
    visitor = a_visitor(now)
    visit = a_visit(a_browser(visitor, now), now)
    for _number in range(10):
        a_view(visit, now)
    award([visitor.pk], now=now)
    assert at_least(ranked(), 9.9, now=now).count() == 1
    assert at_least(ranked(), 9.9, now=now + timedelta(days=1)).count() == 0


def test_award__lead_without_visits__has_a_standing(now):
    visitor = a_visitor(now)
    Lead.objects.create(visitor=visitor, email="a@example.com", created_at=now)
    award([visitor.pk], now=now)
    assert standing_of(visitor.pk).last_seen_at is None
