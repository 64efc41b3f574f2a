"""Variants that are offers of a scenario: marked in the page, so that browsers can prove they were seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from wagtail_ma.personalisation import http
from wagtail_ma.tracking import offer_token

HAS_SCRIPT = "_wagtail_ma_has_offers_script"


def mark(request: HttpRequest, variant_id: str, html: Any) -> Any:
    """The content of a variant in the element that the script watches; as it is in a preview, and where
    variant or page cannot be named."""
    page_id = getattr(http.page_of(request), "pk", None)
    if page_id is None or not variant_id or getattr(request, "is_preview", False):
        return html
    script = SafeString("")
    if not getattr(request, HAS_SCRIPT, False):
        setattr(request, HAS_SCRIPT, True)
        script = format_html('<script src="{}" defer></script>', static("wagtail_ma/offers.js"))
    token = offer_token.make(page_id, variant_id)
    return format_html('<div class="ma-offer" data-ma-offer="{}">{}</div>{}', token, html, script)


def variants_for(places: Iterable[Any], segment_id: int) -> set[str]:
    """The ids of the variants that are made for people in a segment, among the blocks of a page."""
    from wagtail_ma.personalisation.places import segments_of

    return {
        str(item["id"])
        for place in places
        for item in place.raw.get("variants") or ()
        if isinstance(item, dict) and item.get("id") and segment_id in segments_of(item)
    }
