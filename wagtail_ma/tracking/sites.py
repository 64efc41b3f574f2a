"""Which hosts are ours."""

from __future__ import annotations

from urllib.parse import urlsplit

from wagtail.models import Site

from wagtail_ma.core.remembered import Remembered

# Wagtail keeps the sites in Django's cache, but that may be a server or a table, and this is asked
# with every hit (seconds of this process's clock).
REMEMBER_SECONDS = 60


def hosts() -> frozenset[str]:
    """Lower-case host names of all Wagtail sites, at most a minute old."""
    return _remembered.get()[0]


def is_of_another(site_id: int | None, url: str) -> bool:
    """Whether an address is on the host of other sites than this one. (The default site answers on
    any host that is no site's.)"""
    ids = _remembered.get()[1].get((urlsplit(url).hostname or "").lower())
    return site_id is not None and ids is not None and site_id not in ids


def forget() -> None:
    """Read the sites again. Other processes follow within a minute."""
    _remembered.forget()


def _read() -> tuple[frozenset[str], dict[str, frozenset[int]]]:
    """All names, and which sites answer to each."""
    found: dict[str, set[int]] = {}
    for root in Site.get_site_root_paths():
        if host := (urlsplit(root.root_url).hostname or "").lower():
            found.setdefault(host, set()).add(root.site_id)
    return frozenset(found), {host: frozenset(ids) for host, ids in found.items()}


_remembered = Remembered(_read, seconds=REMEMBER_SECONDS)
