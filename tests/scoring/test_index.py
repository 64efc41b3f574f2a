"""The statements that must stay quick with a million rows use their index (PostgreSQL)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from tests.scenarios.stories import a_draft, wait
from wagtail_ma.people.models import Visitor
from wagtail_ma.reports import interests
from wagtail_ma.scenarios import runner
from wagtail_ma.scenarios.models import Enrolment, ScenarioVersion
from wagtail_ma.scoring.current import current_model
from wagtail_ma.scoring.models import Interest, Standing
from wagtail_ma.scoring.queries import at_least, ranked
from wagtail_ma.tracking.models import Topic

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="looks at PostgreSQL's plans"),
]

ROWS = 5_000


@pytest.fixture
def visitors(now):
    return Visitor.objects.bulk_create([Visitor(first_seen_at=now) for _number in range(ROWS)])


def analyse():
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


@pytest.mark.usefixtures("site")
def test_run_due__many_waiting__reads_the_due_ones_by_index(now, visitors):
    scenario = a_draft([wait()], live=True, active_since=now)
    version = ScenarioVersion.objects.create(
        scenario=scenario, number=1, definition=[{"id": "w"}], published_at=now
    )
    Enrolment.objects.bulk_create(
        [
            Enrolment(
                scenario=scenario,
                version=version,
                visitor=visitor,
                born_visitor=visitor,
                trigger=f"test:{visitor.pk}",
                step_id="w",
                due_at=now + timedelta(minutes=place),
                entered_at=now,
                step_entered_at=now,
            )
            for place, visitor in enumerate(visitors)
        ]
    )
    analyse()
    plan = runner._due(now + timedelta(minutes=5)).order_by("due_at", "pk")[:500].explain()
    assert "ma_enrolment_due" in plan
    assert "Seq Scan on wagtail_ma_enrolment" not in plan


def test_ranked__first_page__reads_the_rank_index_and_sorts_nothing(now, visitors):
    model = current_model(now)
    Standing.objects.bulk_create(
        [
            Standing(model=model, visitor=visitor, engagement_sum=place % 997, rank=place % 997)
            for place, visitor in enumerate(visitors)
        ]
    )
    analyse()
    for standings in (ranked(), at_least(ranked(), 900, now=now)):
        plan = standings[:50].explain()
        assert "ma_standing_rank" in plan
        assert "Sort" not in plan


def test_people__of_a_topic__read_its_index_and_sort_nothing(now, visitors):
    model = current_model(now)
    topics = [Topic.objects.create(name=name) for name in ("Cabinet", "Flow")]
    Interest.objects.bulk_create(
        [
            Interest(
                model=model, visitor=visitor, topic=topics[place % 2], evidence_sum=place % 997, last_at=now
            )
            for place, visitor in enumerate(visitors)
        ]
    )
    analyse()
    plan = interests.people(topic=topics[0])[:50].explain()
    assert "ma_interest_topic" in plan
    assert "Sort" not in plan


def test_ranked__of_one_band_of_fit__reads_its_index_and_sorts_nothing(now, visitors):
    model = current_model(now)
    Standing.objects.bulk_create(
        [
            Standing(
                model=model, visitor=visitor, rank=place % 997, fit_grade="ABCDDDDDDDDDDDDDDDDD"[place % 20]
            )
            for place, visitor in enumerate(visitors)
        ]
    )
    analyse()
    plan = ranked().filter(fit_grade="B")[:50].explain()
    assert "ma_standing_fit" in plan
    assert "Sort" not in plan
