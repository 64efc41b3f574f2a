"""Scenarios in the admin: editing, publishing, pausing, and the page of results."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View
from wagtail.admin import messages
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import (
    FieldPanel,
    FieldRowPanel,
    HelpPanel,
    MultiFieldPanel,
    ObjectList,
    PublishingPanel,
)
from wagtail.admin.ui.tables import Column, NumberColumn, StatusTagColumn, TitleColumn
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets.button import HeaderButton
from wagtail.coreutils import get_content_languages
from wagtail.permissions import policy_registry
from wagtail.snippets.views.snippets import EditView, IndexView, InspectView, SnippetViewSet

from wagtail_ma.admin.permissions import may
from wagtail_ma.admin.widgets import CONDITIONAL, ActivityKindInput, shown_if
from wagtail_ma.messaging.models import Mail, SenderProfile
from wagtail_ma.people.causes import Cause
from wagtail_ma.people.models import Visitor
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.scenarios import queries, reasons, starters, switch
from wagtail_ma.scenarios.diagram import draw
from wagtail_ma.scenarios.kinds import step_kinds
from wagtail_ma.scenarios.models import Enrolment, Scenario
from wagtail_ma.scenarios.publish import problems, walk
from wagtail_ma.segments.models import Segment
from wagtail_ma.tracking.facts import ACTIVITY_KINDS

PEOPLE_PER_PAGE = 50


class ScenarioForm(WagtailAdminModelForm):
    """Drafts may be unfinished; what is published must be able to run."""

    entry_causes = forms.MultipleChoiceField(
        label=Scenario._meta.get_field("entry_causes").verbose_name,
        help_text=Scenario._meta.get_field("entry_causes").help_text,
        choices=Cause.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        widgets = {"activity_kind": ActivityKindInput()}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        # What the other way of starting asked for is not kept.
        if cleaned.get("entry") != Scenario.Entry.ACTIVITY:
            cleaned["activity_kind"] = ""
        if cleaned.get("entry") not in (Scenario.Entry.SEGMENT, Scenario.Entry.SEGMENT_LEFT):
            cleaned["segment"] = None
            cleaned["entry_causes"] = []
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()
        if "action-publish" in self.data and not self.errors:
            for problem in problems(self.instance):
                self.add_error(None, problem)


def starts_when(scenario: Scenario) -> str:
    """What lets people in, in words."""
    if scenario.entry == Scenario.Entry.SEGMENT:
        return _("Somebody enters the segment “%(segment)s”") % {"segment": scenario.segment or "?"}
    if scenario.entry == Scenario.Entry.SEGMENT_LEFT:
        return _("Somebody leaves the segment “%(segment)s”") % {"segment": scenario.segment or "?"}
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


class StartColumn(Column):
    def get_value(self, instance: Scenario) -> str:
        return starts_when(instance)


class StateColumn(StatusTagColumn):
    def get_value(self, instance: Scenario) -> str:
        return state_of(instance)


class ScenarioIndexView(IndexView):
    """All scenarios; a new one begins with a starter, or empty."""

    def get_add_url(self) -> str | None:
        return reverse("wagtail_ma_scenarios:starters") if super().get_add_url() else None


class ScenarioEditView(EditView):
    """The editor, with the way to the results."""

    @cached_property
    def header_buttons(self) -> list[Any]:
        found = list(super().header_buttons)
        if self.object.versions.exists():
            url = reverse(self.inspect_url_name, args=[self.object.pk])
            found.append(HeaderButton(_("Results"), url=url, icon_name="history"))
        return found


class ScenarioResultView(InspectView):
    """Who entered, where everybody is, and how each step went."""

    template_name = "wagtail_ma/admin/scenarios/result.html"
    page_title = gettext_lazy("Results")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        scenario = self.object
        version = queries.latest_version(scenario)
        waiting, outcomes = queries.waiting(scenario), queries.outcomes(scenario)
        tree = version.definition if version else []
        known = {step["id"] for step in walk(tree)}
        context.update(
            scenario=scenario,
            version=version,
            state=state_of(scenario),
            starts_when=starts_when(scenario),
            numbers=queries.numbers(scenario),
            diagram=draw(tree, waiting=waiting, outcomes=outcomes),
            steps=[_step_row(step, waiting, outcomes) for step in walk(tree)],
            elsewhere=sum(count for step_id, count in waiting.items() if step_id not in known),
            problems=problems(scenario) if scenario.live else [],
            may_change=_may_change(self.request),
            result_url=self.request.path,
            switch_url=reverse("wagtail_ma_scenarios:switch", args=[scenario.pk]),
        )
        if may(self.request, Visitor):
            context.update(self._people(tree))
        return context

    def _people(self, tree: Any) -> dict[str, Any]:
        chosen = {name: self.request.GET.get(name, "") for name in ("step", "passed", "status")}
        labels = {step["id"]: _describe(step) for step in walk(tree)}
        rows = queries.people(
            self.object, step_id=chosen["step"], passed=chosen["passed"], status=chosen["status"]
        )
        page: Any = Paginator(rows, PEOPLE_PER_PAGE).get_page(self.request.GET.get("p"))
        page.object_list = [_person_row(enrolment, labels) for enrolment in page.object_list]
        filtered = labels.get(chosen["step"]) or labels.get(chosen["passed"])
        return {
            "people": page,
            "chosen": chosen,
            "chosen_label": filtered or dict(Enrolment.Status.choices).get(chosen["status"], ""),
            "may_see_people": True,
        }


def _describe(step: Any) -> str:
    kind = step_kinds.get(step["kind"])
    return kind.describe(step["params"]) if kind else step["kind"]


def _step_row(step: Any, waiting: dict[str, int], outcomes: dict[str, dict[str, int]]) -> dict[str, Any]:
    kind = step_kinds.get(step["kind"])
    words = kind.outcomes if kind else {}
    mine = outcomes.get(step["id"], {})
    return {
        "id": step["id"],
        "title": _describe(step),
        "waiting": waiting.get(step["id"], 0),
        "passed": sum(mine.values()),
        "outcomes": [(words.get(outcome, outcome), count) for outcome, count in sorted(mine.items())],
    }


def _person_row(enrolment: Enrolment, labels: dict[str, str]) -> dict[str, Any]:
    lead = getattr(enrolment.visitor, "lead", None)
    return {
        "name": str(lead or enrolment.visitor),
        "url": reverse("wagtail_ma_visitors:visitor", args=[enrolment.visitor_id]),
        "status": enrolment.get_status_display(),
        "step": labels.get(enrolment.step_id, _("a step of an older version")),
        "enrolment": enrolment,
        "is_active": enrolment.status == Enrolment.Status.ACTIVE,
        "left_reason": reasons.label(enrolment.left_reason),
    }


def _may_change(request: HttpRequest) -> bool:
    return policy_registry.get_by_type(Scenario).user_has_permission(request.user, "publish")


class ScenarioSwitchView(View):
    """Pause, resume or stop (POST only); for those who may publish."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not _may_change(request):
            raise PermissionDenied
        scenario = get_object_or_404(Scenario, pk=pk)
        action = request.POST.get("action")
        if action == "pause":
            switch.pause(scenario)
            messages.success(request, _("“%(scenario)s” is paused.") % {"scenario": scenario})
        elif action == "resume":
            switch.resume(scenario, now=timezone.now())
            messages.success(request, _("“%(scenario)s” goes on.") % {"scenario": scenario})
        elif action == "stop":
            switch.pause(scenario)
            left = switch.stop(scenario, now=timezone.now(), reason="stopped")
            messages.success(
                request,
                _("“%(scenario)s” is stopped; %(count)d people were taken out.")
                % {"scenario": scenario, "count": left},
            )
        return redirect(ScenarioViewSet.result_url(scenario))


