"""What the page of a visitor shows."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, OuterRef, Subquery, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.core.durations import spoken
from wagtail_ma.people import outward
from wagtail_ma.people.models import Lead, LeadField, Visitor
from wagtail_ma.reports import charts
from wagtail_ma.reports.ranked import decorate, score_line
from wagtail_ma.reports.timeline import ACTIVITY_LABELS
from wagtail_ma.sales import exclusions
from wagtail_ma.sales import queries as sales
from wagtail_ma.sales.models import HotEntry, Marking
from wagtail_ma.sales.patterns import reasons
from wagtail_ma.scenarios.models import Enrolment
from wagtail_ma.scoring import queries as scores
from wagtail_ma.scoring.decay import exponent
from wagtail_ma.scoring.ledger import ACTIVITY, VIEW, VISIT
from wagtail_ma.scoring.models import ScoringModel, Standing
from wagtail_ma.segments.models import Membership
from wagtail_ma.tracking.models import Activity, PageView

# The rest of a long ledger is summed up by rule.
ENTRIES_SHOWN = 200
HEAT_SHOWN = 10
PLACES = 1_000
CHART_DAYS = 90
MONTHS_SHOWN = 24
PAGES_PER_TOPIC = 10
LEVEL_LABELS = {
    "none": gettext_lazy("none"),
    "weak": gettext_lazy("weak"),
    "strong": gettext_lazy("strong"),
    "now": gettext_lazy("ready to buy"),
}


def details(visitor: Visitor, *, now: datetime) -> dict[str, Any]:
    """Everything about one visitor but the timeline; a fixed number of statements."""
    standing = scores.standing_of(visitor.pk)
    model = standing.model if standing else None
    breakdown = scores.breakdown(visitor.pk, now=now, model=model)
    newest = breakdown.rows[:ENTRIES_SHOWN]
    facts = _names(newest)
    if standing is not None:
        standing.visitor = visitor
    entries = list(sales.of(visitor.pk)[:HEAT_SHOWN])
    because = reasons(entries)
    markings = {
        each.kind: each for each in Marking.objects.filter(visitor=visitor).order_by("decided_at", "pk")
    }
    return {
        "visitor": visitor,
        "lead": getattr(visitor, "lead", None),
        "standing": decorate(standing, now=now) if standing else None,
        "place": place(standing) if standing else None,
        "temperature": scores.temperature(standing, now=now) if standing else None,
        "score_chart": _score_chart(standing, breakdown, now=now) if standing else "",
        "months": _months(visitor.pk, now=now),
        "heat": [{"entry": entry, "reason": because[entry.pk], "standing": None} for entry in entries],
        "interests": _interests(visitor.pk, now=now, model=model),
        "breakdown": breakdown,
        "entries": [_entry(row, facts) for row in newest],
        "memberships": Membership.objects.filter(visitor=visitor).select_related("segment"),
        "enrolments": Enrolment.objects.filter(visitor=visitor)
        .select_related("scenario")
        .order_by("-entered_at"),
        "attributes": _attributes(getattr(visitor, "lead", None)),
        "exclusion": exclusions.reason_label(visitor.excluded_reason, exclusions.rule_names())
        if visitor.excluded_reason
        else "",
        "excluded_marking": markings.get(Marking.Kind.EXCLUDED),
        "customer_marking": markings.get(Marking.Kind.CUSTOMER),
        "apart": _apart(visitor, now=now),
        "may_include": exclusions.is_own_reason(visitor.excluded_reason)
        or visitor.excluded_reason == Visitor.DOUBTFUL,
    }


def stamp(visitor_id: int) -> str:
    """A text that changes with anything new on the page (one statement): what an open page asks for
    every few seconds."""
    standing = Standing.objects.filter(model__is_current=True, visitor=OuterRef("pk"))
    view = PageView.objects.filter(visitor=OuterRef("pk")).order_by("-at", "-pk")
    act = Activity.objects.filter(visitor=OuterRef("pk")).order_by("-at", "-pk")
    heat = HotEntry.objects.filter(visitor=OuterRef("pk"))
    row = (
        Visitor.objects.filter(pk=visitor_id)
        .values_list(
            "excluded_reason",
            "is_customer",
            Subquery(standing.values("engagement_sum")[:1]),
            Subquery(standing.values("fit")[:1]),
            Subquery(standing.values("view_count")[:1]),
            Subquery(view.values("pk")[:1]),
            Subquery(view.values("engaged_seconds")[:1]),
            Subquery(act.values("pk")[:1]),
            Subquery(heat.order_by("-pk").values("pk")[:1]),
            Subquery(heat.filter(closed_at__isnull=False).order_by("-closed_at").values("closed_at")[:1]),
            Subquery(heat.order_by("-evidence_at").values("evidence_at")[:1]),
        )
        .first()
    )
    return hashlib.sha256(repr(row).encode()).hexdigest()[:16]


def place(standing: Standing) -> int | None:
    """The place in the ranked list, 1 for the first; None beyond the first :data:`PLACES`."""
    ahead = Standing.objects.filter(
        model_id=standing.model_id, visitor__excluded_reason="", rank__gte=standing.rank
    )
    ordered = ahead.order_by("-rank", "-visitor_id").values_list("visitor_id", flat=True)
    before = list(ordered[: PLACES + 1])
    return before.index(standing.visitor_id) + 1 if standing.visitor_id in before else None


def _score_chart(standing: Standing, breakdown: scores.Breakdown, *, now: datetime) -> Any:
    model, begin = standing.model, now - timedelta(days=CHART_DAYS)
    newest = [
        (
            row.at,
            row.earned * 2.0 ** exponent(row.at, epoch=model.epoch, half_life_days=model.half_life_days),
        )
        for row in breakdown.rows
        if row.at > begin
    ]
    line = score_line(standing, newest, now=now, days=CHART_DAYS)
    points = [
        (date_format(now - timedelta(days=CHART_DAYS - day), "SHORT_DATE_FORMAT"), value)
        for day, value in enumerate(line)
    ]
    title = _("Score in the last %(days)d days") % {"days": CHART_DAYS}
    return charts.line_chart([charts.Series(_("Score"), points)], title=title)


def _months(visitor_id: int, *, now: datetime) -> dict[str, Any]:
    """Pages by month of the last two years, and what lies before in one number."""
    zone = timezone.get_default_timezone()
    views = PageView.objects.filter(visitor_id=visitor_id, visit__is_bot=False).order_by()
    rows = dict(
        views.annotate(month=TruncMonth("at", tzinfo=zone))
        .values("month")
        .annotate(n=Count("pk"))
        .values_list("month", "n")
    )
    month = timezone.localtime(now, zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    shown: list[tuple[str, int]] = []
    counted = 0
    first = min(rows, default=month)
    while len(shown) < MONTHS_SHOWN and month >= first:
        count = rows.get(month, 0)
        counted += count
        shown.append((date_format(month, "YEAR_MONTH_FORMAT"), count))
        # (To the first of the month before, whatever the clocks did in between.)
        month = (month - timedelta(days=1)).replace(day=1, tzinfo=None, hour=0).replace(tzinfo=zone)
    shown.reverse()
    title = _("Pages by month")
    return {
        "chart": charts.bar_chart(shown, title=title) if len(shown) > 1 else "",
        "table": charts.data_table([_("Month"), _("Pages")], shown, caption=title),
        "before": sum(rows.values()) - counted,
    }


def _interests(visitor_id: int, *, now: datetime, model: ScoringModel | None) -> dict[str, Any]:
    """Interests and worries, each with the pages that caused it (two statements)."""
    found = scores.interests_of([visitor_id], now=now, model=model)[visitor_id]
    topics = [each.topic.pk for each in (*found.products, *found.concerns)]
    pages: dict[int, list[dict[str, Any]]] = defaultdict(list)
    rows = (
        PageView.objects.filter(visitor_id=visitor_id, tracked_page__topics__in=topics)
        .order_by()
        .values("tracked_page__topics", "tracked_page__title", "tracked_page__url")
        .annotate(count=Count("pk"), seconds=Sum("engaged_seconds"), last=Max("at"))
    )
    for row in sorted(rows, key=lambda row: (-row["seconds"], -row["count"])) if topics else ():
        pages[row["tracked_page__topics"]].append(
            {
                "title": row["tracked_page__title"] or row["tracked_page__url"],
                "url": row["tracked_page__url"],
                "count": row["count"],
                "time": spoken(row["seconds"]),
            }
        )

    def shown(each: scores.TopicInterest) -> dict[str, Any]:
        return {
            "topic": each.topic,
            "weight": round(each.weight),
            "level": LEVEL_LABELS[each.level],
            "pages": pages.get(each.topic.pk, [])[:PAGES_PER_TOPIC],
            "more": max(0, len(pages.get(each.topic.pk, [])) - PAGES_PER_TOPIC),
        }

    return {
        "products": [shown(each) for each in found.products],
        "concerns": [shown(each) for each in found.concerns],
        "is_focused": found.is_focused,
    }


def _apart(visitor: Visitor, *, now: datetime) -> list[dict[str, Any]]:
    """What went out while this one was taken for one with others, and stays."""
    times = outward.apart_again(visitor.pk)
    others = Visitor.objects.select_related("lead").in_bulk({each.other_than(visitor.pk) for each in times})
    return [
        {"time": each, "other": others.get(each.other_than(visitor.pk)), "outward": each.outward(now=now)}
        for each in times
    ]


def _attributes(lead: Lead | None) -> list[tuple[str, Any]]:
    """Label and value of the editor's own lead fields that have one."""
    if lead is None or not lead.attributes:
        return []
    fields = LeadField.objects.filter(key__in=lead.attributes)
    return [(field.label, lead.attributes[field.key]) for field in fields]


