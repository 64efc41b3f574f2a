"""System checks."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from wagtail_ma import checks


@pytest.mark.parametrize(
    ("database", "is_warned"),
    [
        ({}, True),
        ({"CONN_MAX_AGE": 0}, True),
        ({"CONN_MAX_AGE": 60}, False),
        ({"CONN_MAX_AGE": None}, False),
        ({"OPTIONS": {"pool": True}}, False),
    ],
)
def test_check_databases__connections_kept__no_warning(
    monkeypatch: pytest.MonkeyPatch, database: dict[str, Any], is_warned: bool
) -> None:
    monkeypatch.setitem(settings.DATABASES, "default", database)
    found = [message.id for message in checks.check_databases(None)]
    assert found == (["wagtail_ma.W021"] if is_warned else [])
