"""Patterns of acting: a form left unfinished, and visits that come back after a silence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_ma.sales.models import HotDefinition
from wagtail_ma.sales.patterns import Evidence, Ids, Pattern, among, in_days, number, register, since
from wagtail_ma.tracking.models import Activity, Visit

# Pages that somebody who comes back must open within the window, beside the visits.
PAGES_PER_VISIT = 3
# How far back "as usual" looks.
BASELINE_DAYS = 400


@register
class FormLeft(Pattern):
    """A form was started, and not sent since (S3-28)."""

    kind = HotDefinition.Kind.FORM_LEFT
    fields = ("minutes", "days")
    may_begin_by_time = True
    sweep_minutes = 1

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        left = now - timedelta(minutes=definition.minutes)
        starts = _acts("form_start", ids).filter(at__gt=since(definition, now), at__lte=left)
        last: dict[int, Activity] = {}
        for act in starts.order_by("at", "pk").select_related("tracked_page"):
            last[act.visitor_id] = act
        sent = _last_sent(last)
        return {
            pk: Evidence(
                act.at,
                {
                    "form": act.object_key,
                    "title": str(act.data.get("title") or ""),
                    "page": str(act.tracked_page or ""),
                },
            )
            for pk, act in last.items()
            if pk not in sent or sent[pk] < act.at
        }

    def still(self, definition: HotDefinition, ids: Collection[int], *, now: datetime) -> set[int]:
        return set(self.find(definition, ids, now=now)) | (
            set(ids) - set(_last_sent(ids, after=since(definition, now)))
        )

    def reason(self, data: Mapping[str, Any]) -> str:
        name = data["title"] or data["page"]
        if name:
            return _("Started the form on “%(page)s” and left without sending it.") % {"page": name}
        return _("Started a form and left without sending it.")


def _acts(kind: str, ids: Ids) -> QuerySet[Activity]:
    """What people (not bots) did."""
    acts = Activity.objects.filter(kind=kind).exclude(visit__is_bot=True)
    return among(acts, ids).order_by()


def _last_sent(ids: Collection[int], *, after: datetime | None = None) -> dict[int, datetime]:
    """When each of these visitors sent a form last."""
    sent = Activity.objects.filter(kind="form_submit", visitor_id__in=ids).order_by()
    if after is not None:
        sent = sent.filter(at__gt=after)
    return dict(sent.values("visitor_id").annotate(last=Max("at")).values_list("visitor_id", "last"))


@dataclass(frozen=True)
class Visited:
    """One visit, as far as a surge is concerned."""

    at: datetime
    pages: int


@register
class Surge(Pattern):
    """Silence, and then suddenly many visits, compared with this person's own habit (S1-21)."""

    kind = HotDefinition.Kind.SURGE
    fields = ("silent_days", "times", "days", "factor")

    def candidates(self, definition: HotDefinition, *, now: datetime) -> Iterable[int]:
        before = now - timedelta(days=definition.silent_days)
        back = Visit.objects.filter(
            started_at__gt=since(definition, now), is_bot=False, visitor__first_seen_at__lt=before
        )
        return set(back.order_by().values_list("visitor_id", flat=True))

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        if ids is None:
            ids = set(self.candidates(definition, now=now))
        history: dict[int, list[Visited]] = defaultdict(list)
        for visitor_id, at, pages in visited(ids, now=now):
            history[visitor_id].append(Visited(at, pages))
        found = {pk: surge(definition, mine, now=now) for pk, mine in history.items()}
        return {pk: evidence for pk, evidence in found.items() if evidence is not None}

    def reason(self, data: Mapping[str, Any]) -> str:
        text = ngettext(
            "After %(silent)d days of silence %(visits)d visit with %(pages)d pages %(in_days)s, %(factor)s "
            "times as many as usual.",
            "After %(silent)d days of silence %(visits)d visits with %(pages)d pages %(in_days)s, %(factor)s "
            "times as many as usual.",
            data["visits"],
        )
        return text % {
            "silent": data["silent"],
            "visits": data["visits"],
            "pages": data["pages"],
            "in_days": in_days(data["days"]),
            "factor": number(data["factor"]),
        }


def visited(visitor_ids: Collection[int], *, now: datetime) -> Iterable[tuple[int, datetime, int]]:
    """(visitor, moment, pages) of each visit as far back as "as usual" looks, oldest first."""
    visits = Visit.objects.filter(
        visitor_id__in=list(visitor_ids),
        is_bot=False,
        started_at__gt=now - timedelta(days=BASELINE_DAYS),
        started_at__lte=now,
    )
    rows = visits.order_by("started_at", "pk").annotate(pages=Count("views"))
    return rows.values_list("visitor_id", "started_at", "pages")


def surge(definition: HotDefinition, visits: list[Visited], *, now: datetime) -> Evidence | None:
    """Whether these visits (oldest first) end in a surge: at least ``silent_days`` without any,
    then within ``days`` so many visits (or three times as many pages), and ``factor`` times as many
    pages as this person usually opens in so many days."""
    window = timedelta(days=definition.days)
    gaps = [
        index
        for index in range(1, len(visits))
        if visits[index].at - visits[index - 1].at >= timedelta(days=definition.silent_days)
    ]
    if not gaps or now - visits[gaps[-1]].at > window:
        return None
    before, after = visits[: gaps[-1]], visits[gaps[-1] :]
    pages = sum(visit.pages for visit in after)
    if len(after) < definition.times and pages < definition.times * PAGES_PER_VISIT:
        return None
    span = max(before[-1].at - before[0].at, window)
    usual = sum(visit.pages for visit in before) / (span / window)
    times = pages / max(usual, 1.0)
    if times < definition.factor:
        return None
    return Evidence(
        after[-1].at,
        {
            "silent": (after[0].at - before[-1].at).days,
            "visits": len(after),
            "pages": pages,
            "days": definition.days,
            "factor": times,
        },
    )