def _entry(row: scores.Row, names: dict[tuple[str, int], str]) -> dict[str, Any]:
    """One line of the ledger, with the fact it was for and where that stands in the timeline."""
    return {
        "at": row.at,
        "rule": row.rule,
        "fact": names.get((row.fact_kind, row.fact_id), _("a visit") if row.fact_kind == VISIT else ""),
        "anchor": f"{row.fact_kind}-{row.fact_id}",
        # The page of the timeline that begins with the fact.
        "cursor": f"{row.at.isoformat()}~zzz~0",
        "earned": row.earned,
        "points": row.points,
    }


def _names(rows: list[scores.Row]) -> dict[tuple[str, int], str]:
    """What the facts of these lines were: one statement per kind of fact."""
    view_ids = {row.fact_id for row in rows if row.fact_kind == VIEW}
    activity_ids = {row.fact_id for row in rows if row.fact_kind == ACTIVITY}
    names: dict[tuple[str, int], str] = {}
    for view in PageView.objects.filter(pk__in=view_ids).select_related("tracked_page"):
        names[VIEW, view.pk] = str(view.tracked_page)
    for activity in Activity.objects.filter(pk__in=activity_ids):
        detail = activity.data.get("title") or activity.data.get("form") or activity.data.get("url") or ""
        names[ACTIVITY, activity.pk] = " ".join(
            part for part in (str(ACTIVITY_LABELS.get(activity.kind, activity.kind)), str(detail)) if part
        )
    return names
