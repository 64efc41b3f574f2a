"""The signed name of a page, as the template tag writes it and the browser sends it back.

It holds nothing about the visitor, so a page with it can be cached for everybody; and it is signed,
so nobody records views of pages that were never rendered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from wagtail_ma.conf import conf
from wagtail_ma.core import tokens

PURPOSE = "page"
# The token travels in every message; longer paths are cut.
MAX_PATH_LENGTH = 300


@dataclass(frozen=True)
class PageRef:
    """Which page was rendered.

    :param site_id: primary key of the Wagtail site, None outside of any.
    :param page_id: primary key of the Wagtail page, None for a view that is none.
    :param path: path of the request, percent-decoded.
    :param locale: language code that was active.
    """

    site_id: int | None = None
    page_id: int | None = None
    path: str = ""
    locale: str = ""


def make(page_ref: PageRef) -> str:
    """Sign a page: text of ``A-Za-z0-9_-``."""
    path = page_ref.path[:MAX_PATH_LENGTH].encode("utf-8", "replace").decode()
    return tokens.dumps(PURPOSE, (page_ref.site_id or 0, page_ref.page_id or 0, path, page_ref.locale))


def is_for(page_ref: PageRef, path: str) -> bool:
    """Whether a page was rendered at this path (percent-decoded)."""
    return page_ref.path == path[:MAX_PATH_LENGTH]


# Page tokens do not expire: a page may stay in a cache, or open in a tab, for weeks.
def read(token: str) -> PageRef | None:
    """The page of a token, None when it is not ours."""
    # The same few come with every message.
    return _read(token, conf.secrets())


@lru_cache(maxsize=1024)
def _read(token: str, secrets: tuple[bytes, ...]) -> PageRef | None:
    try:
        payload, _issued_at = tokens.read(PURPOSE, token, secrets=secrets)
    except tokens.BadToken:
        return None
    match payload:
        case (int(site_id), int(page_id), str(path), str(locale)):
            return PageRef(site_id or None, page_id or None, path, locale)
    return None
