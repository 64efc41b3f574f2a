"""Waiting for the worker of the running site."""

from __future__ import annotations

import time
from collections.abc import Callable

# A hit, the wake-up of the worker and its round take about five seconds; a busy machine more.
PATIENCE_SECONDS = 45


def eventually(act: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> bool:
    """Try again each second until it is true; False when it was not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if act():
            return True
        time.sleep(1)
    return False
