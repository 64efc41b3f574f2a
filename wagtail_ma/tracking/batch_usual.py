"""The usual messages of a batch, all of a kind in one statement (PostgreSQL).

What ``one_statement.py`` is for a single message: first views of new browsers, further views in visits
that are going on, larger totals of known views. Rows reach the database as one text in JSON, and no object
is made for them here. Everything else is left to ``batch_facts.py``, and with it what the same browser
sends after it and might depend on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from wagtail_ma.people import browsers
from wagtail_ma.people.models import Visitor
from wagtail_ma.tracking import batch_sql, views, visits
from wagtail_ma.tracking.hits import Heard
from wagtail_ma.tracking.models import TrackedPage
from wagtail_ma.tracking.usual import is_usual

_bucket = Visitor._meta.get_field("bucket")


def write(batch: Sequence[Heard], pages: Sequence[TrackedPage]) -> list[int]:
    """Write what is as usual, within ``write_facts()``.

    The browsers that are known are locked first, all of the batch, in one order: so two batches never wait
    for each other.

    :param pages: of the messages, in the same order.
    :returns: positions of the messages that are left, in order; all of them on other databases.
    :raises django.db.IntegrityError: a browser, or a view of it, is being made by another process at this
        moment; or a page or network that this process remembered has been deleted. Nothing is written then.
    """
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        return list(range(len(batch)))
    batch_sql.look_up_by_keys()
    known = browsers.lock_ids(
        {heard.hit.browser_key for heard in batch if heard.hit.browser_key and not heard.hit.is_first}
    )
    usual = _Usual(batch, known)
    usual.left.update(_write_first(batch, pages, usual.first))
    usual.leave(_write_next(batch, pages, usual.following, known))
    usual.left.update(_raise_totals(batch, usual.growing))
    return sorted(usual.left)


class _Usual:
    """Positions of messages, by what is to be done with them."""

    def __init__(self, batch: Sequence[Heard], known: Collection[str]) -> None:
        self._batch = batch
        self.first: list[int] = []
        self.following: list[int] = []
        self.growing: list[int] = []
        self.left: set[int] = set()
        stopped: set[str | None] = set()
        met: set[UUID] = set()
        for position, (hit, _at) in enumerate(batch):
            key = hit.browser_key
            kind = None
            if key is not None and key not in stopped:
                if hit.is_engagement:
                    kind = self.growing if key in known else None
                elif is_usual(hit) and hit.view_id not in met:
                    kind = self.first if hit.is_first else self.following if key in known else None
            if not hit.is_activity:
                # A view that comes twice, or after its totals, is not as usual.
                met.add(hit.view_id)
            if kind is None:
                self.left.add(position)
            else:
                kind.append(position)
            if kind is None or hit.is_first:
                # What a new browser sends next has to wait until it is known.
                stopped.add(key)

    def leave(self, unusual: Iterable[int]) -> None:
        """These views turned out not to be as usual: what their browsers read later waits for them."""
        since: dict[str | None, int] = {}
        for position in unusual:
            self.left.add(position)
            since.setdefault(self._batch[position].hit.browser_key, position)
        if since:
            late = {n for n in self.growing if n > since.get(self._batch[n].hit.browser_key, n)}
            self.growing = [n for n in self.growing if n not in late]
            self.left |= late


def _write_first(batch: Sequence[Heard], pages: Sequence[TrackedPage], first: Sequence[int]) -> list[int]:
    """First views of new browsers; which of them are left, because browser or view are known."""
    if not first:
        return []
    rows = []
    for position in first:
        hit, at = batch[position]
        begun = visits.fields_of_begun(hit, pages[position], now=at)
        row = {name: value for name, value in begun.items() if name not in ("started_at", "last_at")}
        row |= {"n": position, "key": hit.browser_key, "view_id": hit.view_id.hex, "at": at.isoformat()}
        rows.append(row | {"bucket": _bucket.get_default()})
    # (In one order, so that two processes that make the same ones do not wait for each other.)
    rows.sort(key=itemgetter("key"))
    done = batch_sql.insert_first(rows)
    return [position for position in first if position not in done]


def _write_next(
    batch: Sequence[Heard],
    pages: Sequence[TrackedPage],
    following: Sequence[int],
    known: Mapping[str, tuple[int, int]],
) -> list[int]:
    """Views of known browsers whose visits are going on; which of them are left."""
    if not following:
        return []
    rows = []
    for position in following:
        hit, at = batch[position]
        identity_id, visitor_id = known[hit.browser_key or ""]
        rows.append(
            {
                "n": position,
                "identity_id": identity_id,
                "visitor_id": visitor_id,
                "view_id": hit.view_id.hex,
                "at": at.isoformat(),
                "tracked_page_id": pages[position].pk,
            }
        )
    done = batch_sql.insert_next(rows, timeout=visits.timeout())
    return [position for position in following if position not in done]


@dataclass(slots=True)
class _Prolonged:
    """The visit of known views as it will be."""

    pk: int
    last_at: datetime
    visitor_id: int
    is_prolonged: bool = False
    # When something happened that react should look at.
    news_at: datetime | None = None


@dataclass(slots=True)
class _Growing:
    """A known view as it will be."""

    pk: int
    at: datetime
    totals: views.Totals
    was_doubtful: bool
    visit: _Prolonged
    is_grown: bool = False
    is_left: bool = False


def _raise_totals(batch: Sequence[Heard], growing: Sequence[int]) -> list[int]:
    """Larger totals of known views; which messages are left."""
    if not growing:
        return []
    seen_by_id = _read_views({batch[position].hit.view_id for position in growing})
    timeout, unusual = visits.timeout(), []
    for position in growing:
        hit, at = batch[position]
        seen = seen_by_id.get(hit.view_id)
        if seen is None:
            unusual.append(position)
            continue
        totals, is_doubtful = views.told(hit, seen.at, now=at)
        if seen.is_left or (is_doubtful and not seen.was_doubtful):
            # (And what is told of it later: it would hide the claim.)
            seen.is_left = True
            unusual.append(position)
        else:
            _grow(seen, totals, at=at, timeout=timeout)
    _write_grown(seen_by_id.values())
    return unusual


def _grow(seen: _Growing, totals: views.Totals, *, at: datetime, timeout: timedelta) -> None:
    known, visit = seen.totals, seen.visit
    if totals.is_noticeably_beyond(known):
        visit.news_at = max(at, visit.news_at or at)
    if totals.is_beyond(known):
        seen.is_grown = True
        seen.totals = totals.raised(known)
        if visit.last_at < at < visit.last_at + timeout:
            visit.last_at = at
            visit.is_prolonged = True


def _read_views(view_ids: set[UUID]) -> dict[UUID, _Growing]:
    met: dict[int, _Prolonged] = {}
    found = {}
    for view_id, pk, at, *known, was_doubtful, visit_id, last_at, visitor_id in batch_sql.lock_views(
        view_ids
    ):
        visit = met.setdefault(visit_id, _Prolonged(visit_id, last_at, visitor_id))
        found[view_id] = _Growing(pk, at, views.Totals(*known), was_doubtful, visit)
    return found


def _write_grown(seen: Iterable[_Growing]) -> None:
    grown = [view for view in seen if view.is_grown]
    if not grown:
        return
    totals = [{"id": view.pk} | view.totals.columns() for view in grown]
    prolonged = {view.visit.pk: view.visit for view in grown}.values()
    batch_sql.raise_totals(
        totals,
        [
            {
                "id": visit.pk,
                "last_at": visit.last_at.isoformat() if visit.is_prolonged else None,
                "visitor_id": visit.visitor_id,
                "news_at": visit.news_at and visit.news_at.isoformat(),
            }
            for visit in prolonged
        ],
    )
