"""News: which visitors ``react`` has to look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Min

from wagtail_ma.core.prepared import Insert
from wagtail_ma.people.causes import weightiest
from wagtail_ma.people.models import News

# Minutes until a visitor whose reaction failed is tried again, by number of failures.
BACK_OFF_MINUTES = (1, 5, 30, 120, 720)

_insert = Insert(News)


@dataclass
class Read:
    """News that were read: their ids, and by visitor id the causes among them (causes.py)."""

    ids: list[int] = field(default_factory=list)
    causes: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))


def mark(visitor_ids: Iterable[int], *, now: datetime, cause: str = "") -> None:
    """Note that something happened to these visitors (one INSERT).

    :param cause: a :class:`wagtail_ma.people.causes.Cause`, where it was no act of theirs.
    """
    rows = [News(visitor_id=pk, at=now, cause=cause) for pk in visitor_ids]
    if len(rows) == 1:
        _insert.run(rows[0])
    else:
        News.objects.bulk_create(rows)


def due(*, now: datetime, limit: int) -> list[int]:
    """Visitor ids with news, oldest first, at most ``limit``; those set aside after a failure
    wait until their back-off is over, whatever else happens to them meanwhile."""
    waiting = News.objects.filter(at__gt=now, attempts__gt=0).values("visitor_id")
    rows = (
        News.objects.filter(at__lte=now)
        .exclude(visitor_id__in=waiting)
        .values("visitor_id")
        .annotate(oldest=Min("at"))
        .order_by("oldest", "visitor_id")[:limit]
    )
    return [row["visitor_id"] for row in rows]


def read(visitor_ids: list[int], *, now: datetime) -> Read:
    """The news about these visitors that exist now: what react may delete after it has looked (rows
    that arrive meanwhile stay for the next round)."""
    rows = News.objects.filter(visitor_id__in=visitor_ids, at__lte=now)
    found = Read()
    for pk, visitor_id, cause in rows.values_list("pk", "visitor_id", "cause"):
        found.ids.append(pk)
        found.causes[visitor_id].add(cause)
    return found


def clear(read: Read) -> None:
    """Delete news that have been acted upon."""
    News.objects.filter(pk__in=read.ids).delete()


def set_aside(visitor_id: int, error: Exception, *, now: datetime) -> None:
    """Put a visitor whose reaction failed aside with a growing delay, keeping the reason."""
    failed = News.objects.filter(visitor_id=visitor_id)
    rows = list(failed.values_list("attempts", "cause"))
    attempts = max((tried for tried, _cause in rows), default=0) + 1
    delay = BACK_OFF_MINUTES[min(attempts, len(BACK_OFF_MINUTES)) - 1]
    failed.filter(at__lte=now).delete()
    News.objects.create(
        visitor_id=visitor_id,
        at=now + timedelta(minutes=delay),
        attempts=attempts,
        error=f"{type(error).__name__}: {error}"[:2000],
        cause=weightiest([cause for _tried, cause in rows]),
    )
