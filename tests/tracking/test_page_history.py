"""What was recorded of a page outlives it, and does not hold up whoever removes it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from wagtail.models import Page

from tests.factories import browser, page_hit
from tests.tracking.test_page_classes import child
from wagtail_ma import flow
from wagtail_ma.reports import pages as reports
from wagtail_ma.reports.timeline import timeline
from wagtail_ma.tracking import pages, rollups
from wagtail_ma.tracking.models import PageDay, PageView, TrackedPage

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def fresh_memory() -> Any:
    pages.forget()


def viewed(parent: Any, slug: str, views: int, now: datetime) -> tuple[Page, TrackedPage | None]:
    """A page that one browser has viewed so many times, and what is kept of it (None: nothing)."""
    page = child(parent, slug)
    if not views:
        return page, None
    flow.record_hit(page_hit(page, browser_key=browser(now).key), now=now)
    first = PageView.objects.latest("pk")
    same = {"visit_id": first.visit_id, "visitor_id": first.visitor_id}
    PageView.objects.bulk_create(
        PageView(
            **same,
            tracked_page_id=first.tracked_page_id,
            view_id=uuid4(),
            at=now + timedelta(seconds=number),
        )
        for number in range(1, views)
    )
    return page, first.tracked_page


def statements_of_deletion(page: Page) -> list[str]:
    page = Page.objects.get(pk=page.pk).specific
    with CaptureQueriesContext(connection) as captured:
        page.delete()
    return [row["sql"] for row in captured]


def test_page_deleted__any_number_of_views__the_same_statements_and_no_view_touched(
    home: Any, now: datetime
) -> None:
    kept, counts = [], []
    # (The first deletion of a process looks up content types and the like.)
    statements_of_deletion(child(home, "warm-up"))
    for number, views in enumerate((0, 1, 3_000)):
        page, tracked = viewed(home, f"page-{number}", views, now)
        statements = statements_of_deletion(page)
        counts.append(len(statements))
        for name in ("pageview", "visit", "pageday", "activity"):
            assert not [sql for sql in statements if f"wagtail_ma_{name}" in sql.lower()], name
        if tracked:
            tracked.refresh_from_db()
            assert tracked.page_id is None
            kept.append(PageView.objects.filter(tracked_page=tracked).count())
    assert kept == [1, 3_000]
    assert counts[0] == counts[1] == counts[2]


def test_page_unpublished__history_stays_and_goes_on_when_it_is_published_again(
    home: Any, now: datetime
) -> None:
    ann = browser(now)
    pricing = child(home, "pricing")
    flow.record_hit(page_hit(pricing, browser_key=ann.key), now=now)
    tracked = TrackedPage.objects.get()
    pricing.unpublish()
    pages.forget()
    # Whoever has it open still reports; the page is not public any more, and not named.
    flow.record_hit(page_hit(pricing, browser_key=ann.key), now=now + timedelta(minutes=1))
    tracked.refresh_from_db()
    assert (tracked.page_id, tracked.title) == (pricing.pk, "Pricing")
    assert [view.tracked_page for view in PageView.objects.order_by("at")][0] == tracked
    assert "Pricing" in [row.title for row in timeline(ann.visitor_id).rows]
    while rollups.roll_up(now=now + DAY, limit=100):
        pass
    assert PageDay.objects.get(tracked_page=tracked).views == 1
    assert reports.page_report([tracked.pk], now=now + DAY, days=7).views == 1
    pricing.refresh_from_db()
    pricing.save_revision().publish()
    pages.forget()
    flow.record_hit(page_hit(pricing, browser_key=ann.key), now=now + timedelta(minutes=2))
    assert PageView.objects.filter(tracked_page=tracked).count() == 2
