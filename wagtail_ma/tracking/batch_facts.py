"""Visits, views and acts of a batch of messages: read at once, changed in memory, written at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from wagtail_ma.core.many_rows import InsertRows, RaiseRows
from wagtail_ma.core.prepared import new_row
from wagtail_ma.people import browsers
from wagtail_ma.people.models import Identity, News
from wagtail_ma.tracking import activities, estimates, views, visits
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import Activity, PageView, TrackedPage, Visit
from wagtail_ma.tracking.usual import TOTALS

_ORIGIN = ("started_at", "landing", "referrer_host", "medium", "source", "campaign")

_insert_visits = InsertRows(Visit)
_insert_views = InsertRows(PageView, unique=("view_id",), larger=TOTALS, smaller=("at",))
_insert_activities = InsertRows(Activity, unique=("identity", "source_key"))
_insert_news = InsertRows(News)
_raise_totals = RaiseRows(PageView, *TOTALS)
_prolong = RaiseRows(Visit, "last_at")


@dataclass(eq=False)
class _Seen:
    """A view, and what became of it in this batch."""

    view: PageView
    visit: Visit
    is_new: bool = False
    is_grown: bool = False
    is_earlier: bool = False

    @property
    def totals(self) -> views.Totals:
        view = self.view
        return views.Totals(view.engaged_seconds, view.visible_seconds, view.scroll_percent)


class Facts:
    """The facts around a batch.

    :param view_ids: of all its messages.
    :param begun: of those among them that begin a view: hardly ever known yet.
    """

    def __init__(self, view_ids: set[UUID], begun: set[UUID]) -> None:
        self._timeout = visits.timeout()
        wanted = (view_ids - begun) | _stored(begun)
        self._views = {seen.view.view_id: seen for seen in _known_views(wanted)}
        self._visits: dict[int, list[Visit]] = defaultdict(list)
        self._known_acts: set[tuple[int, str]] = set()
        self._acts: dict[tuple[int, str], Activity] = {}
        self._news: dict[int, datetime] = {}
        self._new_visits: list[Visit] = []
        self._prolonged: dict[int, Visit] = {}
        self._moved: dict[int, Visit] = {}
        self._estimated: list[tuple[Visit, datetime]] = []
        self._doubted: set[int] = set()

    def knows(self, view_id: UUID) -> bool:
        """Whether this view is in the database."""
        return view_id in self._views

    def owner_id(self, hit: Hit, *, at: datetime) -> int | None:
        """The id of the browser that opened the view of a hit, as long as a visit waits."""
        seen = self._views.get(hit.view_id)
        if seen is None or seen.view.at <= at - self._timeout:
            return None
        identity = seen.visit.identity
        return identity.pk if identity.kind in browsers.KINDS else None

    def read(self, identities: Collection[Identity], messages: Sequence[tuple[Hit, datetime]]) -> None:
        """Read what is known of these identities.

        :param identities: all of the batch, locked.
        """
        known = [identity.pk for identity in identities if not identity.is_new]
        times = [at for _hit, at in messages]
        near = Visit.objects.filter(
            identity_id__in=known,
            last_at__gt=min(times) - self._timeout,
            started_at__lt=max(times) + self._timeout,
        )
        # One object for one row, also where a view has brought it.
        by_pk = {seen.visit.pk: seen.visit for seen in self._views.values()}
        for visit in near if known else ():
            self._visits[visit.identity_id].append(by_pk.setdefault(visit.pk, visit))
        keys = [activities.source_key(hit) for hit, _at in messages if hit.event_id is not None]
        if keys:
            acts = Activity.objects.filter(identity_id__in=known, source_key__in=keys)
            self._known_acts = set(acts.values_list("identity_id", "source_key"))

    def add(self, hit: Hit, page: TrackedPage, identity: Identity | None, *, at: datetime) -> None:
        """Take over one message.

        :param identity: whose it is; may be missing for a message about a known view.
        """
        seen = self._views.get(hit.view_id)
        if hit.is_activity:
            self._act(hit, page, cast(Identity, identity), at=at)
        elif seen is None:
            self._begin(hit, page, cast(Identity, identity), at=at)
        elif hit.is_engagement:
            self._grow(seen, hit, at=at)
        else:
            self._repeat(seen, hit, page, at=at)

    def _act(self, hit: Hit, page: TrackedPage, identity: Identity, *, at: datetime) -> None:
        if hit.event_id is None:
            self._visit_for(identity, hit, page, at=at)
            return
        key = (identity.pk, activities.source_key(hit))
        if key in self._known_acts or key in self._acts:
            return
        visit = self._visit_for(identity, hit, page, at=at)
        self._acts[key] = activities.told(identity, hit, visit, page, at=at)

    def _begin(self, hit: Hit, page: TrackedPage, identity: Identity, *, at: datetime) -> None:
        visit = self._visit_for(identity, hit, page, at=at)
        view = views.seen(identity, hit, page, now=at)
        if view.is_doubtful:
            self._doubted.add(view.visitor_id)
        self._views[hit.view_id] = _Seen(view, visit, is_new=True)
        if hit.source == PageView.Source.SERVER and not hit.is_bot:
            self._estimated.append((visit, view.at))

    def _grow(self, seen: _Seen, hit: Hit, *, at: datetime) -> None:
        totals, is_doubtful = views.told(hit, seen.view.at, now=at)
        known = seen.totals
        if totals.is_noticeably_beyond(known):
            self._mark(seen.view.visitor_id, at)
        if not totals.is_beyond(known):
            return
        if at < seen.visit.last_at + self._timeout:
            self._extend(seen.visit, at)
        view = seen.view
        view.engaged_seconds, view.visible_seconds, view.scroll_percent = totals.raised(known)
        seen.is_grown = True
        if is_doubtful and not view.is_doubtful:
            view.is_doubtful = True
            self._doubted.add(view.visitor_id)

    def _repeat(self, seen: _Seen, hit: Hit, page: TrackedPage, *, at: datetime) -> None:
        """The first message of a view that is known: it came twice, or after the view's totals."""
        if at < seen.view.at:
            seen.view.at = at
            seen.is_earlier = True
        began_visit = seen.view.at <= seen.visit.started_at
        if at < seen.visit.started_at:
            self._begin_earlier(seen.visit, hit, page, at=at)
            self._mark(seen.view.visitor_id, at)
        elif began_visit and seen.visit.medium == "direct" and hit.referrer:
            origin = visits.origin(hit)
            if origin["medium"] != "direct":
                self._move(seen.visit, origin)
                if at < seen.visit.last_at + self._timeout:
                    self._extend(seen.visit, at)
                self._mark(seen.view.visitor_id, at)

    def _visit_for(self, identity: Identity, hit: Hit, page: TrackedPage, *, at: datetime) -> Visit:
        """The visit that was going on at the time, or a new one."""
        self._mark(identity.visitor_id, at)
        ours = self._visits[identity.pk]
        near = [v for v in ours if v.started_at - self._timeout < at < v.last_at + self._timeout]
        begun = [visit for visit in near if visit.started_at <= at]
        visit = max(begun, key=_start) if begun else min(near, key=_start, default=None)
        if visit is None or (begun and visits.begins_anew(visit, hit)):
            visit = visits.begun(identity, hit, page, now=at)
            ours.append(visit)
            self._new_visits.append(visit)
            return visit
        if at < visit.started_at:
            # A later message was written first, by another process.
            self._begin_earlier(visit, hit, page, at=at)
        self._extend(visit, at)
        return visit

    def _begin_earlier(self, visit: Visit, hit: Hit, page: TrackedPage, *, at: datetime) -> None:
        visit.started_at = at
        visit.landing = page
        self._move(visit, visits.origin(hit))

    def _move(self, visit: Visit, origin: dict[str, str]) -> None:
        for name, value in origin.items():
            setattr(visit, name, value)
        if visit.pk is not None:
            self._moved[visit.pk] = visit

    def _extend(self, visit: Visit, at: datetime) -> None:
        if visit.last_at < at:
            visit.last_at = at
            if visit.pk is not None:
                self._prolonged[visit.pk] = visit

    def _mark(self, visitor_id: int, at: datetime) -> None:
        self._news[visitor_id] = max(at, self._news.get(visitor_id, at))

    def save(self) -> None:
        """Write everything."""
        _insert_visits.run_with_keys(self._new_visits)
        _prolong.run([visit for _pk, visit in sorted(self._prolonged.items())])
        for visit in self._moved.values():
            visit.save(update_fields=_ORIGIN)
        self._save_views()
        for act in self._acts.values():
            act.visit_id = act.visit.pk if act.visit else None
        _insert_activities.run(list(self._acts.values()))
        _insert_news.run([new_row(News, {"visitor_id": pk, "at": at}) for pk, at in self._news.items()])
        if self._estimated:
            times = [at for _visit, at in self._estimated]
            ids = {visit.pk for visit, _at in self._estimated}
            estimates.estimate(ids, first=min(times), last=max(times))
        for visitor_id in self._doubted:
            views.doubt(visitor_id)

    def _save_views(self) -> None:
        new = [seen for seen in self._views.values() if seen.is_new]
        for seen in new:
            seen.view.visit_id = seen.visit.pk
        _insert_views.run([seen.view for seen in new])
        known = [seen for seen in self._views.values() if not seen.is_new]
        _raise_totals.run([seen.view for seen in known if seen.is_grown])
        for seen in known:
            if seen.is_earlier:
                seen.view.save(update_fields=["at"])


