"""Which hosts are ours."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from django.db import DEFAULT_DB_ALIAS, connections
from wagtail.models import Site

# Wagtail keeps the sites in Django's cache, but that may be a server or a table, and this is asked
# with every hit (seconds of this process's clock).
REMEMBER_SECONDS = 60

_remembered: tuple[float, frozenset[str]] | None = None


def hosts() -> frozenset[str]:
    """Lower-case host names of all Wagtail sites, at most a minute old."""
    global _remembered
    if connections[DEFAULT_DB_ALIAS].in_atomic_block:
        # What is read in a transaction may be rolled back: not remembered.
        return _read()
    if _remembered is None or time.monotonic() - _remembered[0] > REMEMBER_SECONDS:
        _remembered = (time.monotonic(), _read())
    return _remembered[1]


def _read() -> frozenset[str]:
    roots = Site.get_site_root_paths()
    return frozenset((urlsplit(root.root_url).hostname or "").lower() for root in roots) - {""}
