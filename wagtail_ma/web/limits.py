"""Limits per browser or network, and process: what no person does, a loop or an attack does."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from wagtail_ma.forms.limits import PREFIX_LENGTHS
from wagtail_ma.tracking import places


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


def network_of(meta: Mapping[str, Any]) -> str:
    """The network of whoever sent a request, as a key for :class:`PerMinute`; the address goes no further.

    :param meta: ``request.META``. ``X-Forwarded-For`` is believed as far as ``TRUSTED_PROXIES`` wrote it.
    :returns: "" where it cannot be told: a socket of this machine, or an address that is none of the
        Internet's (a proxy that nobody named, behind which all visitors look alike).
    """
    address = places.client_address(meta)
    if address is None or not address.is_global:
        return ""
    return address.packed[: PREFIX_LENGTHS[address.version] // 8].hex()
