"""What a simulated browser does: exactly what the tracker would send, at a simulated time."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from wagtail_ma import flow
from wagtail_ma.personalisation.offers import variants_for
from wagtail_ma.personalisation.places import places
from wagtail_ma.segments.models import Membership
from wagtail_ma.tracking import offer_token
from wagtail_ma.tracking.bots import is_bot
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import Network
from wagtail_ma.tracking.page_token import PageRef

from .characters import Look, Outing, Person

Act = Callable[[datetime], None]


class Spot(NamedTuple):
    """A page, what the tracker says of it, and its address: looked up once, not for every hit."""

    page: Any
    ref: PageRef
    url: str


Spots = dict[tuple[str, str], Spot]


def find_spots(pages: dict[tuple[str, str], Any]) -> Spots:
    """The pages of the site (by language and path) as browsers see them."""
    return {
        key: Spot(page, PageRef(site_id=page.get_site().pk, page_id=page.pk), page.full_url)
        for key, page in pages.items()
    }


class Browser:
    """One cookie, one person; turns looks into hits."""

    def __init__(self, person: Person, spots: Spots) -> None:
        self.person = person
        self.key: str | None = None
        self._spots = spots
        self._view_id = uuid.UUID(int=0)
        known = Network.objects.filter(kind=person.network) if person.network else Network.objects.none()
        self._network_id = known.values_list("pk", flat=True).first()

    def opens(self, look: Look, outing: Outing | None) -> Act:
        """A page view; ``outing`` is given for the first one of a visit (it has a referrer)."""

        def act(now: datetime) -> None:
            self._view_id = uuid.uuid4()
            query = f"?{outing.query}" if outing and outing.query else ""
            self._send(
                "p",
                look,
                now,
                query=query,
                referrer=outing.referrer if outing else self._spot(look).url,
            )

        return act

    def leaves(self, look: Look) -> Act:
        """The last message of a view: how long it was read, and how far."""

        def act(now: datetime) -> None:
            if look.seconds:
                milliseconds = look.seconds * 1000
                self._send("e", look, now, engaged_ms=milliseconds, visible_ms=milliseconds)
                self._sees_offers(look, now)

        return act

    def _sees_offers(self, look: Look, now: datetime) -> None:
        """What the script in the page tells of the offers in it that this person is shown."""
        found = places(self._spot(look).page)
        if not found:
            return
        offered = Membership.objects.filter(segment__is_offer=True, visitor__identities__key=self.key)
        for segment_id in offered.values_list("segment_id", flat=True):
            for variant in sorted(variants_for(found, segment_id)):
                data = {offer_token.VARIANT: variant}
                self._send("c", look, now, event_id=uuid.uuid4(), name=offer_token.SHOWN, data=data)

    def comes_back(self, address: str) -> Act:
        """A page view at a given address, e.g. after a click in a mail."""

        def act(now: datetime) -> None:
            self._view_id = uuid.uuid4()
            path = address.split("?")[0].rstrip("/")
            for (language, slug), spot in self._spots.items():
                if path.endswith(f"/{language}/{slug}".rstrip("/")):
                    self._record("p", spot, now, url=address)
                    return

        return act

    def sends(self, purpose: str) -> Act:
        """A form, filled in and sent (see ``forms.py``)."""

        def act(now: datetime) -> None:
            from .forms import send

            self.key = send(self, purpose, now=now)

        return act

    def _spot(self, look: Look) -> Spot:
        return self._spots[self.person.language, look.path]

    def _send(self, kind: str, look: Look, now: datetime, *, query: str = "", **more: Any) -> None:
        spot = self._spot(look)
        self._record(kind, spot, now, url=spot.url + query, scroll_percent=look.scroll, **more)

    def _record(self, kind: str, spot: Spot, now: datetime, *, url: str, **more: Any) -> None:
        person = self.person
        recorded = flow.record_hit(
            Hit(
                kind=kind,
                view_id=self._view_id,
                url=url,
                browser_key=self.key,
                page=spot.ref,
                language=person.language,
                user_agent=person.user_agent,
                is_bot=is_bot(person.user_agent),
                width=1280,
                title=spot.page.title,
                network_id=self._network_id,
                **more,
            ),
            now=now,
        )
        self.key = recorded.browser_key or self.key
