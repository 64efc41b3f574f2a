"""Logs that are read by two processes at once; here threads with connections of their own."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.races.test_recording import together
from tests.tracking.test_replay import line, run, visits, written
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.tracking import replay as replaying
from wagtail_ma.tracking.models import PageView, Visit

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("is_same_file", [True, False])
def test_replay__twice_at_once__everything_once(
    home: Any, site: Any, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_same_file: bool
) -> None:
    monkeypatch.setattr(replaying, "CHUNK", 10)
    lines = [line(now + timedelta(minutes=n), f"/{n % 7}/", address=f"203.0.113.{n % 5}") for n in range(120)]
    first = written(tmp_path, *lines)
    second = first if is_same_file else written(tmp_path, *lines[1:], name="rotated.log")
    together(*(partial(run, path, site, now) for path in (first, second)))
    assert (PageView.objects.count(), Visitor.objects.count(), Identity.objects.count()) == (120, 5, 5)
    assert Visit.objects.count() == 5
    assert sum(len(visit["views"]) for visit in visits()) == 120
