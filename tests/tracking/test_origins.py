"""Another campaign or site within half an hour: the same visit, or a new one where the setting says so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from wagtail_ma import flow
from wagtail_ma.tracking import batch
from wagtail_ma.tracking.hits import Heard, Hit
from wagtail_ma.tracking.models import PageView, Visit
from wagtail_ma.tracking.page_token import PageRef

SEARCH = "https://www.google.com/"
# (query, referrer) of one view after the other, and which visit each is expected in.
STORY = [
    ("", SEARCH, 1),
    ("", "", 1),
    ("?utm_source=letter&utm_medium=email&utm_campaign=may", "", 2),
    ("", "http://testserver/a/", 2),
    ("?utm_source=letter&utm_medium=email&utm_campaign=june", "", 3),
    ("?utm_source=letter&utm_medium=email&utm_campaign=june", "", 3),
    ("", SEARCH, 4),
]


def view(query: str, referrer: str) -> Hit:
    page = PageRef(site_id=None, page_id=None, path="/a/")
    url = f"http://testserver/a/{query}"
    return Hit(kind="p", view_id=uuid4(), url=url, page=page, referrer=referrer)


def record_each(hits: list[Hit], now: datetime) -> None:
    key = None
    for number, hit in enumerate(hits):
        recorded = flow.record_hit(hit._replace(browser_key=key), now=now + timedelta(minutes=number))
        key = recorded.browser_key or key


def record_together(hits: list[Hit], now: datetime) -> None:
    key = flow.record_hit(hits[0], now=now).browser_key
    batch.write_all(
        [
            Heard(hit._replace(browser_key=key), now + timedelta(minutes=number))
            for number, hit in enumerate(hits)
        ]
    )


def visits_seen() -> list[int]:
    numbers: dict[int, int] = {}
    ids = PageView.objects.order_by("at").values_list("visit_id", flat=True)
    return [numbers.setdefault(pk, len(numbers) + 1) for pk in ids]


@pytest.mark.parametrize("record", [record_each, record_together])
@pytest.mark.parametrize("is_on", [True, False])
def test_visit__another_origin__new_one_only_where_the_setting_says_so(
    db: Any, settings: Any, now: datetime, record: Any, is_on: bool
) -> None:
    settings.WAGTAIL_MA = {"NEW_VISIT_BY_ORIGIN": is_on}
    hits = [view(query, referrer) for query, referrer, _number in STORY]
    record(hits, now)
    assert visits_seen() == ([number for *_rest, number in STORY] if is_on else [1] * len(STORY))
    if is_on:
        mediums = Visit.objects.order_by("started_at").values_list("medium", flat=True)
        assert list(mediums) == ["organic", "email", "email", "organic"]


def test_visit__first_message_repeated_after_a_split__begins_none(
    db: Any, settings: Any, now: datetime
) -> None:
    settings.WAGTAIL_MA = {"NEW_VISIT_BY_ORIGIN": True}
    hits = [view(query, referrer) for query, referrer, _number in STORY[:3]]
    record_each(hits, now)
    record_each(hits, now + timedelta(seconds=30))
    assert (Visit.objects.count(), PageView.objects.count()) == (2, 3)


def test_visit__longer_read_in_the_older_tab__next_view_joins_the_newer_visit(
    db: Any, settings: Any, now: datetime
) -> None:
    settings.WAGTAIL_MA = {"NEW_VISIT_BY_ORIGIN": True}
    first, second = view("", SEARCH), view("?utm_source=letter&utm_medium=email", "")
    key = flow.record_hit(first, now=now).browser_key
    flow.record_hit(second._replace(browser_key=key), now=now + timedelta(minutes=1))
    grown = first._replace(kind="e", browser_key=key, engaged_ms=60_000, visible_ms=60_000)
    flow.record_hit(grown, now=now + timedelta(minutes=2))
    flow.record_hit(view("", "")._replace(browser_key=key), now=now + timedelta(minutes=3))
    assert visits_seen() == [1, 2, 2]
