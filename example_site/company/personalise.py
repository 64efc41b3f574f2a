"""Put the blocks of wagtail_ma into the example site's pages, as an editor would."""

from __future__ import annotations

from typing import Any

from wagtail.models import Page

from wagtail_ma.forms.models import LeadForm
from wagtail_ma.segments.models import Segment

from .content.marketing import OFFERS, SEGMENTS, VARIANTS
from .marketing import block, pages_by_path
from .offers import offer_block
from .simulation.forms import form_name

PERSONALISED, LEAD_FORM = "personalised", "lead_form"


def place_blocks() -> None:
    """A personalised call on both home pages, an offer beside the prices, forms on whitepaper and contact;
    once."""
    pages = pages_by_path()
    for language, words in VARIANTS.items():
        _append(pages[language, ""], PERSONALISED, _variants(language, words, pages))
        offer = offer_block(OFFERS[language], pages[language, "contact"])
        _append(pages[language, "pricing"], PERSONALISED, offer)
        for purpose in ("whitepaper", "contact"):
            form = LeadForm.objects.get(name=form_name(purpose, language))
            _append(pages[language, purpose], LEAD_FORM, {"form": form.pk, "document": None})


def _append(page: Page, kind: str, value: Any) -> None:
    """Add a block to the end of a body that has none of the kind yet, and publish."""
    if any(child.block_type == kind for child in page.body):
        return
    page.body = [*page.body.get_prep_value(), block(kind, value)]
    page.save_revision().publish()


def _variants(language: str, words: dict[str, Any], pages: dict[tuple[str, str], Page]) -> dict[str, Any]:
    segment = Segment.objects.get(name=SEGMENTS["pricing"][0])
    variant = {
        "segments": [block("item", segment.pk)],
        "content": [_call(words["pricing"], pages[language, "contact"])],
    }
    return {
        # With an id: Wagtail takes a list item without one for the value itself.
        "variants": [block("item", variant)],
        "default": [_call(words["default"], pages[language, "whitepaper"])],
    }


def _call(words: tuple[str, str], page: Page) -> dict[str, Any]:
    text, button = words
    return block("call_to_action", {"text": text, "button": button, "page": page.pk})
