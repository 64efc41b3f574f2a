"""A small table that every process keeps in memory for a while: asked with every hit, changed by editors."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connections

T = TypeVar("T")


class Remembered(Generic[T]):
    """What ``read`` returned, for some seconds of the process's own clock.

    :param read: reads the table.
    :param seconds: how long other processes may go by what an editor has changed.
    """

    def __init__(self, read: Callable[[], T], *, seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self.forget()

    def forget(self) -> None:
        """Read again next time: something has changed. Other processes follow when their time is up."""
        self._committed: tuple[T, float] | None = None
        # What is read inside of somebody's transaction may be undone with it.
        self._uncommitted: WeakKeyDictionary[Any, tuple[T, float]] = WeakKeyDictionary()

    def get(self) -> T:
        """The table; costs no statement when it was read a moment ago."""
        blocks = connections[DEFAULT_DB_ALIAS].atomic_blocks
        # A block of our own, which writes facts and no such table, undoes nothing that matters here.
        block = blocks[0] if len(blocks) > 1 else None
        known = self._committed if block is None else self._uncommitted.get(block)
        if known is None or time.monotonic() - known[1] > self._seconds:
            known = (self._read(), time.monotonic())
            if block is None:
                self._committed = known
            else:
                self._uncommitted[block] = known
        return known[0]
