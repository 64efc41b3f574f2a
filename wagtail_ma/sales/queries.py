"""Who is hot: what the lists, the home page and a visitor's page ask."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery

from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.scoring.models import Standing

COOLING = "cooling"
# Who cools: the time of their entry is nearly up, or it has ended by itself lately.
SOON = timedelta(days=3)
LATELY = timedelta(days=7)
CAME_TO_AN_END = (HotEntry.Ended.COOLED, HotEntry.Ended.EXPIRED)


def open_entries() -> QuerySet[HotEntry]:
    """Everybody who is hot now, those most likely to buy first."""
    return _ordered(HotEntry.objects.filter(closed_at__isnull=True))


def on_list(name: str, *, now: datetime) -> QuerySet[HotEntry]:
    """One of the lists: ``hot``, ``hidden``, ``surging`` (of their definitions), or ``cooling``."""
    if name != COOLING:
        return open_entries().filter(definition__list=name)
    nearly = Q(closed_at__isnull=True, expires_at__lte=now + SOON)
    lately = Q(closed_at__gt=now - LATELY, ended__in=CAME_TO_AN_END)
    # Whoever is hot again by the same definition is not cooling.
    again = HotEntry.objects.filter(
        visitor=OuterRef("visitor"), definition=OuterRef("definition"), closed_at__isnull=True
    ).values("pk")[:1]
    found = HotEntry.objects.annotate(other=Subquery(again))
    return _ordered(found.filter(nearly | (lately & Q(other__isnull=True))))


def _ordered(entries: QuerySet[HotEntry]) -> QuerySet[HotEntry]:
    standing = Standing.objects.filter(model__is_current=True, visitor=OuterRef("visitor"))
    return (
        entries.filter(visitor__excluded_reason="", visitor__merged_into__isnull=True)
        .annotate(rank=Subquery(standing.values("rank")[:1]))
        .select_related("definition", "visitor__lead")
        .order_by(F("rank").desc(nulls_last=True), "-opened_at", "-pk")
    )


def counts(*, now: datetime) -> dict[str, int]:
    """How many people are on each list (two statements)."""
    rows = (
        HotEntry.objects.filter(closed_at__isnull=True, visitor__excluded_reason="")
        .values_list("definition__list")
        .annotate(n=Count("visitor_id", distinct=True))
        .order_by()
    )
    found = dict.fromkeys(HotDefinition.List.values, 0)
    found.update(dict(rows))
    cooling = on_list(COOLING, now=now).order_by()
    found[COOLING] = cooling.aggregate(n=Count("visitor_id", distinct=True))["n"]
    return found


def of(visitor_id: int) -> QuerySet[HotEntry]:
    """What one visitor is hot by, and was lately, the newest first."""
    entries = HotEntry.objects.filter(visitor_id=visitor_id).select_related("definition", "closed_by")
    return entries.order_by(F("closed_at").desc(nulls_first=True), "-opened_at")


def standings(visitor_ids: Iterable[int]) -> dict[int, Standing]:
    """Where these visitors stand, with the scoring model."""
    rows = Standing.objects.filter(model__is_current=True, visitor_id__in=list(visitor_ids))
    return {row.visitor_id: row for row in rows.select_related("model", "visitor__lead")}
