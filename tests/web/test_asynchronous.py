"""Hits that come over ASGI."""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import uuid4

import pytest
from django.test import AsyncRequestFactory, RequestFactory
from django.urls import reverse

from tests.factories import CHROME
from wagtail_ma.tracking import page_token
from wagtail_ma.tracking.models import PageView
from wagtail_ma.tracking.page_token import PageRef
from wagtail_ma.web import asynchronous, hits

pytestmark = pytest.mark.django_db
FACTORIES = {"asgi": AsyncRequestFactory(), "wsgi": RequestFactory()}


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asynchronous, "notice", asynchronous.Notice())


def hit(home: Any, server: str) -> int:
    body = {
        "k": "p",
        "v": str(uuid4()),
        "t": page_token.make(PageRef(None, home.pk, "/", "en")),
        "u": "http://testserver/",
    }
    agent = {"headers": {"User-Agent": CHROME}}
    request: Any = FACTORIES[server].post(
        reverse("wagtail_ma:hit"), json.dumps(body), content_type="text/plain", **agent
    )
    return hits.hit(request).status_code


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if "ASGI" in record.message]


def test_hit__over_asgi__recorded_and_logged_once(home: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="wagtail_ma"):
        for _ in range(3):
            assert hit(home, "asgi") == 204
    assert PageView.objects.count() == 3
    assert len(warnings(caplog)) == 1
    assert "RECORDING" in warnings(caplog)[0]


@pytest.mark.parametrize(("server", "recording"), [("wsgi", "direct"), ("asgi", "redis")])
def test_hit__no_connection_taken_by_each__nothing_logged(
    home: Any, caplog: pytest.LogCaptureFixture, settings: Any, server: str, recording: str
) -> None:
    settings.WAGTAIL_MA = {"RECORDING": recording, "REDIS_URL": "redis://127.0.0.1:1/0"}
    with caplog.at_level(logging.WARNING, logger="wagtail_ma"):
        hit(home, server)
    assert warnings(caplog) == []
