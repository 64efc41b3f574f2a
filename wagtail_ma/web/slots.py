"""The address that the script of slots asks, once per page: what does this visitor see?"""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from wagtail_ma.people import cookies
from wagtail_ma.personalisation import slots as filling
from wagtail_ma.tracking import page_token
from wagtail_ma.tracking.bots import is_bot
from wagtail_ma.web.limits import PerMinute

logger = logging.getLogger(__name__)

MAX_BYTES = 8_192
MAX_ID_LENGTH = 200
MAX_URL_LENGTH = 2_000
# A person opens some pages in a minute.
per_browser = PerMinute(240)


@csrf_exempt
@require_POST
def slots(request: HttpRequest) -> HttpResponse:
    """``{"t": page token, "u": address, "r": referrer, "b": [block ids]}`` →
    ``{block id: HTML, or null for "keep the default"}``.

    :returns: 200 with one entry per id, whether or not the token, the page and the ids are good; 400
        for what is no such message. No cookie of ours is set, and nothing is recorded.
    """
    try:
        message = _read(request)
    except ValueError:
        return _private(HttpResponse("not a message", status=400, content_type="text/plain"))
    found: dict[str, str] = {}
    try:
        found = _fill(request, message)
    except Exception:
        logger.exception("the slots of a page could not be filled; the defaults stay")
    return _private(JsonResponse({block_id: found.get(block_id) for block_id in message["b"]}))


def _read(request: HttpRequest) -> dict[str, Any]:
    """The message.

    :raises ValueError: it is too long or not of the shape agreed upon.
    """
    try:
        body = request.read(MAX_BYTES + 1)
    except (OSError, UnreadablePostError) as error:
        raise ValueError("the body broke off") from error
    if len(body) > MAX_BYTES:
        raise ValueError("too long")
    try:
        message = json.loads(body)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(message, dict) or not isinstance(message.get("b"), list):
        raise ValueError("not an object with block ids")
    if any(not isinstance(each, str) or len(each) > MAX_ID_LENGTH for each in message["b"]):
        raise ValueError("block ids are short texts")
    return message


def _fill(request: HttpRequest, message: dict[str, Any]) -> dict[str, str]:
    ref = page_token.read(message["t"]) if isinstance(message.get("t"), str) else None
    if ref is None or not message["b"] or _is_refused(request):
        return {}
    address, referrer = (_text(message.get(name)) for name in ("u", "r"))
    return filling.fill(request, ref, message["b"], query=_query(address), referrer=referrer)


def _is_refused(request: HttpRequest) -> bool:
    """Programs get the default, as do other sites and whoever asks without end."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return True
    if is_bot(request.headers.get("User-Agent", "")):
        return True
    return per_browser.is_over(cookies.browser_key(request) or request.META.get("REMOTE_ADDR", ""))


def _text(value: Any) -> str:
    return value.replace("\0", "")[:MAX_URL_LENGTH] if isinstance(value, str) else ""


def _query(address: str) -> str:
    try:
        return urlsplit(address).query
    except ValueError:
        return ""


def _private(response: HttpResponse) -> HttpResponse:
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
