"""Daily roll-ups: reports read these and today's raw rows, however many views there are.

A day is counted when it is over, and again while late messages may still make its views grow; the
current day is counted every few minutes for lists of all pages. Counting replaces a day's rows, so
it may be interrupted and repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Min, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from wagtail_ma.tracking import histograms
from wagtail_ma.tracking.models import PageCount, PageDay, PageView, SiteDay, Visit

# The current day is counted again after this.
TODAY_PAUSE = timedelta(minutes=5)
# Days that are over are counted again after this …
LATE_PAUSE = timedelta(hours=1)
# … until so long after their end: a laptop that slept reports its last view the next morning.
SETTLED_AFTER = timedelta(hours=48)
# No visit lasts longer, as far as the search for a day's views is concerned.
LONGEST_VISIT = timedelta(days=1)
# With so many views today, a report of the whole site takes the last count of today instead of
# counting raw rows each time somebody opens it.
BUSY_DAY = 5_000
# Days counted by one statement.
LONGEST_SPAN = 31
WRITE_BATCH = 500
# Views whose reading time is no estimate: the others are in no sum and no median of it.
MEASURED = Q(source=PageView.Source.SCRIPT)

Progress = Callable[[date], None]


@dataclass(frozen=True)
class Span:
    """Days from ``first`` to ``last``, both included, in the time zone of the project."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        """The moment at which the first day begins."""
        return midnight(self.first)

    @property
    def end(self) -> datetime:
        """The moment at which the last day is over."""
        return midnight(self.last + timedelta(days=1))

    @property
    def days(self) -> list[date]:
        """All its days."""
        return [self.first + timedelta(days=index) for index in range((self.last - self.first).days + 1)]


def midnight(day: date) -> datetime:
    """When a day begins where the site is."""
    return timezone.make_aware(datetime.combine(day, time.min), timezone.get_default_timezone())


def local_day(moment: datetime) -> date:
    """The day where the site is."""
    return timezone.localtime(moment, timezone.get_default_timezone()).date()


def roll_up(*, now: datetime, limit: int = 3, progress: Progress | None = None) -> int:
    """Count the days that are due, oldest first: those never counted, today's every few minutes,
    the last ones again each hour until nothing late is expected.

    What ``flow.run_due`` calls. Costs two small statements when nothing is due.

    :param limit: at most so many days.
    :param progress: called with a day when everything up to it has been counted.
    :returns: how many days were counted.
    """
    days = _due(now=now)[:limit]
    for span in _spans(days):
        count(span, now=now)
        if progress:
            progress(span.last)
    return len(days)


def again(first: date, *, last: date | None = None) -> None:
    """Have days counted again, after facts of the past were added or corrected (a replayed log, an
    import). Days before the first one that was ever counted are found by themselves.

    Must not be asked for days whose raw rows retention has removed: they would come out as zero.

    :param last: None: up to the newest.
    """
    days = SiteDay.objects.filter(day__gte=first)
    if last is not None:
        days = days.filter(day__lte=last)
    days.delete()


def first_open_day(*, now: datetime) -> date:
    """The first day that is not counted for good: raw rows from here on are still needed."""
    unsettled = SiteDay.objects.filter(is_settled=False).order_by("day").values_list("day", flat=True)
    days = [*unsettled[:1], *_missing(now=now)[:1]]
    return min(days, default=local_day(now))


def raw_span(span: Span, *, now: datetime, may_lag: bool = False) -> Span:
    """The end of the span that reports read from raw rows: what roll-ups do not hold in full.

    Usually the current day alone; more while the background work has not been running.

    :param may_lag: on a busy site, today may be as old as its last count (minutes); the answer
        is then empty (``days`` is).
    """
    today = local_day(now)
    newest = SiteDay.objects.filter(day__gte=span.first, day__lte=today).order_by("-day")
    complete = span.first - timedelta(days=1)
    for row in newest.only("day", "views", "counted_at")[:3]:
        is_fresh = row.day == today and row.counted_at >= now - 2 * TODAY_PAUSE
        if row.counted_at >= Span(row.day, row.day).end or (may_lag and is_fresh and row.views >= BUSY_DAY):
            complete = row.day
            break
    return Span(max(span.first, complete + timedelta(days=1)), today)


def last_days(count: int, *, now: datetime) -> Span:
    """So many days, the current one being the last."""
    today = local_day(now)
    return Span(today - timedelta(days=count - 1), today)


def _due(*, now: datetime) -> list[date]:
    today = local_day(now)
    open_days = SiteDay.objects.filter(is_settled=False, day__lte=today, counted_at__lte=now - TODAY_PAUSE)
    rows = open_days.values_list("day", "counted_at")
    # A day that was counted last before it was over does not wait.
    due = [day for day, at in rows if day == today or at <= now - LATE_PAUSE or local_day(at) == day]
    return sorted({*due, *_missing(now=now)})


def _missing(*, now: datetime) -> list[date]:
    """Days since the first visit that were never counted."""
    today = local_day(now)
    known = SiteDay.objects.aggregate(first=Min("day"), count=Count("pk", filter=Q(day__lte=today)))
    oldest = Visit.objects.order_by("started_at").values_list("started_at", flat=True).first()
    starts = [each for each in (known["first"], oldest and local_day(oldest)) if each]
    if not starts:
        return []
    first = min(starts)
    length = (today - first).days + 1
    if known["count"] >= length:
        return []
    counted = set(SiteDay.objects.filter(day__gte=first).values_list("day", flat=True))
    days = [first + timedelta(days=index) for index in range(length)]
    return [day for day in days if day not in counted]


def _spans(days: list[date]) -> Iterator[Span]:
    """Neighbouring days together: a month without visits is as quick as a day."""
    start = 0
    for index in range(1, len(days) + 1):
        is_end = index == len(days) or days[index] != days[index - 1] + timedelta(days=1)
        if is_end or index - start == LONGEST_SPAN:
            yield Span(days[start], days[index - 1])
            start = index


def count(span: Span, *, now: datetime) -> None:
    """Count some days anew, in one transaction; their rows are replaced."""
    within = {"day__gte": span.first, "day__lte": span.last}
    with transaction.atomic():
        pages = page_days(span)
        sites = site_days(span, pages)
        for day in span.days:
            site = sites.setdefault(day, SiteDay(day=day))
            site.counted_at = now
            site.is_settled = now >= Span(day, day).end + SETTLED_AFTER
        PageDay.objects.filter(**within).delete()
        PageDay.objects.bulk_create(pages, batch_size=WRITE_BATCH)
        SiteDay.objects.filter(**within).delete()
        SiteDay.objects.bulk_create([sites[day] for day in span.days])


def human_views(span: Span, **of: Any) -> QuerySet[PageView]:
    """The views of some days without those of programs.

    :param of: further filters, e.g. ``tracked_page=…``. Without one, views are found by their
        visits, whose index is by time: views have none by time alone.
    """
    views = PageView.objects.filter(at__gte=span.start, at__lt=span.end, **of)
    if of:
        # Not by a join: the few visits of programs are looked up, not all visits of the page.
        return views.exclude(visit__in=Visit.objects.filter(is_bot=True))
    # Visits that begin a little later count: a view is dated back when its first message is lost.
    return views.filter(
        visit__is_bot=False,
        visit__started_at__gte=span.start - LONGEST_VISIT,
        visit__started_at__lt=span.end + timedelta(hours=1),
    )


def page_days(span: Span, **of: Any) -> list[PageDay]:
    """The numbers of each page on each day of the span, from raw rows; not saved.

    Four statements, none for an empty span.

    :param of: further filters on the views and the anonymous counts, e.g. ``tracked_page=…``.
    """
    if not span.days:
        return []
    views = human_views(span, **of).annotate(day=_local_date("at")).order_by()
    days = {
        (row["tracked_page_id"], row["day"]): PageDay(**row)
        for row in views.values("tracked_page_id", "day").annotate(
            views=Count("pk"),
            visitors=Count("visitor_id", distinct=True),
            engaged_seconds=Sum("engaged_seconds", filter=MEASURED, default=0.0),
            scroll_percents=Sum("scroll_percent"),
        )
    }
    for row in (
        views.filter(MEASURED)
        .annotate(bucket=histograms.bucket_of())
        .values("tracked_page_id", "day", "bucket")
        .annotate(n=Count("pk"))
    ):
        day = days[row["tracked_page_id"], row["day"]]
        day.engaged_histogram[str(row["bucket"])] = row["n"]
    for seen in _visits_with_page(span, **of):
        day = _day(days, seen["tracked_page_id"], seen["day"])
        day.mediums[seen["visit__medium"]] = seen["n"]
        day.visits += seen["n"]
    for count in PageCount.objects.filter(day__gte=span.first, day__lte=span.last, **of):
        _day(days, count.tracked_page_id, count.day).anonymous_views = count.views
    return list(days.values())


def _visits_with_page(span: Span, **of: Any) -> Iterable[Any]:
    """Visits that began in the span by page, day and channel."""
    seen = PageView.objects.filter(
        visit__started_at__gte=span.start, visit__started_at__lt=span.end, visit__is_bot=False, **of
    )
    if of:
        # The index on (page, time) finds them; no visit lasts longer.
        seen = seen.filter(at__gte=span.start - timedelta(hours=1), at__lt=span.end + LONGEST_VISIT)
    days = seen.annotate(day=_local_date("visit__started_at")).order_by()
    return days.values("tracked_page_id", "day", "visit__medium").annotate(n=Count("visit_id", distinct=True))


def _day(days: dict[tuple[int, date], PageDay], page_id: int, day: date) -> PageDay:
    return days.setdefault((page_id, day), PageDay(tracked_page_id=page_id, day=day))


def site_days(span: Span, pages: list[PageDay]) -> dict[date, SiteDay]:
    """The numbers of the whole site on each day of the span, from raw rows; not saved.

    A visit belongs to the day on which it began.

    :param pages: what :func:`page_days` found for the same span.
    """
    days: dict[date, SiteDay] = {}
    if not span.days:
        return days
    for page in pages:
        site = days.setdefault(page.day, SiteDay(day=page.day))
        site.views += page.views
        site.anonymous_views += page.anonymous_views
        site.engaged_seconds += page.engaged_seconds
        site.engaged_histogram = histograms.add([site.engaged_histogram, page.engaged_histogram])
    visits = Visit.objects.filter(started_at__gte=span.start, started_at__lt=span.end, is_bot=False)
    visits = visits.annotate(day=_local_date("started_at")).order_by()
    for row in (
        visits.annotate(born=_local_date("visitor__first_seen_at"))
        .values("day")
        .annotate(
            visits=Count("pk"),
            visitors=Count("visitor_id", distinct=True),
            new_visitors=Count("visitor_id", distinct=True, filter=Q(born=F("day"))),
        )
    ):
        site = days.setdefault(row["day"], SiteDay(day=row["day"]))
        for name in ("visits", "visitors", "new_visitors"):
            setattr(site, name, row[name])
    for part in visits.values("day", "medium").annotate(n=Count("pk")):
        days[part["day"]].mediums[part["medium"]] = part["n"]
    return days


def _local_date(field: str) -> TruncDate:
    return TruncDate(field, tzinfo=timezone.get_default_timezone())
