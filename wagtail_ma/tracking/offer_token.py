"""The signed name of an offer on a page: what the page carries, and the script sends back as proof.

It names the page and the variant that was shown, not the segment that the variant is for: nothing in the
page says why somebody sees it.
"""

from __future__ import annotations

from functools import lru_cache

from wagtail_ma.conf import conf
from wagtail_ma.core import tokens

PURPOSE = "offer"
# The acts that prove something; the browser may tell them only with a token.
SHOWN, CLICKED = "offer_shown", "offer_click"
ACTS = frozenset({SHOWN, CLICKED})
# The key in the data of such an act that holds the token.
KEY = "o"
MAX_ID = 64
# The key under which the variant of such an act is kept.
VARIANT = "variant"


def make(page_id: int, variant_id: str) -> str:
    """Sign a variant of a page: text of ``A-Za-z0-9_-``."""
    return tokens.dumps(PURPOSE, (page_id, variant_id[:MAX_ID]))


def read(token: str) -> tuple[int, str] | None:
    """Page and variant of a token, None when it is not ours."""
    return _read(token, conf.secrets())


@lru_cache(maxsize=1024)
def _read(token: str, secrets: tuple[bytes, ...]) -> tuple[int, str] | None:
    try:
        payload, _issued_at = tokens.read(PURPOSE, token, secrets=secrets)
    except tokens.BadToken:
        return None
    match payload:
        case (int(page_id), str(variant_id)):
            return page_id, variant_id
    return None
