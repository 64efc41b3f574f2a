"""The wake-up call must not keep a visitor's request waiting."""

from __future__ import annotations

import time

import pytest

from tests.races.test_recording import only_sqlite, write_lock
from wagtail_ma.jobs import queue

pytestmark = pytest.mark.django_db(transaction=True)


@only_sqlite
def test_wake_up__database_locked__given_up_as_soon_as_a_hit() -> None:
    with write_lock():
        began = time.monotonic()
        queue._enqueue()
        # The project's own time-out is 20 seconds.
        assert time.monotonic() - began < 5