class StartersView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """What a new scenario may begin with: a POST makes a draft of it, with its mails and segments."""

    template_name = "wagtail_ma/admin/scenarios/starters.html"
    page_title = gettext_lazy("New scenario")
    header_icon = "wagtail-ma-scenario"
    permission_required = "add"

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Scenario)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_scenarios:list"), "label": _("Scenarios")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mine = get_language()
        languages = sorted(get_content_languages().items(), key=lambda item: item[0] != mine)
        may_all = _may_make_all(self.request)
        return super().get_context_data(**kwargs) | {
            "starters": starters.STARTERS if may_all else [],
            "languages": languages,
            "empty_url": reverse("wagtail_ma_scenarios:add"),
            "may_all": may_all,
            "has_sender": SenderProfile.objects.exists(),
        }

    def post(self, request: HttpRequest) -> HttpResponse:
        starter = starters.find(request.POST.get("from"))
        language = request.POST.get("language", "")
        if not _may_make_all(request):
            raise PermissionDenied
        if starter is None or language not in get_content_languages():
            return redirect(request.path)
        scenario = starters.make(starter, language=language)
        messages.success(
            request,
            _(
                "“%(scenario)s” is made as a draft, with its mails and segments. "
                "Look through them, then publish."
            )
            % {"scenario": scenario},
        )
        return redirect(reverse("wagtail_ma_scenarios:edit", args=[scenario.pk]))


