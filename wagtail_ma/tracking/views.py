"""Page views: written once, growing while the page is read.

The browser sends totals ("read for 35 seconds so far"), so a message that is lost, late, doubled or
out of order does no harm: the larger total wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.db.models.functions import Greatest

from wagtail_ma.core.prepared import Insert, Select, Slot, Update
from wagtail_ma.people import news
from wagtail_ma.people.models import Identity
from wagtail_ma.tracking import estimates, visits
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import PageView, TrackedPage, Visit

# Nobody reads longer than the page has been open; this much (seconds) is for messages that
# overtake each other on their way.
TOLERANCE_SECONDS = 5
# A view that grew by less (engaged seconds) is not worth another look by react.
NOTICEABLE_SECONDS = 1


_field = PageView._meta.get_field
_insert = Insert(PageView, unique=("view_id",))
_lock_visit = Select(
    lambda: (
        Visit.objects.select_for_update(of=("self",), no_key=True)
        .filter(views__view_id=Slot("view_id", _field("view_id")))
        .values_list(
            *("views__pk", "views__at"),
            *("views__engaged_seconds", "views__visible_seconds", "views__scroll_percent"),
            *("pk", "last_at", "visitor_id"),
        )
    )
)
_select_key = Select(
    lambda: PageView.objects.filter(
        view_id=Slot("view_id", _field("view_id")),
        at__gt=Slot("since", _field("at")),
        identity__kind=Identity.Kind.BROWSER,
    ).values_list("identity__key")
)
# Never lowers anything, whatever another message did since the row was read.
_raise_totals = Update(
    lambda: (
        PageView.objects.filter(pk=Slot("pk", PageView._meta.pk)),
        {
            "engaged_seconds": Greatest("engaged_seconds", Slot("engaged", _field("engaged_seconds"))),
            "visible_seconds": Greatest("visible_seconds", Slot("visible", _field("visible_seconds"))),
            "scroll_percent": Greatest("scroll_percent", Slot("scroll", _field("scroll_percent"))),
        },
    )
)


@dataclass(frozen=True)
class _Totals:
    engaged: float
    visible: float
    scroll: int

    def is_beyond(self, known: _Totals) -> bool:
        return self.engaged > known.engaged or self.visible > known.visible or self.scroll > known.scroll

    def is_noticeably_beyond(self, known: _Totals) -> bool:
        return self.engaged - known.engaged >= NOTICEABLE_SECONDS or self.scroll > known.scroll


def record(identity: Identity, hit: Hit, visit: Visit, page: TrackedPage, *, now: datetime) -> PageView:
    """Write the view of a hit, once: a repeated message changes nothing.

    An engagement message whose view is unknown (its first message got lost) makes the view too.

    :param identity: locked by the caller.
    :returns: the view; of a repeated one only ``pk`` and ``view_id`` are the stored ones.
    """
    if not hit.is_engagement and hit.referrer and visit.medium == "direct":
        _explain(visit, hit)
    view = seen(identity, hit, page, at=hit.began_at(now))
    view.visit = visit
    _insert.run(view)
    if hit.source == PageView.Source.SERVER and not hit.is_bot:
        estimates.estimate([visit.pk], first=now, last=now)
    return view


def seen(identity: Identity, hit: Hit, page: TrackedPage, *, at: datetime) -> PageView:
    """The view of a hit without its visit, not saved."""
    totals = _bounded(hit, hit.visible_seconds)
    return PageView(
        identity_id=identity.pk,
        visitor_id=identity.visitor_id,
        tracked_page=page,
        view_id=hit.view_id,
        query=urlsplit(hit.url).query[:2000],
        at=at,
        source=hit.source,
        engaged_seconds=totals.engaged,
        visible_seconds=totals.visible,
        scroll_percent=totals.scroll,
    )


def grow(hit: Hit, *, now: datetime) -> bool:
    """Take over the totals of an engagement message for a known view.

    Bounded by the time since the view began plus 5 seconds, and by the cap. Prolongs the visit
    while it is open, and marks news when the view grew noticeably.

    To be called within ``write_facts()``; if the view is unknown the same block can record it.

    :returns: False if the view is unknown (nothing is written then).
    """
    # The visit is locked first, as everywhere: its visitor is right even when a merge is under way,
    # and no two writers wait for each other.
    row = _lock_visit.first(view_id=hit.view_id)
    if row is None:
        return False
    pk, at, engaged, visible, scroll, visit_id, last_at, visitor_id = row
    known = _Totals(engaged, visible, scroll)
    totals = _bounded(hit, (now - at).total_seconds() + TOLERANCE_SECONDS)
    visits.prolong(Visit(pk=visit_id, last_at=last_at), now=now)
    if totals.is_beyond(known):
        _raise_totals.run(pk=pk, engaged=totals.engaged, visible=totals.visible, scroll=totals.scroll)
    if totals.is_noticeably_beyond(known):
        news.mark([visitor_id], now=now)
    return True


def browser_key_of(hit: Hit, *, now: datetime) -> str | None:
    """The key of the browser that opened the view of a hit, for messages that come without cookie.

    The answer to a first message may get lost, and the cookie with it; the message is then sent
    again, and must not make a second visitor. The id of a view is random and known to nobody but
    its browser; it counts no longer than a visit waits.
    """
    if hit.is_engagement:
        # It came here because its view is unknown.
        return None
    row = _select_key.first(view_id=hit.view_id, since=now - visits.timeout())
    return row[0] if row else None


def _bounded(hit: Hit, longest: float) -> _Totals:
    longest = max(longest, 0)
    visible = round(min(hit.visible_seconds, longest), 1)
    engaged = min(hit.engaged_seconds, visible)
    return _Totals(engaged, visible, min(max(hit.scroll_percent, 0), 100))


def _explain(visit: Visit, hit: Hit) -> None:
    """Add the referrer to a visit that began with this view's engagement message: only the first
    message of a view carries it, and it may be the later one to arrive."""
    began_so = Visit.objects.filter(
        pk=visit.pk, medium="direct", views__view_id=hit.view_id, views__at__lte=visit.started_at
    )
    if Visit.objects.filter(pk__in=began_so.values("pk")).update(**visits.origin(hit)):
        visit.medium = visits.origin(hit)["medium"]
