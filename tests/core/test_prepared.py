"""Statements that are compiled once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Greatest
from django.test.utils import CaptureQueriesContext

from tests.factories import page_hit
from wagtail_ma import flow
from wagtail_ma.core.prepared import Insert, Select, Slot, Update, new_row
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.tracking.models import Activity, PageView, Visit

pytestmark = pytest.mark.django_db


def test_select__values_of_other_types__converted_both_ways(home: Any, now: datetime) -> None:
    hit = page_hit(home)
    flow.record_hit(hit, now=now)
    field = PageView._meta.get_field
    select = Select(
        lambda: PageView.objects.filter(
            view_id=Slot("view", field("view_id")), at__lt=Slot("before", field("at"))
        ).values_list("view_id", "at", "engaged_seconds")
    )
    later = now + timedelta(seconds=1)
    # Twice: the second time from what was compiled.
    for _ in range(2):
        assert select.first(view=hit.view_id, before=later) == [hit.view_id, now, 0.0]
    assert select.first(view=hit.view_id, before=now) is None
    assert select.first(view=uuid4(), before=later) is None


def test_select__compiled__text_from_outside_stays_a_value(db: Any, now: datetime) -> None:
    select = Select(
        lambda: Identity.objects.filter(key=Slot("key", Identity._meta.get_field("key"))).values_list("pk")
    )
    for key in ("' OR 1=1 --", "%s", "100%"):
        assert select.first(key=key) is None
        identity = Identity(kind="browser", key=key, visitor=Visitor.objects.create(first_seen_at=now))
        identity.created_at = now
        Insert(Identity).run(identity)
        assert select.first(key=key) == [identity.pk]


def test_update__slots_in_condition_and_values__rows_found(home: Any, now: datetime) -> None:
    flow.record_hit(page_hit(home), now=now)
    last_at = Visit._meta.get_field("last_at")
    update = Update(
        lambda: (
            Visit.objects.filter(last_at__lt=Slot("at", last_at)),
            {"last_at": Greatest("last_at", Slot("at", last_at))},
        )
    )
    later = now + timedelta(hours=1)
    assert [update.run(at=later), update.run(at=later)] == [1, 0]
    assert Visit.objects.get().last_at == later


def test_insert__unique_row_there_already__kept_and_its_id_found(home: Any, now: datetime) -> None:
    flow.record_hit(page_hit(home), now=now)
    identity = Identity.objects.get()
    insert = Insert(Activity, unique=("identity", "source_key"))

    def act(kind: str) -> Activity:
        row = Activity(identity=identity, visitor_id=identity.visitor_id, kind=kind, at=now, source_key="1")
        row.data = {"語": [1, None, "'"]}
        insert.run(row)
        return row

    first, second = act("a"), act("b")
    assert first.pk == second.pk == Activity.objects.get().pk
    assert (Activity.objects.get().kind, Activity.objects.get().data) == ("a", {"語": [1, None, "'"]})


def test_prepared__each_run__one_statement(home: Any, now: datetime) -> None:
    insert = Insert(Visitor)
    with CaptureQueriesContext(connection) as statements:
        for _ in range(3):
            insert.run(Visitor(first_seen_at=now))
    assert len(statements) == 3
    assert Visitor.objects.count() == 3


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (Visitor, {"bucket": 7}),
        (Visit, {"identity_id": 1, "visitor_id": 2, "medium": "direct", "is_bot": True}),
        (PageView, {"visit_id": 3, "engaged_seconds": 1.5}),
        (Activity, {"kind": "download", "data": {"a": 1}}),
    ],
)
def test_new_row__as_the_model_makes_it(model: Any, given: dict[str, Any]) -> None:
    made, usual = new_row(model, given), model(**given)
    for field in model._meta.concrete_fields:
        if field.attname != "bucket" or "bucket" in given:
            assert getattr(made, field.attname) == getattr(usual, field.attname), field.attname
    assert made._state.adding and made.pk is None


def test_new_row__defaults_that_change__not_shared() -> None:
    first, second = new_row(Activity, {}), new_row(Activity, {})
    first.data["a"] = 1
    assert second.data == {}
