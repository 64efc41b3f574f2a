"""Deleting old facts changes no score, no counter and no cap."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scoring.history import a_browser, a_view, a_visit, a_visitor, an_activity
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.scoring.award import award
from wagtail_ma.scoring.carry import carry_forward, centre
from wagtail_ma.scoring.decay import forward_sum
from wagtail_ma.scoring.models import CarriedPoints, ScoreEntry, ScoringRule
from wagtail_ma.scoring.queries import standing_of
from wagtail_ma.tracking.models import Activity, Visit

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def rules(db):
    ScoringRule.objects.create(name="View", kind="page_view", points=1, max_per_day=2)
    ScoringRule.objects.create(name="Visit", kind="visit", points=3, max_total=4)
    ScoringRule.objects.create(name="Download", kind="activity", activity_kind="download", points=25)
    ScoringRule.objects.create(name="Careers", kind="activity", activity_kind="apply", points=-5)


def forget(before: datetime, *, now: datetime) -> None:
    """What retention does: sum up, then delete."""
    visits = list(Visit.objects.filter(last_at__lt=before).values_list("pk", flat=True))
    acts = list(Activity.objects.filter(at__lt=before).values_list("pk", flat=True))
    carry_forward(visits, acts, now=now)
    Visit.objects.filter(pk__in=visits).delete()
    Activity.objects.filter(pk__in=acts).delete()


def numbers(visitor: Visitor) -> tuple[object, ...]:
    found = standing_of(visitor.pk)
    return (
        pytest.approx(found.engagement_sum, rel=1e-9, abs=1e-12),
        found.lifetime,
        found.visit_count,
        found.view_count,
        pytest.approx(found.engaged_seconds),
        found.last_seen_at,
    )


def live(identity: Identity, start: datetime, hours: list[int]) -> None:
    for number, hour in enumerate(hours):
        at = start + hour * HOUR
        visit = a_visit(identity, at)
        a_view(visit, at, seconds=number)
        a_view(visit, at + timedelta(minutes=1), seconds=7)
        if number % 3 == 0:
            an_activity(identity, at, kind="download")
        if number % 4 == 0:
            an_activity(identity, at, kind="apply")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hours=st.lists(st.integers(0, 100 * 24), min_size=1, max_size=12),
    cuts=st.lists(st.integers(1, 100), min_size=1, max_size=3),
)
def test_standing__old_facts_deleted__is_the_same(rules, now, hours, cuts):
    visitor = a_visitor(now)
    identity = a_browser(visitor, now)
    # Midnight in the site's time zone: retention deletes whole days.
    start = now.replace(hour=15)
    live(identity, start, sorted(hours))
    end = start + 101 * DAY
    award([visitor.pk], now=end)
    before = numbers(visitor)
    for cut in sorted(cuts):
        forget(start + cut * DAY, now=end)
        award([visitor.pk], now=end)
        assert numbers(visitor) == before


def test_standing__news_after_old_facts_were_deleted__caps_go_on_counting(rules, now):
    visitor = a_visitor(now)
    identity = a_browser(visitor, now)
    for day in range(6):
        a_visit(identity, now + day * DAY)
    award([visitor.pk], now=now + 10 * DAY)
    forget(now + 5 * DAY, now=now + 10 * DAY)
    a_visit(identity, now + 9 * DAY)
    award([visitor.pk], now=now + 10 * DAY)
    assert standing_of(visitor.pk).lifetime == 4 * 3
    assert standing_of(visitor.pk).visit_count == 7


def test_carry__facts_of_one_month__one_row_per_rule_and_entry(rules, now):
    visitor = a_visitor(now)
    identity = a_browser(visitor, now)
    live(identity, now, [0, 30, 60])
    award([visitor.pk], now=now + 5 * DAY)
    forget(now + 4 * DAY, now=now + 5 * DAY)
    award([visitor.pk], now=now + 5 * DAY)
    assert CarriedPoints.objects.count() == 4
    assert set(ScoreEntry.objects.values_list("fact_kind", flat=True)) == {"carried"}


def test_carry__identity_moved_later__points_follow_it(rules, now):
    from wagtail_ma.people import merge

    visitor, other = a_visitor(now), a_visitor(now)
    a_browser(other, now)
    identity = a_browser(visitor, now)
    live(identity, now, [0])
    award([visitor.pk], now=now + DAY)
    forget(now + DAY, now=now + DAY)
    merge.repoint(merge.lock([identity.pk])[identity.pk], other.pk, now=now + DAY, method="test")
    award([other.pk], now=now + DAY)
    assert standing_of(other.pk).lifetime == 2 + 3 + 25 - 5
    assert standing_of(other.pk).view_count == 2


@given(parts=st.lists(st.tuples(st.integers(1, 100), st.integers(0, 400 * 24)), min_size=1, max_size=8))
def test_centre__points_of_one_sign__same_forward_sum(parts):
    from tests.conftest import START

    dated = [(float(points), START + hour * HOUR) for points, hour in parts]
    at = centre(dated, half_life_days=30)
    total = sum(points for points, _at in dated)
    expected = forward_sum(dated, epoch=START, half_life_days=30)
    assert forward_sum([(total, at)], epoch=START, half_life_days=30) == pytest.approx(expected, rel=1e-9)
