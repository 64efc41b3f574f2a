"""System checks."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings

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
    monkeypatch.setitem(django_settings.DATABASES, "default", database)
    found = [message.id for message in checks.check_databases(None)]
    assert found == (["wagtail_ma.W021"] if is_warned else [])


@pytest.mark.parametrize(("value", "expected"), [(True, ["wagtail_ma.W020"]), (False, []), (None, [])])
def test_check_databases__a_transaction_for_each_request__warned(
    monkeypatch: pytest.MonkeyPatch, value: bool | None, expected: list[str]
) -> None:
    database = {"CONN_MAX_AGE": 60} | ({} if value is None else {"ATOMIC_REQUESTS": value})
    monkeypatch.setitem(django_settings.DATABASES, "default", database)
    assert [message.id for message in checks.check_databases(None)] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("direct", []), ("buffered", []), ("redis", []), ("kafka", ["wagtail_ma.E008"])],
)
def test_check_settings__recording__one_of_three_ways(settings: Any, value: str, expected: list[str]) -> None:
    settings.WAGTAIL_MA = {"RECORDING": value}
    assert [message.id for message in checks.check_settings(None)] == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("visitor", []), ("__Host-ma", []), ("ma key", ["wagtail_ma.E016"]), ("ma@x", ["wagtail_ma.E016"])],
)
def test_check_settings__cookie_name__that_browsers_take(
    settings: Any, name: str, expected: list[str]
) -> None:
    settings.WAGTAIL_MA = {"COOKIE_NAME": name}
    assert [message.id for message in checks.check_settings(None)] == expected


@pytest.mark.parametrize(
    ("application", "recording", "expected"),
    [
        (None, "direct", []),
        ("site.asgi.application", "direct", ["wagtail_ma.W022"]),
        ("site.asgi.application", "buffered", []),
        ("site.asgi.application", "redis", []),
    ],
)
def test_check_server__asynchronous_and_direct__warned(
    settings: Any, application: Any, recording: str, expected: list[str]
) -> None:
    settings.ASGI_APPLICATION = application
    settings.WAGTAIL_MA = {"RECORDING": recording}
    assert [message.id for message in checks.check_server(None)] == expected
