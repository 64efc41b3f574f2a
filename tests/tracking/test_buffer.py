"""The buffer of a web process."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.factories import CHROME, page_hit
from wagtail_ma import flow
from wagtail_ma.core import tokens
from wagtail_ma.people import cookies
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.tracking import buffer as buffer_module
from wagtail_ma.tracking import page_token
from wagtail_ma.tracking.buffer import Buffer
from wagtail_ma.tracking.hits import Heard
from wagtail_ma.tracking.models import PageView, Visit
from wagtail_ma.tracking.page_token import PageRef
from wagtail_ma.tracking.writing import Busy


@pytest.fixture
def own_buffer(monkeypatch: Any, settings: Any) -> Buffer:
    """The web process gathers hits, and writes them when the test says so."""
    settings.WAGTAIL_MA = {"RECORDING": "buffered"}
    own = Buffer(has_thread=False)
    monkeypatch.setattr(flow, "buffer", own)
    return own


def post(client: Client, home: Any, **fields: Any) -> Any:
    token = page_token.make(PageRef(None, home.pk, "/", "en"))
    body = {"k": "p", "v": str(uuid4()), "t": token, "u": "http://testserver/", **fields}
    address = reverse("wagtail_ma:hit")
    return client.post(address, json.dumps(body), content_type="text/plain", HTTP_USER_AGENT=CHROME)


@pytest.mark.django_db
def test_buffered__cookie_before_the_row__one_browser(own_buffer: Buffer, home: Any, client: Client) -> None:
    for _ in range(3):
        assert post(client, home).status_code == 204
    assert "wagtail_ma" in client.cookies
    assert not PageView.objects.exists() and not Identity.objects.exists()
    assert own_buffer.flush() == 3
    assert (Visitor.objects.count(), Visit.objects.count(), PageView.objects.count()) == (1, 1, 3)


@pytest.mark.django_db
def test_buffered__answer_got_lost__second_process_draws_the_same_key(
    own_buffer: Buffer, home: Any, client: Client
) -> None:
    view_id = str(uuid4())
    post(client, home, v=view_id)
    first = client.cookies.pop("wagtail_ma")
    post(client, home, v=view_id)
    assert len(first.value) == len(client.cookies["wagtail_ma"].value)
    own_buffer.flush()
    assert (Visitor.objects.count(), Identity.objects.count(), PageView.objects.count()) == (1, 1, 1)
    post(client, home)
    own_buffer.flush()
    assert (Visitor.objects.count(), Visit.objects.count(), PageView.objects.count()) == (1, 1, 2)


@pytest.mark.django_db
def test_buffered__known_browser_from_before__stays_itself(
    own_buffer: Buffer, settings: Any, home: Any, client: Client
) -> None:
    settings.WAGTAIL_MA = {"RECORDING": "direct"}
    post(client, home)
    settings.WAGTAIL_MA = {"RECORDING": "buffered"}
    post(client, home)
    own_buffer.flush()
    assert (Visitor.objects.count(), Visit.objects.count(), PageView.objects.count()) == (1, 1, 2)


@pytest.mark.django_db
def test_buffered__key_that_is_no_more_and_not_fresh__gets_another(
    own_buffer: Buffer, settings: Any, home: Any, client: Client
) -> None:
    settings.WAGTAIL_MA = {"RECORDING": "direct"}
    post(client, home)
    old = Identity.objects.get()
    given = tokens.dumps(cookies.PURPOSE, old.key.encode(), now=timezone.now() - timedelta(hours=2))
    client.cookies["wagtail_ma"] = given
    Visitor.objects.all().delete()
    settings.WAGTAIL_MA = {"RECORDING": "buffered"}
    for _ in range(2):
        post(client, home)
        own_buffer.flush()
    assert Identity.objects.get().key != old.key
    assert PageView.objects.count() == 2


@pytest.mark.django_db
def test_form_sent_before_the_flush__same_browser(own_buffer: Buffer, home: Any, now: datetime) -> None:
    recorded = flow.receive(page_hit(home), now=now)
    later = page_hit(home, browser_key=recorded.browser_key, is_key_fresh=True)
    flow.record_hit(later, now=now + timedelta(milliseconds=100))
    own_buffer.flush()
    assert (Visitor.objects.count(), Identity.objects.count(), Visit.objects.count()) == (1, 1, 1)


@pytest.mark.django_db
def test_buffered__anonymous__counted_at_once_and_never_gathered(
    own_buffer: Buffer, home: Any, client: Client
) -> None:
    client.defaults["HTTP_SEC_GPC"] = "1"
    post(client, home)
    assert own_buffer.flush() == 0
    assert "wagtail_ma" not in client.cookies


@pytest.mark.django_db
def test_buffer__full__503_and_nothing_lost(
    own_buffer: Buffer, home: Any, client: Client, monkeypatch: Any
) -> None:
    monkeypatch.setattr(buffer_module, "MAX_WAITING", 2)
    assert [post(client, home).status_code for _ in range(3)] == [204, 204, 503]
    own_buffer.flush()
    assert post(client, home).status_code == 204
    own_buffer.flush()
    assert PageView.objects.count() == 3


def heard(number: int) -> Heard:
    return Heard(page_hit(language=str(number)), datetime.fromisoformat("2026-03-03T10:00:00+09:00"))


def test_buffer__database_away__keeps_all_in_order() -> None:
    written: list[Heard] = []
    is_away = True

    def write(some: Sequence[Heard]) -> None:
        if is_away:
            raise Busy("away")
        written.extend(some)

    own = Buffer(write, has_thread=False)
    messages = [heard(number) for number in range(1200)]
    for each in messages:
        own.add(each)
    with pytest.raises(Busy):
        own.flush()
    is_away = False
    assert own.flush() == 1200
    assert written == messages


def test_buffer__thread__writes_by_itself_and_all_of_it() -> None:
    written: list[Heard] = []
    is_done = threading.Event()

    def write(some: Sequence[Heard]) -> None:
        written.extend(some)
        connections.close_all()
        if len(written) == 700:
            is_done.set()

    own = Buffer(write)
    for number in range(700):
        own.add(heard(number))
    assert is_done.wait(timeout=30)
    assert [each.hit.language for each in written] == [str(number) for number in range(700)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_buffer__forked_child__writes_its_own_only() -> None:
    reading, writing = os.pipe()
    buffer_module.buffer.forget()
    buffer_module.buffer._waiting.append(heard(1))
    child = os.fork()
    if child == 0:
        os.write(writing, bytes([len(buffer_module.buffer._waiting)]))
        os._exit(0)
    os.waitpid(child, 0)
    buffer_module.buffer.forget()
    assert os.read(reading, 1) == b"\0"
    os.close(reading)
    os.close(writing)
