"""What the page of a visitor shows."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, IntegerField, Max, OuterRef, Q, Subquery, Sum
from django.db.models.functions import JSONObject, TruncMonth
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_ma.core.durations import spoken
from wagtail_ma.people import lead_values, outward
from wagtail_ma.people.models import Lead, LeadField, Visitor
from wagtail_ma.reports import charts
from wagtail_ma.reports.ranked import decorate, line_back
from wagtail_ma.reports.timeline import ACTIVITY_LABELS
from wagtail_ma.sales import exclusions
from wagtail_ma.sales import queries as sales
from wagtail_ma.sales.models import HotEntry, Marking
from wagtail_ma.sales.patterns import reasons
from wagtail_ma.scenarios.models import Enrolment
from wagtail_ma.scoring import queries as scores
from wagtail_ma.scoring.ledger import VISIT
from wagtail_ma.scoring.models import LISTED, ScoringModel, Standing
from wagtail_ma.segments.models import Membership
from wagtail_ma.tracking.models import Activity, PageView

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


def find(visitor_id: int) -> tuple[Any, Any]:
    """The visitor with lead, company and owner, and the standing with the scoring model, ``place`` and
    ``stamp`` (see :func:`stamp`); both None if there is none (one statement, one more without standing).

    Whoever was merged away leads to the person they became.
    """
    standing = (
        Standing.objects.filter(model__is_current=True, visitor_id=visitor_id)
        .select_related("model", "visitor__lead__company", "visitor__lead__owner")
        .annotate(ahead=_ahead(), **_signs("visitor_id"), **_markings("visitor_id"))
        .first()
    )
    if standing is not None:
        return standing.visitor, standing
    visitor, seen = _visitor(visitor_id), set[int]()
    while visitor is not None and visitor.merged_into_id and visitor.pk not in seen:
        seen.add(visitor.pk)
        visitor = _visitor(visitor.merged_into_id)
    if visitor is None or visitor.pk == visitor_id:
        return visitor, None
    return find(visitor.pk)


def _visitor(pk: int) -> Any:
    found = Visitor.objects.select_related("lead__company", "lead__owner").annotate(**_markings("pk"))
    return found.filter(pk=pk).first()


def _markings(visitor: str) -> dict[str, Subquery]:
    """What was said by hand last of the visitor whose id is in this column: ``is_so`` and ``note``, or
    None, as ``said_excluded`` and ``said_customer``; and whether a merge with them was undone."""
    said = JSONObject(is_so="is_so", note="note")
    rows = Marking.objects.filter(visitor=OuterRef(visitor)).order_by("-decided_at", "-pk")
    found: dict[str, Subquery] = {
        f"said_{kind}": Subquery(rows.filter(kind=kind).values(said=said)[:1]) for kind in Marking.Kind.values
    }
    return found | {"said_apart": Exists(outward.undone_steps(OuterRef(visitor)))}


def details(visitor: Any, standing: Any, *, now: datetime) -> dict[str, Any]:
    """Everything about one visitor but the timeline; a fixed number of statements.

    :param visitor, standing: as :func:`find` gives them.
    """
    model = standing.model if standing else None
    breakdown = scores.breakdown(visitor.pk, now=now, model=model, days=CHART_DAYS)
    entries = list(sales.of(visitor.pk)[:HEAT_SHOWN])
    because = reasons(entries)
    said = standing or visitor
    return {
        "visitor": visitor,
        "lead": getattr(visitor, "lead", None),
        "standing": decorate(standing, now=now) if standing else None,
        "place": _place(standing) if standing else None,
        "temperature": scores.temperature(standing, now=now) if standing else None,
        "score_chart": _score_chart(model, breakdown, now=now) if model else "",
        "months": _months(visitor.pk, standing, now=now),
        "heat": [{"entry": entry, "reason": because[entry.pk], "standing": None} for entry in entries],
        "interests": _interests(visitor.pk, now=now, model=model),
        "breakdown": breakdown,
        "entries": [_entry(row) for row in breakdown.rows],
        "memberships": Membership.objects.filter(visitor=visitor).select_related("segment"),
        "enrolments": Enrolment.objects.filter(visitor=visitor)
        .select_related("scenario")
        .order_by("-entered_at"),
        "attributes": _attributes(getattr(visitor, "lead", None)),
        "exclusion": _exclusion(visitor.excluded_reason),
        "excluded_marking": said.said_excluded,
        "customer_marking": said.said_customer,
        "apart": _apart(visitor, now=now) if said.said_apart else [],
        "may_include": exclusions.is_own_reason(visitor.excluded_reason)
        or visitor.excluded_reason == Visitor.DOUBTFUL,
    }


def _exclusion(reason: str) -> str:
    """Why somebody is left out, in words; empty: they are not."""
    names = exclusions.rule_names() if reason.startswith("rule:") else {}
    return exclusions.reason_label(reason, names) if reason else ""


def _signs(visitor: str) -> dict[str, Any]:
    """What changes with anything new, of the visitor whose id is in this column."""
    view = PageView.objects.filter(visitor=OuterRef(visitor)).order_by("-at", "-pk")
    act = Activity.objects.filter(visitor=OuterRef(visitor)).order_by("-at", "-pk")
    heat = HotEntry.objects.filter(visitor=OuterRef(visitor))
    ended = heat.filter(closed_at__isnull=False).order_by("-closed_at")
    return {
        "last_view": Subquery(view.values("pk")[:1]),
        "last_seconds": Subquery(view.values("engaged_seconds")[:1]),
        "last_act": Subquery(act.values("pk")[:1]),
        "last_hot": Subquery(heat.order_by("-pk").values("pk")[:1]),
        "last_ended": Subquery(ended.values("closed_at")[:1]),
        "last_evidence": Subquery(heat.order_by("-evidence_at").values("evidence_at")[:1]),
    }


def stamp(visitor_id: int) -> str:
    """A text that changes with anything new on the page (one statement; a second one for somebody
    without a standing): what an open page asks for every few seconds."""
    standing = Standing.objects.filter(model__is_current=True, visitor_id=visitor_id).select_related(
        "visitor"
    )
    return stamp_of(standing.annotate(**_signs("visitor_id")).first(), visitor_id)


def stamp_of(standing: Any, visitor_id: int) -> str:
    """The same from a standing as :func:`find` gives it; None: nothing has been computed yet."""
    row: Any
    if standing is None:
        row = Visitor.objects.filter(pk=visitor_id).annotate(**_signs("pk")).first()
        shown = [row.excluded_reason, row.is_customer] if row else []
    else:
        row, visitor = standing, standing.visitor
        shown = [visitor.excluded_reason, visitor.is_customer, row.engagement_sum, row.fit, row.view_count]
    signs = [getattr(row, name, None) for name in _signs("pk")]
    return hashlib.sha256(repr((*shown, *signs)).encode()).hexdigest()[:16]


class _CountOf(Subquery):
    """How many rows a query has."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS ma_counted)"
    output_field = IntegerField()


