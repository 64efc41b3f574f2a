"""A limit per browser and process: what no person does, a loop or an attack does."""

from __future__ import annotations

import threading
import time


class PerMinute:
    """Counts calls by key in windows of one minute; thread-safe, bounded memory.

    Kept in the process: a limit that is exact over many processes would cost a write per message.
    """

    def __init__(self, limit: int, *, max_keys: int = 20_000) -> None:
        self.limit = limit
        self.max_keys = max_keys
        self._minute = 0
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def is_over(self, key: str) -> bool:
        """Count one call; True when the key has used up its minute."""
        minute = int(time.monotonic() // 60)
        with self._lock:
            if minute != self._minute or len(self._counts) >= self.max_keys:
                self._minute = minute
                self._counts.clear()
            self._counts[key] = count = self._counts.get(key, 0) + 1
        return count > self.limit
