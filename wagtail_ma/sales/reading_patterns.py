"""Patterns of reading: the prices for long, cases without products, one article again and again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_ma.core.durations import spoken
from wagtail_ma.sales.models import HotDefinition
from wagtail_ma.sales.patterns import Evidence, Ids, Pattern, among, in_days, register, since
from wagtail_ma.tracking import histograms
from wagtail_ma.tracking.models import PageClass, PageDay, PageView, TrackedPage

# A site whose prices were read less often than this says nothing about its readers yet.
MIN_READERS = 20
DEFAULT_SECONDS = 60.0
# Less than this is not reading, whatever the readers of the site do.
LEAST_SECONDS = 15.0
LEARNED_FROM_DAYS = 90


def _views(definition: HotDefinition, ids: Ids, now: datetime, *classes: str) -> QuerySet[PageView]:
    """Views of pages of these classes in the definition's window, without bots."""
    pages = TrackedPage.objects.filter(page_class__key__in=classes)
    views = PageView.objects.filter(tracked_page__in=pages, at__gt=since(definition, now), at__lte=now)
    return among(views.filter(visit__is_bot=False), ids).order_by()


def learn_seconds(*, now: datetime) -> float | None:
    """Seconds that nine of ten readings of the prices stay at or below on this site (S1-16).

    From the daily roll-ups of the last 90 days.

    :returns: None where there were too few to say.
    """
    days = PageDay.objects.filter(
        tracked_page__page_class__key=PageClass.BuiltIn.PRICING,
        day__gt=(now - timedelta(days=LEARNED_FROM_DAYS)).date(),
    )
    together = histograms.add(days.values_list("engaged_histogram", flat=True))
    if sum(together.values()) < MIN_READERS:
        return None
    return max(histograms.quantile(together, 0.9) or 0.0, LEAST_SECONDS)


@register
class PricingRead(Pattern):
    """The prices are read for longer than the site's own readers do: at once, or twice as long in
    several goes (S1-16)."""

    kind = HotDefinition.Kind.PRICING_READ
    fields = ("min_seconds", "days")

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        least = definition.min_seconds or definition.learned_seconds or DEFAULT_SECONDS
        rows = (
            _views(definition, ids, now, PageClass.BuiltIn.PRICING)
            .filter(source=PageView.Source.SCRIPT, is_doubtful=False)
            .values("visitor_id")
            .annotate(last=Max("at"), longest=Max("engaged_seconds"), total=Sum("engaged_seconds"))
            .filter(Q(longest__gte=least) | Q(total__gte=2 * least))
        )
        return {
            row["visitor_id"]: Evidence(
                row["last"],
                {
                    "longest": row["longest"],
                    "total": row["total"],
                    "least": least,
                    "is_learned": not definition.min_seconds and definition.learned_seconds is not None,
                    "days": definition.days,
                },
            )
            for row in rows
        }

    def reason(self, data: Mapping[str, Any]) -> str:
        if data["longest"] < data["least"]:
            return _("Read the prices for %(time)s altogether %(in_days)s.") % {
                "time": spoken(data["total"]),
                "in_days": in_days(data["days"]),
            }
        if data["is_learned"]:
            return _("Read the prices for %(time)s, longer than nine readers in ten.") % {
                "time": spoken(data["longest"])
            }
        return _("Read the prices for %(time)s.") % {"time": spoken(data["longest"])}


@register
class Reassurance(Pattern):
    """Case studies and answers are read eagerly, but no product page: somebody who wants certainty
    (S1-15)."""

    kind = HotDefinition.Kind.REASSURANCE
    fields = ("times", "min_seconds", "days")

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        enough = Q(count__gte=definition.times)
        if definition.min_seconds:
            enough |= Q(seconds__gte=definition.min_seconds)
        rows = (
            _views(definition, ids, now, PageClass.BuiltIn.CASE, PageClass.BuiltIn.FAQ)
            .values("visitor_id")
            .annotate(last=Max("at"), count=Count("pk"), seconds=Sum("engaged_seconds"))
            .filter(enough)
        )
        found = {row["visitor_id"]: row for row in rows}
        quiet = self.still(definition, found, now=now)
        return {
            pk: Evidence(
                row["last"], {"count": row["count"], "seconds": row["seconds"], "days": definition.days}
            )
            for pk, row in found.items()
            if pk in quiet
        }

    def still(self, definition: HotDefinition, ids: Collection[int], *, now: datetime) -> set[int]:
        products = _views(definition, ids, now, PageClass.BuiltIn.PRODUCT)
        return set(ids).difference(products.values_list("visitor_id", flat=True))

    def reason(self, data: Mapping[str, Any]) -> str:
        text = ngettext(
            "Read case studies and answers %(count)d time (%(time)s) %(in_days)s, but no product page: "
            "seems to want certainty.",
            "Read case studies and answers %(count)d times (%(time)s) %(in_days)s, but no product page: "
            "seems to want certainty.",
            data["count"],
        )
        return text % {
            "count": data["count"],
            "time": spoken(data["seconds"]),
            "in_days": in_days(data["days"]),
        }


@register
class SamePage(Pattern):
    """The same article is opened several times: somebody has a problem (S3-18). Translations count
    as the same."""

    kind = HotDefinition.Kind.SAME_PAGE
    fields = ("times", "days")

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        rows = (
            _views(definition, ids, now, PageClass.BuiltIn.ARTICLE)
            .values("visitor_id", "tracked_page__translation_key")
            .annotate(last=Max("at"), count=Count("pk"), page=Max("tracked_page_id"))
            .filter(count__gte=definition.times)
        )
        best: dict[int, Mapping[str, Any]] = {}
        for row in rows:
            known = best.get(row["visitor_id"])
            if known is None or (row["count"], row["last"]) > (known["count"], known["last"]):
                best[row["visitor_id"]] = row
        titles = dict(
            TrackedPage.objects.filter(pk__in={row["page"] for row in best.values()}).values_list(
                "pk", "title"
            )
        )
        return {
            pk: Evidence(
                row["last"],
                {
                    "count": row["count"],
                    "page": row["page"],
                    "title": titles.get(row["page"], ""),
                    "days": definition.days,
                },
            )
            for pk, row in best.items()
        }

    def reason(self, data: Mapping[str, Any]) -> str:
        text = ngettext(
            "Opened “%(title)s” %(count)d time %(in_days)s: may be stuck on it.",
            "Opened “%(title)s” %(count)d times %(in_days)s: may be stuck on it.",
            data["count"],
        )
        return text % {"title": data["title"], "count": data["count"], "in_days": in_days(data["days"])}
