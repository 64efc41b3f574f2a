"""What the list and the page of a visitor show."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from wagtail_ma.people.models import IdentityLink, Lead, LeadField, Visitor
from wagtail_ma.reports.ranked import decorate
from wagtail_ma.reports.timeline import ACTIVITY_LABELS
from wagtail_ma.scenarios.models import Enrolment
from wagtail_ma.scoring import queries as scores
from wagtail_ma.scoring.ledger import ACTIVITY, VIEW, VISIT
from wagtail_ma.segments.models import Membership
from wagtail_ma.tracking.models import Activity, PageView

# The rest of a long ledger is summed up by rule.
ENTRIES_SHOWN = 200


def details(visitor: Visitor, *, now: datetime) -> dict[str, Any]:
    """Everything about one visitor but the timeline; a fixed number of statements."""
    standing = scores.ranked().filter(visitor_id=visitor.pk).select_related("visitor__lead", "model").first()
    breakdown = scores.breakdown(visitor.pk, now=now)
    newest = breakdown.rows[:ENTRIES_SHOWN]
    facts = _names(newest)
    return {
        "visitor": visitor,
        "lead": getattr(visitor, "lead", None),
        "standing": decorate(standing, now=now) if standing else None,
        "breakdown": breakdown,
        "entries": [_entry(row, facts) for row in newest],
        "memberships": Membership.objects.filter(visitor=visitor).select_related("segment"),
        "enrolments": Enrolment.objects.filter(visitor=visitor)
        .select_related("scenario")
        .order_by("-entered_at"),
        "attributes": _attributes(getattr(visitor, "lead", None)),
        "links": IdentityLink.objects.filter(to_visitor=visitor).select_related("identity").order_by("at"),
    }


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