def _ahead() -> _CountOf:
    """How many stand before this standing in the ranked list, no more than :data:`PLACES`
    (index: ma_standing_rank)."""
    same_rank = Q(rank=OuterRef("rank"), visitor_id__gt=OuterRef("visitor_id"))
    ahead = Standing.objects.filter(
        LISTED, Q(rank__gt=OuterRef("rank")) | same_rank, model=OuterRef("model"), rank__gte=OuterRef("rank")
    )
    return _CountOf(ahead.order_by("-rank", "-visitor_id").values("pk")[:PLACES])


def _place(standing: Any) -> int | None:
    """The place in the ranked list, 1 for the first; None beyond the first :data:`PLACES`, and for
    whoever is excluded."""
    return None if standing.is_excluded or standing.ahead >= PLACES else standing.ahead + 1


def _score_chart(model: ScoringModel, breakdown: scores.Breakdown, *, now: datetime) -> Any:
    line = line_back(breakdown.total, breakdown.by_day, half_life_days=model.half_life_days, days=CHART_DAYS)
    points = [
        (date_format(now - timedelta(days=CHART_DAYS - day), "SHORT_DATE_FORMAT"), value)
        for day, value in enumerate(line)
    ]
    title = _("Score in the last %(days)d days") % {"days": CHART_DAYS}
    return charts.line_chart([charts.Series(_("Score"), points)], title=title)


def _months(visitor_id: int, standing: Any, *, now: datetime) -> dict[str, Any]:
    """Pages by month of the last two years, and what lies before in one number."""
    zone = timezone.get_default_timezone()
    month = timezone.localtime(now, zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    # (To the first of the month before, whatever the clocks did in between.)
    months = [month]
    while len(months) < MONTHS_SHOWN:
        month = (month - timedelta(days=1)).replace(day=1, tzinfo=None, hour=0).replace(tzinfo=zone)
        months.append(month)
    views = PageView.objects.filter(visitor_id=visitor_id, visit__is_bot=False, at__gte=month).order_by()
    rows = dict(
        views.annotate(month=TruncMonth("at", tzinfo=zone))
        .values("month")
        .annotate(n=Count("pk"))
        .values_list("month", "n")
    )
    counted = sum(rows.values())
    before = max(0, standing.view_count - counted) if standing else 0
    first = month if before else min(rows, default=months[0])
    shown = [(date_format(each, "YEAR_MONTH_FORMAT"), rows.get(each, 0)) for each in months if each >= first]
    shown.reverse()
    title = _("Pages by month")
    return {
        "chart": charts.bar_chart(shown, title=title) if len(shown) > 1 else "",
        "table": charts.data_table([_("Month"), _("Pages")], shown, caption=title),
        "before": before,
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
                # (In words here: in the template each would cost as much as the row.)
                "seen": ngettext("%(counter)s time, %(time)s", "%(counter)s times, %(time)s", row["count"])
                % {"counter": row["count"], "time": spoken(row["seconds"])},
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
    return [(field.label, lead_values.shown(lead.attributes[field.key])) for field in fields]


def _entry(row: scores.Row) -> dict[str, Any]:
    """One line of the ledger, with the fact it was for and where that stands in the timeline."""
    return {
        "at": row.at,
        "rule": row.rule,
        "fact": _fact(row),
        "anchor": f"{row.fact_kind}-{row.fact_id}",
        # The page of the timeline that begins with the fact.
        "cursor": f"{row.at.isoformat()}~zzz~0",
        "earned": row.earned,
        "points": row.points,
    }


def _fact(row: scores.Row) -> str:
    """What the fact of a line was, in words; empty when it is gone."""
    if row.fact_kind == VISIT:
        return _("a visit")
    if not row.act:
        return row.page
    detail = row.act_data.get("title") or row.act_data.get("form") or row.act_data.get("url") or ""
    return " ".join(part for part in (str(ACTIVITY_LABELS.get(row.act, row.act)), str(detail)) if part)
