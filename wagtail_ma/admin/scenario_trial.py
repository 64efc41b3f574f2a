"""Trying a scenario out: whom it would have let in, what would happen to one person. Writes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_ma.admin.permissions import may
from wagtail_ma.admin.scenario_results import NAMESPACE, person_name, starts_when
from wagtail_ma.people.models import Identity, Lead, Visitor
from wagtail_ma.scenarios.dry_run import DryRun, dry_run
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.scenarios.publish import problems, tree_of
from wagtail_ma.scenarios.simulate import Event, simulate

PERIODS = (7, 30, 90)
CHOICE = "way-"
CANDIDATES = 10


class ScenarioTrialView(WagtailAdminTemplateMixin, TemplateView):
    """The latest draft, tried out on the past and on a person."""

    template_name = "wagtail_ma/admin/scenarios/trial.html"
    page_title = gettext_lazy("Try it out")
    header_icon = "view"
    http_method_names = ["get"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may(request, Scenario):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def scenario(self) -> Scenario:
        """As the editor shows it: the latest draft."""
        found = get_object_or_404(Scenario, pk=self.kwargs["pk"])
        latest: Scenario = found.get_latest_revision_as_object()
        return latest

    @cached_property
    def may_see_people(self) -> bool:
        return may(self.request, Visitor, "view")

    @cached_property
    def may_see_leads(self) -> bool:
        return may(self.request, Lead, "view")

    def get_page_subtitle(self) -> str:
        return str(self.scenario)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        edit = reverse(f"{NAMESPACE}:edit", args=[self.scenario.pk])
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{NAMESPACE}:list"), "label": _("Scenarios")},
            {"url": edit, "label": str(self.scenario)},
            {"url": "", "label": self.get_page_title(), "sublabel": self.get_page_subtitle()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        now = timezone.now()
        asked = self.request.GET
        period = next((days for days in PERIODS if str(days) == asked.get("days")), 30)
        # Conditions are put to everybody again and again: only when somebody asks for it, and not again
        # with each person and each way that is tried.
        is_walk = bool(asked.keys() - {"days"})
        is_asked = self.scenario.entry != Scenario.Entry.RULE or ("days" in asked and not is_walk)
        since = now - timedelta(days=period)
        found = dry_run(self.scenario, since=since, until=now) if is_asked else DryRun(people=None)
        looked = (now - found.since).days if found.since else period
        visitor, candidates = self._person()
        start = _moment(asked.get("start", "")) or now
        choices = {
            name.removeprefix(CHOICE): str(value) for name, value in asked.items() if name.startswith(CHOICE)
        }
        tree = tree_of(self.scenario)
        simulation = simulate(self.scenario, tree, visitor, start=start, choices=choices) if tree else None
        return context | {
            "scenario": self.scenario,
            "starts_when": starts_when(self.scenario),
            "problems": problems(self.scenario),
            "period": period,
            "periods": PERIODS,
            "sentence": _sentence(found.people, looked)
            if is_asked
            else _("Choose how far to look back; it may take a while."),
            "is_asked": is_asked,
            "cut_short": _cut_short(looked, period) if looked < period else "",
            "by_conditions": self.scenario.entry == Scenario.Entry.RULE,
            "dry_run": found,
            "people": [self._row(would.visitor, would.at) for would in found.first],
            "may_see_people": self.may_see_people,
            "visitor": visitor,
            "visitor_name": self._name(visitor) if visitor else "",
            "candidates": [self._row(each, start) for each in candidates],
            "q": asked.get("q", "")[:200],
            "start": timezone.localtime(start).strftime("%Y-%m-%dT%H:%M"),
            "simulation": simulation,
            "events": [self._event(event) for event in simulation.events] if simulation else [],
        }

    def _person(self) -> tuple[Visitor | None, list[Visitor]]:
        """Who is to walk through; or those who might be meant."""
        if not self.may_see_people:
            return None, []
        everybody = Visitor.objects.filter(merged_into__isnull=True).select_related("lead")
        number, text = self.request.GET.get("person", ""), self.request.GET.get("q", "").strip()[:200]
        if text and self.may_see_leads:
            addresses = Identity.objects.filter(kind=Identity.Kind.EMAIL, key=text.lower())
            named = Q(lead__family_name__icontains=text) | Q(lead__company_name__icontains=text)
            found = list(
                everybody.filter(Q(pk__in=addresses.values("visitor")) | named).order_by("-pk")[:CANDIDATES]
            )
            return (found[0], []) if len(found) == 1 else (None, found)
        if number.isascii() and number.isdecimal() and len(number) < 10:
            visitor = everybody.filter(pk=int(number)).first()
            is_hidden = getattr(visitor, "lead", None) is not None and not self.may_see_leads
            return (None if is_hidden else visitor), []
        return None, []

    def _name(self, visitor: Visitor) -> str:
        return person_name(visitor) if self.may_see_leads else visitor.label

    def _row(self, visitor: Visitor, at: datetime) -> dict[str, Any]:
        start = timezone.localtime(at).strftime("%Y-%m-%dT%H:%M")
        return {
            "name": self._name(visitor),
            "at": at,
            "url": reverse("wagtail_ma_visitors:visitor", args=[visitor.pk]),
            "walk": f"?{urlencode({'person': visitor.pk, 'start': start})}#walk-section",
        }

    def _event(self, event: Event) -> dict[str, Any]:
        """A step with links to what if it went another way."""
        ways = []
        for code, words in event.ways:
            if code == event.outcome and event.is_chosen:
                continue
            ways.append({"words": words, "url": self._with({f"{CHOICE}{event.key}": code})})
        undo = self._with({f"{CHOICE}{event.key}": ""}) if event.is_chosen else ""
        return {"event": event, "ways": [way for way in ways if way["words"] != event.words], "undo": undo}

    def _with(self, changes: dict[str, str]) -> str:
        asked = {name: value for name, value in self.request.GET.items() if value} | changes
        return f"?{urlencode({name: value for name, value in asked.items() if value})}#walk-section"


def _moment(text: str) -> datetime | None:
    """What a field for day and hour sent, in the reader's time zone; None for anything else, or for years
    in which no calendar can reckon."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    if found is None or not 2000 <= found.year <= 2100:
        return None
    return timezone.make_aware(found) if timezone.is_naive(found) else found


def _cut_short(looked: int, period: int) -> str:
    """That not all days were looked at."""
    return _(
        "It took too long: looked at the last %(looked)d of %(period)d days only. Choose fewer days, or "
        "simpler conditions."
    ) % {"looked": looked, "period": period}


def _sentence(people: int | None, days: int) -> str:
    """The answer of the past, in a sentence."""
    if people is None:
        return _("The past does not tell who would have been let in.")
    words = ngettext(
        "In the last %(days)d days it would have let in %(count)d person.",
        "In the last %(days)d days it would have let in %(count)d people.",
        people,
    )
    return words % {"days": days, "count": people}
