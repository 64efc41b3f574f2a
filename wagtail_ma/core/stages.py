"""Several pieces of work in a row, none of which may keep the others from being done."""

from __future__ import annotations

import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Stages:
    """Runs one piece after the other; what failed is logged and told at the end."""

    def __init__(self) -> None:
        self._errors: list[Exception] = []

    def do(self, work: Callable[[], int | None]) -> int:
        """Run ``work``; its count, or 0 when it failed or has none."""
        try:
            return work() or 0
        except Exception as error:
            logger.exception("a piece of background work failed")
            self._errors.append(error)
            return 0

    def finish(self) -> None:
        """:raises ExceptionGroup: with all that failed, if anything did."""
        if self._errors:
            raise ExceptionGroup("background work failed in part", self._errors)
