"""Fit, grades and rank: from who somebody is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from tests.scoring.history import a_browser, a_view, a_visit, a_visitor
from wagtail_ma.people.models import Lead, News
from wagtail_ma.scoring import bands, fit, rescore
from wagtail_ma.scoring.award import award
from wagtail_ma.scoring.models import ScoreEntry, ScoringRule
from wagtail_ma.scoring.queries import breakdown, fit_at, grade, ranked, standing_of
from wagtail_ma.segments.models import Segment

pytestmark = pytest.mark.django_db


def a_rule(points, *conditions, match="any", **values):
    return ScoringRule.objects.create(
        name="Fit", kind="holds", points=points, match=match, rule=list(conditions), **values
    )


def title(text):
    return {"type": "lead_attribute", "value": {"attribute": "title", "operator": "contains", "text": text}}


def a_person(now, **fields):
    visitor = a_visitor(now)
    Lead.objects.create(visitor=visitor, email=f"p{visitor.pk}@example.com", created_at=now, **fields)
    return visitor


def test_award__conditions_hold__fit_is_the_start_and_the_rows(now):
    a_rule(30, title("director"))
    a_rule(-2.5, title("d"))
    director, unknown = a_person(now, title="Director"), a_visitor(now)
    award([director.pk, unknown.pk], now=now)
    assert standing_of(director.pk).fit == pytest.approx(bands.NEUTRAL_FIT + 27.5)
    assert standing_of(director.pk).fit_grade == "B"
    assert (standing_of(unknown.pk).fit, standing_of(unknown.pk).fit_grade) == (bands.NEUTRAL_FIT, "C")
    why = breakdown(director.pk, now=now + timedelta(days=400))
    assert sorted(row.points for row in why.fit_rows) == [-2.5, 30]
    assert why.fit == pytest.approx(standing_of(director.pk).fit)
    # Fit is not engagement.
    assert (why.total, why.lifetime, why.rows) == (0, 0, [])
    assert standing_of(director.pk).lifetime == 0


def test_award__conditions_hold_no_longer__fit_goes_and_came_with_its_date(now):
    a_rule(30, title("director"))
    person = a_person(now, title="Director")
    award([person.pk], now=now)
    award([person.pk], now=now + timedelta(days=5))
    assert ScoreEntry.objects.get().at == now
    assert fit_at([person.pk], now - timedelta(days=1)) == {person.pk: bands.NEUTRAL_FIT}
    assert fit_at([person.pk], now + timedelta(days=1)) == {person.pk: bands.NEUTRAL_FIT + 30}
    Lead.objects.update(title="")
    award([person.pk], now=now + timedelta(days=6))
    assert not ScoreEntry.objects.exists()
    assert standing_of(person.pk).fit == bands.NEUTRAL_FIT


def test_ranked__better_fit__comes_before_a_somewhat_higher_score(now):
    ScoringRule.objects.create(name="View", kind="page_view", points=10)
    a_rule(50, title("director"))
    a_rule(-30, title("student"))
    people = {name: a_person(now, title=name) for name in ("director", "clerk", "student")}
    for name, views in (("director", 8), ("clerk", 10), ("student", 11)):
        visit = a_visit(a_browser(people[name], now), now)
        for _number in range(views):
            a_view(visit, now)
    award([person.pk for person in people.values()], now=now)
    assert [each.visitor.lead.title for each in ranked()] == ["director", "clerk", "student"]
    assert [grade(each, now=now) for each in ranked()] == ["A1", "C1", "D1"]
    assert [grade(each, now=now + timedelta(days=60)) for each in ranked()] == ["A4", "C3", "D3"]


def test_award__broken_rule__leaves_points_and_says_why(now):
    rule = a_rule(30, title("director"))
    person = a_person(now, title="Director")
    award([person.pk], now=now)
    ScoringRule.objects.filter(pk=rule.pk).update(rule=[{"type": "gone", "value": {}}])
    award([person.pk], now=now)
    rule.refresh_from_db()
    assert "does not exist any more" in rule.broken_reason
    assert standing_of(person.pk).fit == bands.NEUTRAL_FIT + 30


@pytest.mark.parametrize("through_segment", [False, True])
def test_trees__asks_for_scores__is_refused(now, through_segment):
    asks = {"type": "grade", "value": {"fit": "A", "engagement": "1"}}
    if through_segment:
        inner = Segment.objects.create(name="Inner", rule=[asks])
        outer = Segment.objects.create(
            name="Outer", rule=[{"type": "in_segment", "value": {"segment": inner.pk}}]
        )
        asks = {"type": "in_segment", "value": {"segment": outer.pk}}
    assert fit.asks_for_scores([asks])
    rule = a_rule(30, asks)
    award([a_visitor(now).pk], now=now)
    rule.refresh_from_db()
    assert "cannot ask for scores" in rule.broken_reason


def test_sweep_due__time_alone_changes_what_holds__makes_news(now):
    rule = a_rule(10, {"type": "first_seen", "value": {"comparison": "within", "days": 7}})
    visitor = a_visitor(now)
    award([visitor.pk], now=now)
    News.objects.all().delete()
    assert fit.sweep_due(now=now) == 0
    later = now + timedelta(days=8)
    assert fit.sweep_due(now=later) == 1
    assert News.objects.get().visitor_id == visitor.pk
    award([visitor.pk], now=later)
    assert not ScoreEntry.objects.filter(rule=rule).exists()
    # Not again before its time.
    assert fit.sweep_due(now=later) == 0


def test_rescore_due__other_bands__computes_everything_again(now):
    a_rule(30, title("director"))
    person = a_person(now, title="Director")
    award([person.pk], now=now)
    assert standing_of(person.pk).fit_grade == "B"
    with override_settings(WAGTAIL_MA={"FIT_GRADES": [60, 50, 25]}):
        rescore.rescore_due(now=now)
        assert standing_of(person.pk).fit_grade == "A"


weights = st.sampled_from([[1.5, 1.2, 1.0, 0.5], [2.0, 1.0, 1.0, 0.1]])


@given(st.floats(-1e6, 1e6), weights)
def test_rank__any_score__a_better_fit_never_ranks_lower(forward, chosen):
    ranks = [bands.rank(forward, letter, chosen) for letter in bands.LETTERS]
    assert ranks == sorted(ranks, reverse=True)
