"""Patterns of customers: they grow quiet, or read how to leave. They are alerts, not new business."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_ma.people.models import Visitor
from wagtail_ma.sales.models import HotDefinition
from wagtail_ma.sales.patterns import Evidence, Ids, Pattern, among, in_days, number, register, since
from wagtail_ma.tracking.models import PageClass, PageView, Visit

# "As usual" is the average of so many windows before the present one.
WINDOWS = 3


def _customers(ids: Ids) -> Any:
    """Ids of those of these visitors who are customers, as a query (index: ma_visitor_customer)."""
    found = Visitor.objects.filter(is_customer=True, merged_into__isnull=True, excluded_reason="")
    return among(found, ids, "pk").values_list("pk", flat=True)


@register
class ActivityDrop(Pattern):
    """A customer used to come regularly and comes much less often, or no longer."""

    kind = HotDefinition.Kind.DROP
    fields = ("days", "times", "factor")
    may_begin_by_time = True
    sweep_minutes = 360
    is_fading = True

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        window = timedelta(days=definition.days)
        begin = now - window * (WINDOWS + 1)
        visits = Visit.objects.filter(
            visitor_id__in=_customers(ids), started_at__gt=begin, started_at__lte=now, is_bot=False
        )
        moments: dict[int, list[datetime]] = defaultdict(list)
        for pk, at in visits.order_by().values_list("visitor_id", "started_at"):
            moments[pk].append(at)
        # One day is as good as another: what does not happen has no moment of its own.
        today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
        found = {}
        for pk, mine in moments.items():
            recent = sum(at > now - window for at in mine)
            usual = (len(mine) - recent) / WINDOWS
            if usual >= definition.times and recent * definition.factor <= usual:
                data = {"usual": usual, "recent": recent, "days": definition.days}
                found[pk] = Evidence(min(today, now), data)
        return found

    def still(self, definition: HotDefinition, ids: Collection[int], *, now: datetime) -> set[int]:
        return set(self.find(definition, ids, now=now))

    def reason(self, data: Mapping[str, Any]) -> str:
        words = {"usual": number(data["usual"]), "in_days": in_days(data["days"]), "recent": data["recent"]}
        if not data["recent"]:
            return _("Used to come %(usual)s times %(in_days)s; lately not at all.") % words
        text = ngettext(
            "Used to come %(usual)s times %(in_days)s; lately only %(recent)d time.",
            "Used to come %(usual)s times %(in_days)s; lately only %(recent)d times.",
            data["recent"],
        )
        return text % words


@register
class CancellationRead(Pattern):
    """A customer opens pages that tell how to cancel."""

    kind = HotDefinition.Kind.CANCELLATION
    fields = ("days",)

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        views = PageView.objects.filter(
            visitor_id__in=_customers(ids),
            tracked_page__page_class__key=PageClass.BuiltIn.CANCELLATION,
            at__gt=since(definition, now),
            at__lte=now,
            visit__is_bot=False,
        ).select_related("tracked_page")
        found: dict[int, Evidence] = {}
        counts: dict[int, int] = defaultdict(int)
        for view in views.order_by("at", "pk"):
            counts[view.visitor_id] += 1
            data = {"page": str(view.tracked_page), "count": counts[view.visitor_id], "days": definition.days}
            found[view.visitor_id] = Evidence(view.at, data)
        return found

    def still(self, definition: HotDefinition, ids: Collection[int], *, now: datetime) -> set[int]:
        return set(_customers(ids))

    def candidates(self, definition: HotDefinition, *, now: datetime) -> Iterable[int]:
        return self.find(definition, None, now=now)

    def reason(self, data: Mapping[str, Any]) -> str:
        text = ngettext(
            "Opened “%(page)s” %(in_days)s: may be about to leave.",
            "Opened “%(page)s” and the like %(count)d times %(in_days)s: may be about to leave.",
            data["count"],
        )
        return text % {"page": data["page"], "count": data["count"], "in_days": in_days(data["days"])}
