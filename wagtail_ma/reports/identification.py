"""How many visitors become known by name: in all, by source and landing page, and by what led to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import swapper
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from wagtail_ma.forms.models import LeadForm
from wagtail_ma.people.models import IdentityLink
from wagtail_ma.reports.channels import CHANNEL_LABELS
from wagtail_ma.scenarios.models import Enrolment, Scenario
from wagtail_ma.tracking.models import Activity, PageView, TrackedPage, Visit

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
    naming_pages: list[Rate]
    forms: list[Rate]
    scenarios: list[Rate]


def rates(*, since: datetime, until: datetime) -> Rates:
    """The rates of a period; a fixed number of statements.

    A form's visitors saw it within the period; its named ones were named, or recognised, by it. So it
    is with the pages on which people gave their names, and with the scenarios that led them there.
    """
    visits = Visit.objects.filter(started_at__gte=since, started_at__lt=until, is_bot=False)
    whole = visits.aggregate(**_counts())
    return Rates(
        everybody=Rate("", whole["visitors"], whole["known"]),
        sources=_by(visits, "medium", lambda keys: {key: str(CHANNEL_LABELS.get(key, key)) for key in keys}),
        pages=_by(visits.exclude(landing=None), "landing_id", _titles),
        naming_pages=_naming_pages(since, until),
        forms=_forms(since, until),
        scenarios=_scenarios(since, until),
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


def _named_by(since: datetime, until: datetime, key: str) -> dict[int, set[int]]:
    """Who was named, or recognised, within the period, by what the evidence says of ``key``."""
    steps = IdentityLink.objects.filter(
        at__gte=since,
        at__lt=until,
        undone_at__isnull=True,
        # A forwarded link names nobody.
        evidence__forwarded_from__isnull=True,
        **{f"evidence__{key}__isnull": False},
    )
    people: dict[int, set[int]] = {}
    for value, person in steps.values_list(f"evidence__{key}", "to_visitor_id"):
        # (A host's own form is evidence by its title.)
        if isinstance(value, int):
            people.setdefault(value, set()).add(person)
    return people


def _sorted(found: Iterable[Rate]) -> list[Rate]:
    return sorted((rate for rate in found if rate.visitors), key=lambda rate: -rate.visitors)[:SHOWN]


def _rate(label: str, visitors: int, named: set[int]) -> Rate:
    # Where a form is sent without the script having told that it was seen, it was seen all the same.
    return Rate(label, max(visitors, len(named)), len(named))


def _forms(since: datetime, until: datetime) -> list[Rate]:
    seen = (
        Activity.objects.filter(kind="form_view", object_kind="form", at__gte=since, at__lt=until)
        .order_by()
        .values("object_key")
        .annotate(visitors=Count("visitor", distinct=True))
    )
    visitors = {row["object_key"]: row["visitors"] for row in seen}
    named = _named_by(since, until, "form")
    return _sorted(
        _rate(form.name, visitors.get(str(form.pk), 0), named.get(form.pk, set()))
        for form in LeadForm.objects.order_by("name")
    )


def _naming_pages(since: datetime, until: datetime) -> list[Rate]:
    """Of those who viewed a page on which somebody was named, who was named there."""
    named = _named_by(since, until, "page")
    pages = {page.page_id: page for page in TrackedPage.objects.filter(page__in=named).order_by("-pk")}
    seen = (
        PageView.objects.filter(
            tracked_page__page__in=named, at__gte=since, at__lt=until, visit__is_bot=False
        )
        .order_by()
        .values("tracked_page__page")
        .annotate(visitors=Count("visitor", distinct=True))
    )
    visitors = {row["tracked_page__page"]: row["visitors"] for row in seen}
    titles = dict(
        swapper.load_model("wagtailcore", "Page").objects.filter(pk__in=named).values_list("pk", "title")
    )
    return _sorted(
        _rate(str(pages.get(pk) or titles.get(pk) or _("A page that is gone")), visitors.get(pk, 0), people)
        for pk, people in named.items()
    )


def _scenarios(since: datetime, until: datetime) -> list[Rate]:
    """Of those who came into a scenario within the period, whom it led to give their name."""
    entered = (
        Enrolment.objects.filter(entered_at__gte=since, entered_at__lt=until)
        .order_by()
        .values("scenario")
        .annotate(visitors=Count("visitor", distinct=True))
    )
    visitors = {row["scenario"]: row["visitors"] for row in entered}
    named = _named_by(since, until, "scenario")
    return _sorted(
        _rate(scenario.name, visitors.get(scenario.pk, 0), named.get(scenario.pk, set()))
        for scenario in Scenario.objects.filter(pk__in={*visitors, *named}).order_by("name")
    )
