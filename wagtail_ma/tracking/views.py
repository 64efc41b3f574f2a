"""Page views: written once, growing while the page is read.

The browser sends totals ("read for 35 seconds so far"), so a message that is lost, late, doubled or
out of order does no harm: the larger total wins.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count
from django.db.models.functions import Greatest

from wagtail_ma.core.prepared import Insert, Select, Slot, Update, new_row
from wagtail_ma.people import browsers, news
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.tracking import estimates, visits
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import PageView, TrackedPage, Visit
from wagtail_ma.tracking.writing import Repeated

# Nobody reads longer than the page has been open; this much (seconds) is for messages that
# overtake each other on their way.
TOLERANCE_SECONDS = 5
# So much more (seconds) is no accident of the network any more; a visitor with more such views than
# this is no visitor.
DOUBTFUL_SECONDS = 60
MAX_DOUBTFUL_VIEWS = 3
DOUBTFUL = Visitor.DOUBTFUL
# How late the first message of a view may come; it waits in the browser while the server is away.
MAX_LATE = timedelta(days=1)
# A view that grew by less (engaged seconds) is not worth another look by react.
NOTICEABLE_SECONDS = 1


_field: Any = PageView._meta.get_field
_insert = Insert(PageView, unique=("view_id",), tell=("visit", "at"))
_lock_visit = Select(
    lambda: (
        Visit.objects.select_for_update(of=("self",), no_key=True)
        .filter(views__view_id=Slot("view_id", _field("view_id")))
        .values_list(
            *("views__pk", "views__at"),
            *("views__engaged_seconds", "views__visible_seconds", "views__scroll_percent"),
            *("views__is_doubtful", "pk", "last_at", "visitor_id"),
        )
    )
)
_select_key = Select(
    lambda: PageView.objects.filter(
        view_id=Slot("view_id", _field("view_id")),
        at__gt=Slot("since", _field("at")),
        visit__identity__kind__in=browsers.KINDS,
    ).values_list("visit__identity__key")
)
# Never lowers anything, whatever another message did since the row was read.
_raise_totals = Update(
    lambda: (
        PageView.objects.filter(pk=Slot("pk", PageView._meta.pk)),
        {
            "engaged_seconds": Greatest("engaged_seconds", Slot("engaged", _field("engaged_seconds"))),
            "visible_seconds": Greatest("visible_seconds", Slot("visible", _field("visible_seconds"))),
            "scroll_percent": Greatest("scroll_percent", Slot("scroll", _field("scroll_percent"))),
            "is_doubtful": Greatest("is_doubtful", Slot("is_doubtful", _field("is_doubtful"))),
        },
    )
)


class Totals(NamedTuple):
    """How long (seconds) and how far (percent) a view was read."""

    engaged: float
    visible: float
    scroll: int

    def columns(self) -> dict[str, float]:
        """By column of PageView."""
        return dict(zip(("engaged_seconds", "visible_seconds", "scroll_percent"), self, strict=True))

    def raised(self, known: Totals) -> Totals:
        """The larger of each."""
        return Totals(
            max(self.engaged, known.engaged), max(self.visible, known.visible), max(self.scroll, known.scroll)
        )

    def is_beyond(self, known: Totals) -> bool:
        """Whether anything is more than was known."""
        return self.engaged > known.engaged or self.visible > known.visible or self.scroll > known.scroll

    def is_noticeably_beyond(self, known: Totals) -> bool:
        """Whether react should look."""
        return self.engaged - known.engaged >= NOTICEABLE_SECONDS or self.scroll > known.scroll


def record(identity: Identity, hit: Hit, visit: Visit, page: TrackedPage, *, now: datetime) -> PageView:
    """Write the view of a hit, once.

    An engagement message whose view is unknown (its first message got lost) makes the view too.

    :param identity: locked by the caller.
    :raises Repeated: the view is there already, and the hit tells nothing new of it.
    """
    tells_more = not hit.is_engagement and hit.referrer and visit.medium == "direct" and _explain(visit, hit)
    view = seen(identity, hit, page, now=now)
    view.visit = visit
    is_new = _insert.run(view)
    if not is_new and not tells_more:
        raise Repeated(just_now=identity.is_new or hit.is_engagement)
    if is_new and view.is_doubtful:
        doubt(view.visitor_id)
    if hit.source == PageView.Source.SERVER and not hit.is_bot:
        estimates.estimate([visit.pk], first=now, last=now)
    return view


def seen(identity: Identity, hit: Hit, page: TrackedPage, *, now: datetime) -> PageView:
    """The view of a hit without its visit, not saved."""
    return new_row(PageView, {"visitor_id": identity.visitor_id, **fields_of_seen(hit, page, now=now)})


def fields_of_seen(hit: Hit, page: TrackedPage, *, now: datetime) -> dict[str, Any]:
    """The same without its owner, by column of PageView."""
    totals = _bounded(hit, hit.visible_seconds)
    return {
        "tracked_page_id": page.pk,
        "view_id": hit.view_id,
        "at": hit.began_at(now),
        "source": hit.source,
        "engaged_seconds": totals.engaged,
        "visible_seconds": totals.visible,
        "scroll_percent": totals.scroll,
        "is_doubtful": hit.is_engagement and _is_unheard_of(hit, now=now),
    }


def _is_unheard_of(hit: Hit, *, now: datetime) -> bool:
    """Whether a view of which nothing was known claims far more than its id, which begins with the browser's
    time, allows for.

    The claim stays: a reader whose first message got lost may have a wrong clock, and has read all the same.
    """
    return hit.visible_seconds > _open_seconds(hit, now, now=now) + TOLERANCE_SECONDS + DOUBTFUL_SECONDS


def grow(hit: Hit, *, now: datetime) -> bool:
    """Take over the totals of an engagement message for a known view.

    Bounded by the time since the view began plus 5 seconds, and by the cap; who claims much more is
    marked. Prolongs the visit while it is open, and marks news when the view grew noticeably.
    A total that is known already writes nothing.

    To be called within ``write_facts()``; if the view is unknown the same block can record it.

    :returns: False if the view is unknown (nothing is written then).
    """
    # The visit is locked first, as everywhere: its visitor is right even when a merge is under way,
    # and no two writers wait for each other.
    row = _lock_visit.first(view_id=hit.view_id)
    if row is None:
        return False
    pk, at, engaged, visible, scroll, was_doubtful, visit_id, last_at, visitor_id = row
    known = Totals(engaged, visible, scroll)
    totals, is_doubtful = told(hit, at, now=now)
    if totals.is_beyond(known):
        # Only news prolong: the same total may be told again much later.
        visits.prolong(Visit(pk=visit_id, last_at=last_at), now=now)
        _raise_totals.run(
            pk=pk,
            engaged=totals.engaged,
            visible=totals.visible,
            scroll=totals.scroll,
            is_doubtful=is_doubtful,
        )
        if is_doubtful and not was_doubtful:
            doubt(visitor_id)
    if totals.is_noticeably_beyond(known):
        news.mark([visitor_id], now=now)
    return True


def told(hit: Hit, at: datetime, *, now: datetime) -> tuple[Totals, bool]:
    """What an engagement message tells of a view that began ``at``: the totals, bounded by the time
    since, and whether it claims so much more that it is in doubt."""
    longest = _open_seconds(hit, at, now=now) + TOLERANCE_SECONDS
    return _bounded(hit, longest), hit.visible_seconds > longest + DOUBTFUL_SECONDS


def _open_seconds(hit: Hit, at: datetime, *, now: datetime) -> float:
    """How long the page of a view can have been open.

    The first message may have waited for hours in a browser without a connection. Then the id tells:
    it begins with the browser's time. That dates nothing, and is no proof; a forger can as well wait.
    """
    if hit.view_id.version == 7:
        made_at = datetime.fromtimestamp((hit.view_id.int >> 80) / 1000, UTC)
        if now - MAX_LATE < made_at < at:
            at = made_at
    return (now - at).total_seconds()


def doubt(visitor_id: int) -> None:
    """Take a visitor with too many doubtful views out of lists and scenarios (one statement)."""
    doubtful = (
        PageView.objects.filter(visitor_id=visitor_id, is_doubtful=True)
        .order_by()
        .values("visitor_id")
        .annotate(count=Count("pk"))
        .filter(count__gt=MAX_DOUBTFUL_VIEWS)
        .values("visitor_id")
    )
    Visitor.objects.filter(pk__in=doubtful, excluded_reason="").update(excluded_reason=DOUBTFUL)


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


def _bounded(hit: Hit, longest: float) -> Totals:
    longest = max(longest, 0.0)
    visible = round(min(hit.visible_seconds, longest), 1)
    engaged = min(hit.engaged_seconds, visible)
    return Totals(engaged, visible, min(max(hit.scroll_percent, 0), 100))


def _explain(visit: Visit, hit: Hit) -> bool:
    """Add the referrer to a visit that began with this view's engagement message: only the first
    message of a view carries it, and it may be the later one to arrive. Whether it told anything."""
    began_so = Visit.objects.filter(
        pk=visit.pk, medium="direct", views__view_id=hit.view_id, views__at__lte=visit.started_at
    )
    origin = visits.origin(hit)
    if origin["medium"] == "direct":
        return False
    return bool(Visit.objects.filter(pk__in=began_so.values("pk")).update(**origin))
