"""How many visitors become known by name: in all, by source, by landing page, by form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from wagtail_ma.forms.models import LeadForm
from wagtail_ma.people.models import IdentityLink
from wagtail_ma.reports.channels import CHANNEL_LABELS
from wagtail_ma.tracking.models import Activity, TrackedPage, Visit

# Pages and forms shown; the rest is long and thin.
SHOWN = 20


@dataclass(frozen=True)
class Rate:
    """``named`` of ``visitors`` distinct people."""

    label: str
    visitors: int
    named: int

    @property
    def percent(self) -> float:
        """0–100, one decimal."""
        return round(100 * self.named / self.visitors, 1) if self.visitors else 0.0


@dataclass(frozen=True)
class Rates:
    """Of those who visited within a period (bots left out); ``named`` are those known by name now."""

    everybody: Rate
    sources: list[Rate]
    pages: list[Rate]
    forms: list[Rate]


def rates(*, since: datetime, until: datetime) -> Rates:
    """The rates of a period; a fixed number of statements.

    A form's visitors saw it within the period; its named ones were named, or recognised, by it.
    """
    visits = Visit.objects.filter(started_at__gte=since, started_at__lt=until, is_bot=False)
    whole = visits.aggregate(**_counts())
    return Rates(
        everybody=Rate("", whole["visitors"], whole["known"]),
        sources=_by(visits, "medium", lambda keys: {key: str(CHANNEL_LABELS.get(key, key)) for key in keys}),
        pages=_by(visits.exclude(landing=None), "landing_id", _titles),
        forms=_forms(since, until),
    )


def _counts() -> dict[str, Count]:
    known = Q(visitor__lead__isnull=False)
    return {
        "visitors": Count("visitor", distinct=True),
        "known": Count("visitor", distinct=True, filter=known),
    }


def _by(visits: QuerySet[Visit], field: str, name: Callable[[list[Any]], dict[Any, str]]) -> list[Rate]:
    rows = list(visits.order_by().values(field).annotate(**_counts()).order_by("-visitors", field)[:SHOWN])
    names = name([row[field] for row in rows])
    return [Rate(names.get(row[field], str(row[field])), row["visitors"], row["known"]) for row in rows]


def _titles(keys: list[int]) -> dict[int, str]:
    return {page.pk: str(page) for page in TrackedPage.objects.filter(pk__in=keys)}


def _forms(since: datetime, until: datetime) -> list[Rate]:
    seen = (
        Activity.objects.filter(kind="form_view", object_kind="form", at__gte=since, at__lt=until)
        .order_by()
        .values("object_key")
        .annotate(visitors=Count("visitor", distinct=True))
    )
    visitors = {row["object_key"]: row["visitors"] for row in seen}
    steps = IdentityLink.objects.filter(method="form", at__gte=since, at__lt=until, undone_at__isnull=True)
    people: dict[str, set[int]] = {}
    for form, person in steps.values_list("evidence__form", "to_visitor_id"):
        people.setdefault(str(form), set()).add(person)
    found = [
        # Where a form is sent without the script having told that it was seen, it was seen all the same.
        Rate(
            form.name,
            max(visitors.get(str(form.pk), 0), len(people.get(str(form.pk), ()))),
            len(people.get(str(form.pk), ())),
        )
        for form in LeadForm.objects.order_by("name")
    ]
    return sorted((rate for rate in found if rate.visitors), key=lambda rate: -rate.visitors)[:SHOWN]
