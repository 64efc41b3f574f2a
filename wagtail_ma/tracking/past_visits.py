"""Visits of views that are told later, in any order: from access logs.

The result does not depend on the order: views with less than 30 idle minutes between them are one
visit, and it came from where its earliest view came from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from wagtail_ma.people.models import Identity
from wagtail_ma.tracking import views, visits
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import Activity, PageView, TrackedPage, Visit


class PastVisits:
    """The visits of some identities around a period, held in memory until :meth:`save`.

    :param identities: locked by the caller until the end of the transaction.
    :param first: time of the earliest view that will be placed.
    :param last: time of the latest.
    """

    def __init__(self, identities: Iterable[Identity], *, first: datetime, last: datetime) -> None:
        self._timeout = visits.timeout()
        self._visits: dict[int, list[Visit]] = defaultdict(list)
        self._views: list[tuple[PageView, Visit]] = []
        self._touched: dict[int, Visit] = {}
        self._absorbed: list[tuple[Visit, Visit]] = []
        near = Visit.objects.filter(
            identity__in=list(identities),
            last_at__gt=first - self._timeout,
            started_at__lt=last + self._timeout,
        )
        for visit in near:
            self._visits[visit.identity_id].append(visit)

    def place(self, identity: Identity, hit: Hit, page: TrackedPage, *, at: datetime) -> None:
        """Put a view into the visit that was going on at the time; it begins one if there is none,
        and joins two that it lies between."""
        ours = self._visits[identity.pk]
        near = [v for v in ours if v.started_at - self._timeout < at < v.last_at + self._timeout]
        near.sort(key=lambda visit: visit.started_at)
        if near:
            visit, *rest = near
        else:
            visit, rest = visits.begun(identity, hit, page, now=at), []
            ours.append(visit)
        if at < visit.started_at:
            visit.started_at = at
            visit.landing = page
            for name, value in visits.origin(hit).items():
                setattr(visit, name, value)
        visit.last_at = max(visit.last_at, at)
        for other in rest:
            self._absorb(visit, other)
        self._touched[id(visit)] = visit
        self._views.append((views.seen(identity, hit, page, now=at), visit))

    def _absorb(self, visit: Visit, other: Visit) -> None:
        visit.last_at = max(visit.last_at, other.last_at)
        self._visits[other.identity_id].remove(other)
        self._views = [(view, visit if of is other else of) for view, of in self._views]
        self._touched.pop(id(other), None)
        self._absorbed = [(visit if of is other else of, gone) for of, gone in self._absorbed]
        if other.pk is not None:
            self._absorbed.append((visit, other))

    def save(self) -> list[Visit]:
        """Write everything; the visits that have changed."""
        changed = list(self._touched.values())
        known = [visit for visit in changed if visit.pk is not None]
        Visit.objects.bulk_create([visit for visit in changed if visit.pk is None])
        names = ["started_at", "last_at", "landing", "referrer_host", "medium", "source", "campaign"]
        Visit.objects.bulk_update(known, names, batch_size=100)
        for visit, other in self._absorbed:
            for model in (PageView, Activity):
                model.objects.filter(visit=other).update(visit=visit)
            other.delete()
        for view, visit in self._views:
            view.visit = visit
        PageView.objects.bulk_create([view for view, _visit in self._views])
        return changed
