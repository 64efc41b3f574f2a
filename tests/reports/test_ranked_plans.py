"""The ranked list and the hot lists are read by index, however many visitors there are (PostgreSQL)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection

from wagtail_ma.people.models import Visitor
from wagtail_ma.reports import keyset, ranked
from wagtail_ma.sales import queries
from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.scoring.current import current_model
from wagtail_ma.scoring.models import Interest, Standing
from wagtail_ma.tracking.models import Topic

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="looks at PostgreSQL's plans"),
]
ROWS = 5_000


@pytest.fixture
def visitors(now: datetime) -> list[Visitor]:
    made = Visitor.objects.bulk_create([Visitor(first_seen_at=now) for _number in range(ROWS)])
    Standing.objects.bulk_create(
        Standing(
            model=current_model(now),
            visitor=visitor,
            engagement_sum=place % 997,
            rank=place % 997,
            last_seen_at=now,
            active_at=now if place % 3 else None,
        )
        for place, visitor in enumerate(made)
    )
    return made


def analyse() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def test_active__first_and_any_other_page__read_the_rank_index_and_sort_nothing(
    now: datetime, visitors: list[Visitor]
) -> None:
    analyse()
    rows, order = ranked.listed("active", now=now), ranked.ORDERS["-rank"]
    second = keyset.page(rows, order).next_cursor
    later = rows.filter(keyset._beyond(order, *keyset._read(order, second)))  # type: ignore[misc]
    for asked in (rows, later):
        plan = asked.order_by("-rank", "-visitor_id")[:51].explain()
        assert "ma_standing_rank" in plan
        assert "Sort" not in plan


def test_hot__among_many_that_are_over__read_by_index(now: datetime, visitors: list[Visitor]) -> None:
    definition = HotDefinition.objects.create(name="x", kind="score")
    HotEntry.objects.bulk_create(
        HotEntry(
            definition=definition,
            visitor=visitor,
            born_visitor=visitor,
            opened_at=now,
            evidence_at=now,
            expires_at=now + timedelta(days=place % 30),
            closed_at=now if place % 100 else None,
        )
        for place, visitor in enumerate(visitors)
    )
    analyse()
    due = HotEntry.objects.filter(closed_at__isnull=True, expires_at__lte=now)
    for asked in (due, queries.open_entries()):
        assert "Seq Scan on wagtail_ma_hotentry" not in asked.explain()


def test_count__few_active_prospects__reads_their_index_and_no_visitor(
    now: datetime, visitors: list[Visitor]
) -> None:
    Standing.objects.filter(visitor__in=visitors[50:]).update(active_at=now - timedelta(days=300))
    analyse()
    rows = ranked.listed("active", now=now).order_by().values("visitor_id")[: keyset.COUNT_LIMIT + 1]
    plan = rows.explain()
    assert "ma_standing_active" in plan
    assert "wagtail_ma_visitor" not in plan


def test_lists__each__ask_no_visitor_whom_they_hold(now: datetime, visitors: list[Visitor]) -> None:
    analyse()
    for which in ranked.LISTS:
        plan = ranked.listed(which, now=now).order_by().values("visitor_id").explain()
        assert "wagtail_ma_visitor" not in plan


def test_interested_in__most_first__reads_the_index_of_interests_and_sorts_nothing(
    now: datetime, visitors: list[Visitor]
) -> None:
    topics = [Topic.objects.create(name=name) for name in ("Cabinet", "Flow")]
    Interest.objects.bulk_create(
        Interest(
            model=current_model(now),
            visitor=visitor,
            topic=topics[place % 2],
            evidence_sum=1 + place % 997,
            last_at=now,
        )
        for place, visitor in enumerate(visitors)
    )
    analyse()
    rows = ranked.interested_in(ranked.listed("all", now=now), topics[0].pk)
    plan = rows.order_by("-interest", "-visitor_id")[:51].explain()
    assert "ma_interest_topic" in plan
    assert "Sort" not in plan
    first = keyset.page(rows, ranked.ORDERS["-interest"], size=7)
    second = keyset.page(rows, ranked.ORDERS["-interest"], cursor=first.next_cursor, size=7)
    shown = [row.interest for row in (*first.rows, *second.rows)]
    assert shown == sorted(shown, reverse=True)
    assert len({row.pk for row in (*first.rows, *second.rows)}) == 14
