"""Old facts go, roll-ups stay."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings

from tests.factories import activity, browser, engagement_hit
from tests.tracking.test_rollups import everything, view
from wagtail_ma import flow
from wagtail_ma.people.models import Visitor
from wagtail_ma.tracking import pages, retention, rollups
from wagtail_ma.tracking.models import Activity, PageDay, PageView, SiteDay, Visit

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def carry(visit_ids: list[int], activity_ids: list[int]) -> None:
    """Keep nothing: what scores need is tested with them."""


# RETENTION_MONTHS = 25 before this is 3 March 2026, 10:00 in Tokyo.
LATER = datetime(2028, 4, 3, 1, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fresh_memory() -> Any:
    pages.forget()


@pytest.fixture
def counted(home: Any, now: datetime) -> Any:
    """One visit and one act on each of three days, the middle one just old enough to stay."""
    for at in (now - DAY, now, now + DAY):
        identity = browser(at)
        view(home, at, identity)
        activity(identity, at)
    while rollups.roll_up(now=LATER, limit=1_000):
        pass


def test_cutoff__months_of_different_lengths__is_a_day_that_exists(now: datetime) -> None:
    assert retention.cutoff(now=LATER) == now.replace(hour=15) - DAY
    end_of_march = datetime(2026, 3, 31, 3, tzinfo=UTC)
    with override_settings(WAGTAIL_MA={"RETENTION_MONTHS": 13}):
        assert retention.cutoff(now=end_of_march) == datetime(2025, 2, 27, 15, tzinfo=UTC)


def test_prune__facts_before_the_retention__go_with_their_views_and_roll_ups_stay(
    counted: Any, now: datetime
) -> None:
    stored = everything(PageDay), everything(SiteDay)
    assert retention.prune(now=LATER, carry=carry) == 3
    assert [visit.started_at for visit in Visit.objects.order_by("pk")] == [now, now + DAY]
    assert (PageView.objects.count(), Activity.objects.count()) == (2, 2)
    assert retention.prune(now=LATER, carry=carry) == 0
    assert (everything(PageDay), everything(SiteDay)) == stored
    assert Visitor.objects.count() == 3
    # The next round of counting does not wipe out what only the roll-ups know.
    rollups.roll_up(now=LATER + DAY, limit=100)
    assert PageDay.objects.filter(day=date(2026, 3, 2), views=1).exists()


def test_prune__day_not_yet_counted_for_good__keeps_its_facts(home: Any, now: datetime) -> None:
    view(home, now, browser(now))
    assert retention.prune(now=LATER + DAY, carry=carry) == 0
    while rollups.roll_up(now=LATER + DAY, limit=1_000):
        pass
    assert retention.prune(now=LATER + DAY, carry=carry) == 2


def test_prune__small_portions__come_to_the_same_end(home: Any, now: datetime) -> None:
    for number in range(7):
        identity = browser(now)
        view(home, now - number * DAY, identity)
        view(home, now - number * DAY, identity)
        activity(identity, now - number * DAY)
    while rollups.roll_up(now=LATER, limit=1_000):
        pass
    portions = []
    while deleted := retention.prune(now=LATER, carry=carry, limit=2):
        portions.append(deleted)
    assert len(portions) >= 3
    assert (Visit.objects.count(), PageView.objects.count(), Activity.objects.count()) == (1, 2, 1)


def test_prune__visit_that_lasts_beyond_the_limit__stays_whole(home: Any, now: datetime) -> None:
    ann = browser(now)
    hit = view(home, now - timedelta(minutes=10), ann)
    flow.record_hit(
        engagement_hit(hit.view_id, 60, page=home, browser_key=ann.key), now=now + timedelta(minutes=1)
    )
    while rollups.roll_up(now=LATER, limit=1_000):
        pass
    assert retention.prune(now=LATER, carry=carry) == 0


def test_prune__nothing_old__costs_two_statements(home: Any, now: datetime) -> None:
    identity = browser(now)
    view(home, now, identity)
    activity(identity, now)
    with CaptureQueriesContext(connection) as queries:
        assert retention.prune(now=now + DAY, carry=carry) == 0
    assert len(queries) == 2


def test_purge__everything_old__ends_with_full_progress(counted: Any) -> None:
    told: list[tuple[int, int]] = []
    much_later = LATER + 400 * DAY
    while rollups.roll_up(now=much_later, limit=1_000):
        pass
    assert (
        retention.purge(now=much_later, carry=carry, progress=lambda done, total: told.append((done, total)))
        == 9
    )
    assert told[-1] == (3, 3)
    assert not Visit.objects.exists() and not Activity.objects.exists()


def test_ma_purge__old_facts__counts_them_first(home: Any, capsys: Any) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=150)
    identity = browser(long_ago)
    view(home, long_ago, identity)
    activity(identity, long_ago)
    with override_settings(WAGTAIL_MA={"RETENTION_MONTHS": 4}):
        call_command("ma_purge")
    assert "Deleted rows: 3" in capsys.readouterr().out
    assert PageDay.objects.get().views == 1
