"""Which variant does this visitor see: the only thing we read while a page is rendered."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from django.http import HttpRequest
from django.utils import timezone

from wagtail_ma.people.cookies import browser_key, refuses_identifier
from wagtail_ma.personalisation.http import mark
from wagtail_ma.personalisation.preview import previewed_segment
from wagtail_ma.segments.models import Segment
from wagtail_ma.segments.queries import segments_of_browser, segments_of_strangers

logger = logging.getLogger(__name__)

ATTRIBUTE = "_wagtail_ma_segments"

# The first page made a visitor of a stranger; until the background work has looked at them they see
# on the second what they saw on the first.
NEWCOMER = timedelta(seconds=60)

Variant = TypeVar("Variant")


def segment_ids(request: HttpRequest) -> frozenset[int]:
    """The segments of whoever sent this request, read once per request.

    One statement for a known browser and one for an unknown one, two for somebody who came within
    the last minute or whose cookie we signed and no longer know. In a preview nothing is read: the
    segment that the editor chose.
    Never raises: when it cannot be read the visitor is in no segment and gets the default.
    """
    found: frozenset[int] | None = getattr(request, ATTRIBUTE, None)
    if found is None:
        found = _read(request)
        setattr(request, ATTRIBUTE, found)
    return found


def choose(variants: Sequence[tuple[Iterable[int], Variant]], request: HttpRequest | None) -> Variant | None:
    """The first variant with a segment that the visitor is in; None stands for the default.

    :param variants: (segment ids, variant) in the editor's order.
    :param request: None outside of a request: the default.
    """
    if request is None or not variants:
        return None
    mine = segment_ids(request)
    if not mine:
        return None
    return next((variant for wanted, variant in variants if not mine.isdisjoint(wanted)), None)


def in_named_segment(names: Iterable[Any], request: HttpRequest | None) -> bool:
    """Whether whoever sent the request is in a segment of one of these names (for templates).

    Marks the request as personalised. Never raises; False outside of a request.
    """
    if request is None:
        return False
    mark(request)
    mine = segment_ids(request)
    if not mine:
        return False
    try:
        return Segment.objects.filter(pk__in=mine, name__in=[str(name) for name in names]).exists()
    except Exception:
        logger.exception("a segment could not be looked up by its name; the default is shown")
        return False


def _read(request: HttpRequest) -> frozenset[int]:
    if getattr(request, "is_preview", False):
        segment_id = previewed_segment(request)
        return frozenset() if segment_id is None else frozenset({segment_id})
    try:
        return _of_visitor(request)
    except Exception:
        logger.exception("the segments of a visitor could not be read; the default is shown")
        return frozenset()


def _of_visitor(request: HttpRequest) -> frozenset[int]:
    key = None if refuses_identifier(request) else browser_key(request)
    known = segments_of_browser(key) if key else None
    if known is None:
        return segments_of_strangers()
    is_new = known.first_seen_at > timezone.now() - NEWCOMER
    if is_new and not known.segment_ids:
        return segments_of_strangers()
    return known.segment_ids
