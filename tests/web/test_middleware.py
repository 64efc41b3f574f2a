"""Hits that are answered before all other middleware."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client, override_settings
from django.urls import reverse

from tests.factories import CHROME
from wagtail_ma.tracking import page_token
from wagtail_ma.tracking.models import PageView
from wagtail_ma.tracking.page_token import PageRef

pytestmark = pytest.mark.django_db
EARLY = "wagtail_ma.web.middleware.HitMiddleware"
LATER = "tests.web.test_middleware.loud"


def loud(get_response: Any) -> Any:
    """Another middleware, which leaves its mark on everything that passes."""

    def middleware(request: Any) -> Any:
        response = get_response(request)
        response["X-Loud"] = "yes"
        return response

    return middleware


@pytest.fixture(autouse=True)
def early() -> Any:
    with override_settings(MIDDLEWARE=[EARLY, LATER, *settings.MIDDLEWARE]):
        yield


def post(client: Client, home: Any) -> Any:
    token = page_token.make(PageRef(None, home.pk, "/", "en"))
    body = {"k": "p", "v": str(uuid4()), "t": token, "u": "http://testserver/"}
    address = reverse("wagtail_ma:hit")
    return client.post(address, json.dumps(body), content_type="text/plain", HTTP_USER_AGENT=CHROME)


def test_hit__recorded_before_other_middleware(home: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    for _ in range(2):
        answer = post(client, home)
        assert answer.status_code == 204 and "X-Loud" not in answer
    assert "wagtail_ma" in client.cookies
    assert PageView.objects.count() == 2


def test_hit__malformed_or_from_elsewhere__refused(home: Any, client: Client) -> None:
    address = reverse("wagtail_ma:hit")
    assert client.post(address, "{", content_type="text/plain").status_code == 400
    foreign = {"content_type": "text/plain", "HTTP_ORIGIN": "https://x.example"}
    assert client.post(address, "{}", **foreign).status_code == 403
    assert client.get(address).status_code == 405


def test_hit_with_a_session__goes_the_usual_way__staff_is_not_recorded(home: Any, client: Client) -> None:
    client.force_login(get_user_model().objects.create_superuser("boss"))
    answer = post(client, home)
    assert (answer.status_code, answer["X-Loud"]) == (204, "yes")
    assert not PageView.objects.exists()


def test_other_requests__untouched(home: Any, client: Client) -> None:
    assert client.get("/")["X-Loud"] == "yes"