def _may_make_all(request: HttpRequest) -> bool:
    """Whether this person may add all that a starter makes."""
    return all(may(request, model, "add") for model in (Scenario, Mail, Segment, Goal))


class ScenarioViewSet(SnippetViewSet):
    """List, edit, publish and watch scenarios."""

    model = Scenario
    icon = "wagtail-ma-scenario"
    menu_label = gettext_lazy("Scenarios")
    menu_name = "wagtail-ma-scenarios"
    menu_order = 350
    menu_hook = "register_wagtail_ma_menu_item"
    base_url_path = "marketing/scenarios"
    url_namespace = "wagtail_ma_scenarios"
    index_view_class = ScenarioIndexView
    edit_view_class = ScenarioEditView
    inspect_view_class = ScenarioResultView
    inspect_view_enabled = True
    copy_view_enabled = True
    list_display = [
        TitleColumn(
            "name", label=gettext_lazy("Name"), sort_key="name", url_name="wagtail_ma_scenarios:inspect"
        ),
        StateColumn("state", label=gettext_lazy("State"), primary=is_running),
        StartColumn("starts_when", label=gettext_lazy("Starts when")),
        NumberColumn("active_count", label=gettext_lazy("Inside now"), sort_key="active_count"),
        NumberColumn("finished_count", label=gettext_lazy("Went through"), sort_key="finished_count"),
        NumberColumn("failed_count", label=gettext_lazy("Failed"), sort_key="failed_count"),
    ]
    list_filter = ["entry", "is_paused", "live"]
    search_fields = ["name"]
    search_backend_name = None
    index_template_name = "wagtail_ma/admin/scenarios/index.html"
    index_results_template_name = "wagtail_ma/admin/scenarios/index_results.html"
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "A scenario does the right next step by itself: after a download, wait a day, send "
                    "a mail, see who clicks. Publish it to let people in; those inside keep the steps "
                    "they entered with when you publish a change."
                )
            ),
            FieldPanel("name"),
            MultiFieldPanel(
                [
                    FieldPanel("entry"),
                    FieldPanel(
                        "activity_kind",
                        help_text=gettext_lazy("Its name, for example download."),
                        attrs=shown_if("entry", Scenario.Entry.ACTIVITY),
                    ),
                    FieldPanel(
                        "segment",
                        help_text=gettext_lazy("Only who enters or leaves it from now on starts."),
                        attrs=shown_if("entry", Scenario.Entry.SEGMENT, Scenario.Entry.SEGMENT_LEFT),
                    ),
                    FieldPanel(
                        "entry_causes",
                        attrs=shown_if("entry", Scenario.Entry.SEGMENT, Scenario.Entry.SEGMENT_LEFT),
                    ),
                    FieldPanel("again"),
                    FieldPanel("again_days", attrs=shown_if("again", Scenario.Again.AFTER_DAYS)),
                ],
                heading=gettext_lazy("Start"),
            ),
            MultiFieldPanel(
                [FieldPanel("goal"), FieldPanel("exit_segment")],
                heading=gettext_lazy("Goal and exit"),
            ),
            MultiFieldPanel(
                [FieldRowPanel([FieldPanel("group"), FieldPanel("priority")])],
                heading=gettext_lazy("Beside other scenarios"),
            ),
            FieldPanel("steps"),
            PublishingPanel(),
        ],
        attrs=CONDITIONAL,
        base_form_class=ScenarioForm,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Scenario]:
        status = Enrolment.Status
        return (
            Scenario.objects.select_related("segment")
            .annotate(
                active_count=Count("enrolments", filter=Q(enrolments__status=status.ACTIVE)),
                finished_count=Count("enrolments", filter=Q(enrolments__status=status.FINISHED)),
                failed_count=Count("enrolments", filter=Q(enrolments__status=status.FAILED)),
            )
            .order_by("name", "pk")
        )

    def get_edit_view_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_edit_view_kwargs(inspect_url_name=self.get_url_name("inspect"), **kwargs)

    def get_urlpatterns(self) -> list[Any]:
        switch_path = path("switch/<int:pk>/", ScenarioSwitchView.as_view(), name="switch")
        starters_path = path("starters/", StartersView.as_view(), name="starters")
        return [*super().get_urlpatterns(), switch_path, starters_path]

    @classmethod
    def result_url(cls, scenario: Scenario) -> str:
        """The page of results of a scenario."""
        return reverse("wagtail_ma_scenarios:inspect", args=[scenario.pk])
