"""How a scenario goes: the page of results, and the people behind each number."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permissions import policy_registry
from wagtail.snippets.views.snippets import InspectView

from wagtail_ma.admin.columns import MomentColumn
from wagtail_ma.admin.exports import SafeExportMixin
from wagtail_ma.admin.permissions import may
from wagtail_ma.admin.scenario_entry import on_date
from wagtail_ma.people.models import Visitor
from wagtail_ma.scenarios import comparison, moving, queries, reasons
from wagtail_ma.scenarios.diagram import draw
from wagtail_ma.scenarios.kinds import step_kinds
from wagtail_ma.scenarios.models import Enrolment, Scenario
from wagtail_ma.scenarios.publish import problems, walk
from wagtail_ma.tracking.act_kinds import ACTIVITY_KINDS

NAMESPACE = "wagtail_ma_scenarios"


def starts_when(scenario: Scenario) -> str:
    """What lets people in, in words."""
    if scenario.entry == Scenario.Entry.SEGMENT:
        return _("Somebody enters the segment “%(segment)s”") % {"segment": scenario.segment or "?"}
    if scenario.entry == Scenario.Entry.SEGMENT_LEFT:
        return _("Somebody leaves the segment “%(segment)s”") % {"segment": scenario.segment or "?"}
    if scenario.entry == Scenario.Entry.RULE:
        return _("Conditions become true")
    if scenario.entry == Scenario.Entry.DATE:
        return on_date(scenario)
    if scenario.entry == Scenario.Entry.BY_HAND:
        return _("Only by hand, or by a step of another scenario")
    label = dict(ACTIVITY_KINDS).get(scenario.activity_kind, scenario.activity_kind)
    return _("Somebody: %(activity)s") % {"activity": label}


def state_of(scenario: Scenario) -> str:
    """Draft, paused or running, in a word."""
    if not scenario.live:
        return _("Draft")
    return _("Paused") if scenario.is_paused else _("Running")


def is_running(scenario: Scenario) -> bool:
    """Whether people enter and move."""
    return scenario.live and not scenario.is_paused


def may_publish(request: HttpRequest) -> bool:
    """Whether this person may put scenarios in force, pause them, and move people in them."""
    return policy_registry.get_by_type(Scenario).user_has_permission(request.user, "publish")


def spoken_time(took: timedelta | None) -> str:
    """A length of time in its largest fitting unit: ``"3 days"``; "" for none."""
    if took is None:
        return ""
    hours = round(took / timedelta(hours=1))
    if took < timedelta(hours=1):
        minutes = round(took / timedelta(minutes=1))
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    if hours < 48:
        return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
    days = round(took / timedelta(days=1))
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}


class ScenarioResultView(InspectView):
    """Who entered, where everybody is, how each step went, and what it brings."""

    template_name = "wagtail_ma/admin/scenarios/result.html"
    page_title = gettext_lazy("Results")

    @cached_property
    def header_buttons(self) -> list[Any]:
        """The screens around it."""
        trial = reverse(f"{NAMESPACE}:trial", args=[self.object.pk])
        found = [HeaderButton(_("Try it out"), url=trial, icon_name="view")]
        if self.object.versions.exists():
            url = reverse(f"{NAMESPACE}:versions", args=[self.object.pk])
            found.append(HeaderButton(_("Versions"), url=url, icon_name="history"))
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        scenario = self.object
        version = queries.latest_version(scenario)
        waiting, outcomes = queries.waiting(scenario), queries.outcomes(scenario)
        stopped = queries.stopped(scenario)
        tree = version.definition if version else []
        known = {step["id"] for step in walk(tree)}
        context.update(
            scenario=scenario,
            version=version,
            state=state_of(scenario),
            starts_when=starts_when(scenario),
            numbers=queries.numbers(scenario),
            left_why=[(code, reasons.label(code), count) for code, count in queries.left_why(scenario)],
            comparison=comparison.compare(scenario),
            time_to_goal=spoken_time(comparison.time_to_goal(scenario)),
            diagram=draw(tree, waiting=waiting, outcomes=outcomes, stopped=stopped),
            steps=[_step_row(step, waiting, outcomes, stopped) for step in walk(tree)],
            elsewhere=sum(count for step_id, count in waiting.items() if step_id not in known),
            problems=problems(scenario) if scenario.live else [],
            may_change=may_publish(self.request),
            people_url=reverse(f"{NAMESPACE}:people", args=[scenario.pk])
            if may(self.request, Visitor, "view")
            else "",
            versions_url=reverse(f"{NAMESPACE}:versions", args=[scenario.pk]),
            switch_url=reverse(f"{NAMESPACE}:switch", args=[scenario.pk]),
            now_url=reverse(f"{NAMESPACE}:now", args=[scenario.pk]),
            stamp=queries.stamp(scenario),
        )
        return context


class ScenarioNowView(ScenarioResultView):
    """The same for a page that is open already: nothing if nobody has moved since."""

    template_name = "wagtail_ma/admin/scenarios/result_live.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("stamp") == queries.stamp(self.object):
            return HttpResponse(status=204)
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response


def _step_row(
    step: Any, waiting: dict[str, int], outcomes: dict[str, dict[str, int]], stopped: dict[str, int]
) -> dict[str, Any]:
    mine = outcomes.get(step["id"], {})
    return {
        "id": step["id"],
        "title": moving.title_of(step),
        "waiting": waiting.get(step["id"], 0),
        "passed": sum(mine.values()),
        "left": stopped.get(step["id"], 0),
        "outcomes": [
            (outcome, outcome_label(step["kind"], outcome), count) for outcome, count in sorted(mine.items())
        ],
    }


def outcome_label(kind_key: str, outcome: str) -> str:
    """What a step came to, in words."""
    kind = step_kinds.get(kind_key)
    return str((kind.outcomes if kind else {}).get(outcome, outcome))


class PersonColumn(TitleColumn):
    """Name, or number of an anonymous one, leading to their page."""

    def get_value(self, instance: Enrolment) -> str:
        return person_name(instance.visitor)


def person_name(visitor: Visitor) -> str:
    """How lists call somebody."""
    return str(getattr(visitor, "lead", None) or visitor)


class StatusColumn(Column):
    """The status; why they left, or what went wrong."""

    def get_value(self, instance: Enrolment) -> str:
        text = str(instance.get_status_display())
        if instance.left_because:
            text = f"{text}: {instance.left_because}"
        if instance.error:
            attempt = _("attempt %(n)d: %(error)s") % {"n": instance.attempts, "error": instance.error}
            text = f"{text} ({attempt})"
        return text


class StepColumn(Column):
    """Where somebody is, in words."""

    def __init__(self, *args: Any, titles: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.titles = titles

    def get_value(self, instance: Enrolment) -> str:
        if instance.status != Enrolment.Status.ACTIVE:
            return ""
        return self.titles.get(instance.step_id) or _("a step of an older version")


class ScenarioPeopleView(SafeExportMixin, generic.IndexView):
    """The people of a scenario, or those behind one of its numbers; with export."""

    model = Enrolment
    header_icon = "wagtail-ma-people"
    page_title = pgettext_lazy("heading of a list", "People")
    results_template_name = "wagtail_ma/admin/scenarios/people.html"
    default_ordering = "-entered_at"
    paginate_by = 50
    any_permission_required = ["view"]
    export_permission = "wagtail_ma.export_lead"
    export_filename = "scenario-people"
    list_export = [
        "person",
        "entered_at",
        "status",
        "reason",
        "step",
        "due_at",
        "left_at",
        "goal_at",
        "version",
    ]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.scenario = get_object_or_404(Scenario, pk=kwargs["pk"])
        names = ("step_id", "passed", "outcome", "gone", "status", "reason")
        self.choice = queries.Choice(**{name: request.GET.get(name, "")[:120] for name in names})
        super().setup(request, *args, **kwargs)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may(request, Scenario):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_base_queryset(self) -> QuerySet[Enrolment]:
        return queries.people(self.scenario, self.choice)

    @cached_property
    def titles(self) -> dict[str, str]:
        """The steps of all versions in words, the present one's first."""
        found: dict[str, str] = {}
        for version in self.scenario.versions.order_by("number"):
            found.update(moving.targets(version))
        return found

    @cached_property
    def columns(self) -> list[Column]:
        return [
            PersonColumn("visitor", label=_("Name"), get_url=self.get_visitor_url),
            DateColumn("entered_at", label=_("Entered"), sort_key="entered_at"),
            StatusColumn("status", label=_("Status"), sort_key="status"),
            StepColumn("step", label=_("At"), titles=self.titles),
            MomentColumn("due_at", label=_("Next step"), sort_key="due_at", accessor=_due),
            DateColumn("goal_at", label=_("Goal reached"), sort_key="goal_at"),
        ]

    def get_visitor_url(self, instance: Enrolment) -> str:
        return reverse("wagtail_ma_visitors:visitor", args=[instance.visitor_id])

    def get_edit_url(self, instance: Enrolment) -> None:
        return None

    def get_index_url(self) -> str:
        return reverse(f"{NAMESPACE}:people", args=[self.scenario.pk])

    def get_index_results_url(self) -> str:
        return reverse(f"{NAMESPACE}:people_list", args=[self.scenario.pk])

    def get_page_subtitle(self) -> str:
        return str(self.scenario)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        result = reverse(f"{NAMESPACE}:inspect", args=[self.scenario.pk])
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{NAMESPACE}:list"), "label": _("Scenarios")},
            {"url": result, "label": _("Results: %(scenario)s") % {"scenario": self.scenario}},
            {"url": "", "label": self.get_page_title(), "sublabel": self.get_page_subtitle()},
        ]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        chosen = self.choice
        step = chosen.step_id or chosen.passed or chosen.gone
        statuses = {**dict(Enrolment.Status.choices), queries.GOAL: _("Goal reached")}
        parts = [
            self.titles.get(step, "") if step else "",
            str(statuses.get(chosen.status, "")),
            reasons.label(chosen.reason) if chosen.reason else "",
        ]
        return context | {"only": " · ".join(part for part in parts if part), "all_url": self.get_index_url()}

    def get_heading(self, queryset: Any, field: str) -> str:
        return str(
            {
                "person": _("Name"),
                "entered_at": _("Entered"),
                "status": _("Status"),
                "reason": _("Reason"),
                "step": _("At"),
                "due_at": _("Next step"),
                "left_at": _("Left"),
                "goal_at": _("Goal reached"),
                "version": _("Version"),
            }[field]
        )

    def to_row_dict(self, item: Enrolment) -> dict[str, Any]:
        return {
            "person": person_name(item.visitor),
            "entered_at": item.entered_at,
            "status": str(item.get_status_display()),
            "reason": item.left_because,
            "step": self.titles.get(item.step_id, ""),
            "due_at": _due(item),
            "left_at": item.left_at,
            "goal_at": item.goal_at,
            "version": item.version.number,
        }


def _due(enrolment: Enrolment) -> Any:
    return enrolment.due_at if enrolment.status == Enrolment.Status.ACTIVE else None
