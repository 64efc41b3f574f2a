"""What left the house while two were taken for one: it cannot be called back, so it is listed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from wagtail_ma.core.belongings import Outward, belongings
from wagtail_ma.people.models import IdentityLink, MergeProposal

# Times of being one, of the latest, that the page of a person tells of.
SHOWN = 5


@dataclass(frozen=True)
class Together:
    """Two visitors were one from ``since`` until ``until`` (None: they still are)."""

    visitor_ids: tuple[int, int]
    since: datetime
    until: datetime | None

    def outward(self, *, now: datetime) -> list[Outward]:
        """What went out to or about them meanwhile, oldest first (one statement per table)."""
        found: list[Outward] = []
        for belonging in belongings:
            if belonging.outward:
                found += belonging.outward(self.visitor_ids, self.since, self.until or now)
        return sorted(found, key=lambda each: each.at)

    def other_than(self, visitor_id: int) -> int:
        """The other of the two."""
        return next((pk for pk in self.visitor_ids if pk != visitor_id), visitor_id)


def of_link(link: IdentityLink) -> Together:
    """The time for which a step joined two (it must be one that moved something)."""
    return Together((link.to_visitor_id, link.from_visitor_id or 0), link.at, link.undone_at)


def of_proposal(proposal: MergeProposal) -> Together | None:
    """The time for which the two of a proposal were one, lately; None for those who never were."""
    steps = IdentityLink.objects.filter(evidence__proposal=proposal.pk, from_visitor=proposal.other_id)
    link = steps.order_by("-pk").first()
    return of_link(link) if link else None


def undone_steps(visitor: Any) -> QuerySet[IdentityLink]:
    """The steps that joined somebody with another and were undone.

    :param visitor: an id, or an expression for one.
    """
    steps = IdentityLink.objects.filter(Q(to_visitor=visitor) | Q(from_visitor=visitor))
    return steps.filter(from_visitor__isnull=False, undone_at__isnull=False)


def apart_again(visitor_id: int) -> list[Together]:
    """With whom somebody was one and is not any more, the latest first (one statement)."""
    links = undone_steps(visitor_id).order_by("-undone_at", "-pk")[: SHOWN * 4]
    # Several steps of one merge are one time.
    return list(dict.fromkeys(map(of_link, links)))[:SHOWN]
