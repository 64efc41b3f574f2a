"""Which variant does this visitor see: the only thing we read while a page is rendered."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.http import HttpRequest
from django.utils import timezone

from wagtail_ma.people.cookies import browser_key, refuses_identifier
from wagtail_ma.personalisation import http
from wagtail_ma.personalisation.preview import previewed_segment
from wagtail_ma.personalisation.request_facts import facts_of
from wagtail_ma.segments import compiled, queries

logger = logging.getLogger(__name__)

ATTRIBUTE = "_wagtail_ma_asker"

Variant = TypeVar("Variant")


@dataclass(frozen=True)
class Audience:
    """For whom a variant is.

    :param segment_ids: keys of segments; a deleted one is passed over.
    :param is_excluded: for people who are in none of them, not for those in at least one.
    """

    segment_ids: Sequence[int]
    is_excluded: bool = False


class Asker:
    """Whoever sent a request, as far as segments go. One statement for what is stored, and one for
    all live segments of the page, if there are any."""

    def __init__(self, request: HttpRequest, stored: queries.Known, *, now: datetime) -> None:
        self._request = request
        self._stored = stored
        self._now = now
        self._live: dict[int, bool] = {}

    def fits(self, audience: Audience) -> bool:
        """Whether a variant for this audience may be shown."""
        ids = [pk for pk in audience.segment_ids if pk in self._stored.names]
        if not ids:
            # "In none of the segments that were deleted" must not become "everybody".
            return False
        is_in = any(self.is_in(pk) for pk in ids)
        return is_in != audience.is_excluded

    def is_in(self, segment_id: int) -> bool:
        """Whether the person is in the segment."""
        if segment_id not in self._stored.live:
            return segment_id in self._stored.segment_ids
        if segment_id not in self._live:
            self._decide_live(segment_id)
        return self._live[segment_id]

    def is_in_named(self, names: set[str]) -> bool:
        """Whether the person is in a segment of one of these names."""
        return any(self.is_in(pk) for pk, name in self._stored.names.items() if name in names)

    def stored_ids(self) -> frozenset[int]:
        """The segments the person is in, but for live ones."""
        return self._stored.segment_ids

    def has_offer(self, segment_ids: Iterable[int]) -> bool:
        """Whether one of these segments is how a scenario shows this person an offer."""
        return not self._stored.offers.isdisjoint(self._stored.segment_ids.intersection(segment_ids))

    def _decide_live(self, segment_id: int) -> None:
        used = {segment_id, *http.segments_of_page(self._request)}
        versions = {pk: version for pk, version in self._stored.live.items() if pk in used}
        found = compiled.live_verdicts(
            versions,
            visitor_id=self._stored.visitor_id,
            facts=facts_of(self._request, now=self._now),
            now=self._now,
        )
        self._live |= {pk: pk in found for pk in versions}


class Previewed(Asker):
    """Somebody in the one segment that the editor chose (or in none); nothing is read."""

    def __init__(self, segment_id: int | None) -> None:
        self._mine = frozenset() if segment_id is None else frozenset({segment_id})

    def fits(self, audience: Audience) -> bool:
        return (
            bool(audience.segment_ids) and self._mine.isdisjoint(audience.segment_ids) == audience.is_excluded
        )

    def is_in(self, segment_id: int) -> bool:
        return segment_id in self._mine

    def has_offer(self, segment_ids: Iterable[int]) -> bool:
        return False

    def is_in_named(self, names: set[str]) -> bool:
        return any(name in names for name in queries.names_of(self._mine))

    def stored_ids(self) -> frozenset[int]:
        return self._mine


def asker(request: HttpRequest) -> Asker:
    """Whoever sent this request, read once per request.

    One statement, known browser or not. In a preview nothing is read: the segment that the editor
    chose. Never raises: when it cannot be read the visitor is in no segment and gets the default.
    """
    found: Asker | None = getattr(request, ATTRIBUTE, None)
    if found is None:
        found = _read(request)
        setattr(request, ATTRIBUTE, found)
    return found


def segment_ids(request: HttpRequest) -> frozenset[int]:
    """The stored segments of whoever sent this request (see :func:`asker`)."""
    return asker(request).stored_ids()


def choose(variants: Sequence[tuple[Audience, Variant]], request: HttpRequest | None) -> Variant | None:
    """The first variant whose audience the visitor belongs to; None stands for the default.

    :param variants: in the editor's order.
    :param request: None outside of a request: the default.
    """
    if request is None or not variants:
        return None
    person = asker(request)
    return next((variant for audience, variant in variants if person.fits(audience)), None)


def in_named_segment(names: Iterable[Any], request: HttpRequest | None) -> bool:
    """Whether whoever sent the request is in a segment of one of these names (for templates).

    Marks the request as personalised. Never raises; False outside of a request.
    """
    if request is None:
        return False
    http.mark(request)
    try:
        return asker(request).is_in_named({str(name) for name in names})
    except Exception:
        logger.exception("a segment could not be looked up by its name; the default is shown")
        return False


def _read(request: HttpRequest) -> Asker:
    if getattr(request, "is_preview", False):
        return Previewed(previewed_segment(request))
    now = timezone.now()
    try:
        key = None if refuses_identifier(request) else browser_key(request)
        return Asker(request, queries.known(key, now=now), now=now)
    except Exception:
        logger.exception("the segments of a visitor could not be read; the default is shown")
        return Asker(request, queries.Known(None, frozenset(), {}, {}), now=now)