def _start(visit: Visit) -> datetime:
    return visit.started_at


def _stored(view_ids: set[UUID]) -> set[UUID]:
    """Those of these views that are in the database."""
    if not view_ids:
        return set()
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        return set(PageView.objects.filter(view_id__in=view_ids).values_list("view_id", flat=True))
    # (As one text: Django and the driver take longer to write each of some hundred values than the database
    # to look it up.)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT view_id FROM {PageView._meta.db_table} WHERE view_id = ANY(%s::uuid[])",  # noqa: S608
            [f"{{{','.join(view_id.hex for view_id in view_ids)}}}"],
        )
        return {view_id for (view_id,) in cursor}


def _known_views(view_ids: Collection[UUID]) -> list[_Seen]:
    """Those of these views that are in the database; their visits are locked, as everywhere: so their
    visitor is right even when a merge is under way."""
    rows = (
        PageView.objects.filter(view_id__in=view_ids)
        .select_related("visit__identity")
        .select_for_update(of=("visit",), no_key=True)
        .order_by("visit_id", "pk")
    )
    visits_by_pk: dict[int, Visit] = {}
    found = []
    for view in rows:
        visit = visits_by_pk.setdefault(view.visit_id, view.visit)
        # (The view's own copy may be older than the lock.)
        view.visitor_id = visit.visitor_id
        found.append(_Seen(view, visit))
    return found
