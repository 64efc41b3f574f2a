"""The usual messages of a batch, written together on PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import engagement_hit, page_hit
from wagtail_ma import flow
from wagtail_ma.core import planned
from wagtail_ma.people import drawn_keys
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import batch, batch_usual, pages, visits
from wagtail_ma.tracking.hits import Heard
from wagtail_ma.tracking.models import Network, PageView, Visit

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL alone has this way"),
]
MINUTE = timedelta(minutes=1)


def write(heard: list[Heard]) -> list[int]:
    """What is left of a batch."""
    return batch_usual.write(heard, [pages.tracked_page_for(each.hit, now=each.at) for each in heard])


def first(page: Any, at: datetime, **fields: Any) -> Heard:
    """The first view of a browser, as ``flow.receive`` hands it on."""
    hit = page_hit(page, **fields)
    key = drawn_keys.draw(hit.view_id, now=at)
    return Heard(hit._replace(browser_key=key, is_key_fresh=True, is_first=True), at)


def following(page: Any, before: Heard, at: datetime, **fields: Any) -> Heard:
    """Another view of the same browser."""
    return Heard(page_hit(page, browser_key=before.hit.browser_key, is_key_fresh=True, **fields), at)


def totals(page: Any, before: Heard, seconds: float, at: datetime) -> Heard:
    """What was read of a view."""
    key = {"browser_key": before.hit.browser_key, "is_key_fresh": True}
    return Heard(engagement_hit(before.hit.view_id, seconds, page=page, **key), at)


def every_column() -> list[list[dict[str, Any]]]:
    """All that was recorded, but keys and what is drawn."""
    drawn = {"id", "bucket", "visitor_id", "identity_id", "visit_id", "key", "merged_into_id"}
    return [
        [
            {name: value for name, value in row.items() if name not in drawn}
            for row in model.objects.order_by("pk").values()
        ]
        for model in (Visitor, Identity, Visit, PageView, News)
    ]


def test_first_further_view_and_totals__nothing_left(home: Any, now: datetime) -> None:
    begun = first(home, now)
    assert write([begun]) == []
    second = following(home, begun, now + MINUTE)
    assert write([second, totals(home, begun, 30, now + MINUTE)]) == []
    assert write([totals(home, second, 20, now + 2 * MINUTE)]) == []
    visit = Visit.objects.get()
    assert (visit.started_at, visit.last_at) == (now, now + 2 * MINUTE)
    assert [view.engaged_seconds for view in PageView.objects.order_by("at")] == [30, 20]
    # One for the first view, one for the second and its totals each, and one for those of the second.
    assert News.objects.count() == 4


def test_all_columns__as_if_written_one_by_one(home: Any, now: datetime) -> None:
    network = Network.objects.create(name="Example", ranges="192.0.2.0/24")
    fields = {
        "url": "http://localhost/?utm_source=x&utm_medium=cpc&utm_campaign=spring",
        "referrer": "https://www.bing.com/",
        "language": "ja",
        "country": "JP",
        "region": "JP-13",
        "network_id": network.pk,
        "width": 1280,
    }
    hits = [page_hit(home, is_bot=is_bot, **fields) for is_bot in (False, True)]
    keys = [flow.record_hit(hit, now=now).browser_key for hit in hits]
    for hit, key in zip(hits, keys, strict=True):
        later = now + MINUTE
        flow.record_hit(engagement_hit(hit.view_id, 30, page=home, browser_key=key), now=later)
        flow.record_hit(page_hit(home, browser_key=key, **fields), now=later)
    expected = every_column()
    for model in (News, PageView, Visit, Identity, Visitor):
        model.objects.all().delete()
    heard = [first(home, now, view_id=hit.view_id, is_bot=hit.is_bot, **fields) for hit in hits]
    assert write(heard) == []
    later = now + MINUTE
    for each in heard:
        assert write([totals(home, each, 30, later)]) == []
    assert write([following(home, each, later, **fields) for each in heard]) == []
    found = every_column()
    # (Ids of views that were drawn here differ.)
    known = {hit.view_id for hit in hits}
    for row in (*found[3], *expected[3]):
        row["view_id"] = row["view_id"] if row["view_id"] in known else None
    for ours, theirs in zip(found, expected, strict=True):
        assert sorted(map(str, ours)) == sorted(map(str, theirs))


def unusual(home: Any, now: datetime) -> dict[str, tuple[list[Heard], Heard]]:
    """By what it is: what came before, and a message that is not as usual."""
    begun, old = first(home, now), first(home, now - timedelta(hours=2))
    view = following(home, begun, now + MINUTE)
    act = page_hit(home, kind="c", event_id=uuid4(), name="video_play", browser_key=begun.hit.browser_key)
    return {
        "an act": ([begun], Heard(act._replace(is_key_fresh=True), now + MINUTE)),
        "a browser that nobody knows": ([], following(home, begun, now)),
        "a first view of a known browser": ([begun], begun),
        "a view that is known": ([begun, view], view),
        "a visit that is over": ([old], following(home, old, now)),
        "totals of an unknown view": ([begun], totals(home, view, 3, now + MINUTE)),
        "a claim": ([begun], totals(home, begun, 900, now + MINUTE)),
        "a message of a log": ([], Heard(page_hit(home, log_key="x", source="server"), now)),
        "a message without a key": ([], Heard(page_hit(home), now)),
    }


@pytest.mark.parametrize("kind", list(unusual(None, datetime(2026, 1, 1))))
def test_what_is_not_as_usual__left_with_what_may_depend_on_it(home: Any, now: datetime, kind: str) -> None:
    before, message = unusual(home, now)[kind]
    for each in before:
        assert write([each]) == []
    rows = every_column()
    somebody = first(home, message.at)
    later = Heard(page_hit(home, browser_key=message.hit.browser_key, is_key_fresh=True), message.at + MINUTE)
    # (A view of a visit that is going on depends on nothing.)
    is_independent = kind in ("a view that is known", "totals of an unknown view", "a claim")
    assert write([message, somebody, later]) == ([0] if is_independent else [0, 2])
    # Somebody else's message does not wait.
    assert Identity.objects.filter(key=somebody.hit.browser_key).exists()
    more = [len(ours) - len(theirs) for ours, theirs in zip(every_column(), rows, strict=True)]
    assert more == [1, 1, 1, 1 + is_independent, 1 + is_independent]


def test_what_turns_out_unusual__later_totals_wait(home: Any, now: datetime) -> None:
    begun = first(home, now - timedelta(hours=2))
    assert write([begun]) == []
    anew = following(home, begun, now)
    read = totals(home, begun, 3, now + MINUTE)
    assert write([anew, read]) == [0, 1]
    assert PageView.objects.get().engaged_seconds == 0


def test_same_view_twice_in_a_batch__once(home: Any, now: datetime) -> None:
    begun = first(home, now)
    batch.write([begun, begun])
    view = following(home, begun, now + MINUTE)
    batch.write(
        [view, view, totals(home, view, 4, now + 2 * MINUTE), totals(home, view, 3, now + 3 * MINUTE)]
    )
    assert (Visitor.objects.count(), Visit.objects.count(), PageView.objects.count()) == (1, 1, 2)
    # (The same total, or a smaller one, prolongs nothing.)
    assert Visit.objects.get().last_at == now + 2 * MINUTE


def test_hostile_texts__stored_as_they_are(home: Any, now: datetime) -> None:
    texts = "\"'\\},{[%s%(x)s:null\u2028é日本"
    begun = first(home, now, region=texts, referrer="https://example.com/" + texts)
    key = Heard(begun.hit._replace(browser_key=texts), now)
    assert write([key]) == []
    assert write([following(home, key, now + MINUTE)]) == []
    assert Visit.objects.get().region == texts
    assert Identity.objects.get().key == texts


def statements(heard: list[Heard]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert write(heard) == []
    return [row["sql"] for row in captured]


def test_statements__the_same_for_few_and_for_many(home: Any, now: datetime) -> None:
    write([first(home, now)])
    for count in (2, 60):
        begun = [first(home, now) for _ in range(count)]
        assert len(statements(begun)) == 2
        views = [following(home, each, now + MINUTE) for each in begun]
        assert len(statements(views)) == 3
        assert len(statements([totals(home, each, 3, now + MINUTE) for each in views])) == 4


def test_plans__no_table_is_read_whole(home: Any, now: datetime) -> None:
    # As after a busy first day: the tables have grown, and PostgreSQL has not looked at them since.
    everybody = [first(home, now) for _ in range(300)]
    batch.write(everybody)
    begun = [first(home, now) for _ in range(60)]
    views = [following(home, each, now + MINUTE) for each in everybody[:60]]
    read = [totals(home, each, 3, now + 2 * MINUTE) for each in views]
    asked = [sql for some in (begun, views, read) for sql in statements(some)]
    with connection.cursor() as cursor:
        cursor.execute(asked[0].replace("off", "on"))
    for sql in asked:
        with connection.cursor() as cursor:
            if sql.startswith("SET LOCAL"):
                cursor.execute(sql)
                continue
            cursor.execute("EXPLAIN " + sql.replace("%", "%%"))
            plan = "\n".join(line for (line,) in cursor)
        assert "Seq Scan" not in plan and "Hash Join" not in plan, plan


def test_columns_of_a_visit__all_told(home: Any, now: datetime) -> None:
    told = set(
        visits.fields_of_begun(page_hit(home), pages.tracked_page_for(page_hit(home), now=now), now=now)
    )
    owner = {"id", "identity_id", "visitor_id"}
    assert told | owner == {field.attname for field in Visit._meta.concrete_fields}


@pytest.mark.django_db(transaction=True)
def test_all_statements__can_be_prepared(home: Any, now: datetime, monkeypatch: Any) -> None:
    monkeypatch.setattr(planned, "_is_given_up", False)
    connection.close()
    for number in range(planned.FIRST + 2):
        at = now + number * MINUTE
        key = flow.record_hit(hit := page_hit(home), now=at).browser_key
        flow.record_hit(page_hit(home, browser_key=key), now=at)
        flow.record_hit(engagement_hit(hit.view_id, 3, page=home), now=at + MINUTE)
        begun = first(home, at)
        batch.write([begun])
        batch.write([following(home, begun, at), totals(home, begun, 3, at + MINUTE)])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'wagtail_ma_%%'")
        # Four for single messages, five for batches.
        assert cursor.fetchone() == (9,)
    connection.close()


def test_totals_before_their_first_message__as_one_by_one(home: Any, now: datetime) -> None:
    begun = first(home, now)
    batch.write([begun])
    view = following(home, begun, now + 10 * MINUTE)
    batch.write([totals(home, view, 300, now + 10 * MINUTE), view])
    seen = PageView.objects.get(view_id=view.hit.view_id)
    assert (seen.at, seen.engaged_seconds) == (now + 5 * MINUTE, 300)


def test_claim_then_honest_totals__still_doubtful(home: Any, now: datetime) -> None:
    begun = first(home, now)
    batch.write([begun])
    batch.write([totals(home, begun, 900, now + MINUTE), totals(home, begun, 1200, now + 30 * MINUTE)])
    assert PageView.objects.get().is_doubtful


def test_other_vendors__leave_everything(home: Any, now: datetime, monkeypatch: Any) -> None:
    monkeypatch.setattr(connection, "vendor", "sqlite")
    heard = [first(home, now), first(home, now)]
    assert batch_usual.write(heard, []) == [0, 1]
