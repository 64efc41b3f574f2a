"""Many rows in one statement."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from wagtail_ma.core.many_rows import InsertRows
from wagtail_ma.people.models import Identity, Visitor

pytestmark = pytest.mark.django_db
insert_visitors = InsertRows(Visitor)
insert_identities = InsertRows(Identity, is_repeatable=True)


def browsers(keys: str, now: Any) -> list[Identity]:
    visitor = Visitor.objects.create(first_seen_at=now)
    return [Identity(kind="browser", key=key, visitor=visitor, created_at=now) for key in keys]


def test_run_with_keys__each_row_gets_its_own(now: Any) -> None:
    rows = [Visitor(first_seen_at=now + timedelta(seconds=number * 7 % 400)) for number in range(400)]
    assert insert_visitors.run_with_keys(rows)
    stored = dict(Visitor.objects.values_list("pk", "first_seen_at"))
    assert {row.pk: row.first_seen_at for row in rows} == stored
    assert not any(row._state.adding for row in rows)


def test_run_with_keys__a_row_is_left_out__no_key_is_told(now: Any) -> None:
    assert insert_identities.run_with_keys(browsers("abc", now)) is (connection.vendor == "postgresql")
    again = browsers("cde", now)
    assert not insert_identities.run_with_keys(again)
    assert [row.pk for row in again] == [None] * 3
    assert sorted(Identity.objects.values_list("key", flat=True)) == list("abcde")


def test_run_with_keys__nothing__done(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert insert_visitors.run_with_keys([])
