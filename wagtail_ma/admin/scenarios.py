"""Scenarios in the admin: editing, publishing, pausing, and the page of results."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
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
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column, NumberColumn, StatusTagColumn, TitleColumn
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets.button import HeaderButton
from wagtail.coreutils import get_content_languages
from wagtail.permissions import policy_registry
from wagtail.snippets.views.snippets import EditView, IndexView, SnippetViewSet, WorkflowActionView

from wagtail_ma.admin.automation_log import AutomationLogView
from wagtail_ma.admin.permissions import may
from wagtail_ma.admin.scenario_entry import START_PANEL, forget_other_ways
from wagtail_ma.admin.scenario_exits import BAND_PANEL, EXIT_PANEL, tick_boxes
from wagtail_ma.admin.scenario_results import (
    ScenarioNowView,
    ScenarioPeopleView,
    ScenarioResultView,
    is_running,
    may_publish,
    starts_when,
    state_of,
)
from wagtail_ma.admin.scenario_trial import ScenarioTrialView
from wagtail_ma.admin.scenario_versions import ScenarioVersionsView
from wagtail_ma.admin.widgets import CONDITIONAL, ActivityKindInput
from wagtail_ma.messaging.models import Mail, SenderProfile
from wagtail_ma.people.causes import Cause
from wagtail_ma.people.models import Visitor
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.scenarios import starters, switch
from wagtail_ma.scenarios.models import Enrolment, Scenario
from wagtail_ma.scenarios.publish import NotReady, problems
from wagtail_ma.scoring import bands
from wagtail_ma.segments.models import Segment

PEOPLE_PER_PAGE = 50


# Buttons of the editor after which the steps are in force, or only wait for somebody's approval.
INTO_FORCE = ("action-publish", "action-submit", "action-restart-workflow", "action-workflow-action")


class ScenarioForm(WagtailAdminModelForm):
    """Drafts may be unfinished; what is published must be able to run."""

    entry_causes = forms.MultipleChoiceField(
        label=Scenario._meta.get_field("entry_causes").verbose_name,
        help_text=Scenario._meta.get_field("entry_causes").help_text,
        choices=Cause.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    exits = tick_boxes("exits", Scenario.Exit.choices)
    band_grades = tick_boxes("band_grades", [(letter, letter) for letter in bands.LETTERS])

    class Meta:
        widgets = {"activity_kind": ActivityKindInput()}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        forget_other_ways(cleaned)
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()
        # What is handed to a colleague for approval must be able to run, too.
        if any(name in self.data for name in INTO_FORCE) and not self.errors:
            for problem in problems(self.instance):
                self.add_error(None, problem)


class StepsPanel(FieldPanel):
    """The steps, with their looks."""

    class BoundPanel(FieldPanel.BoundPanel):
        @property
        def media(self) -> forms.Media:
            return super().media + forms.Media(
                css={"all": [versioned_static("wagtail_ma/admin/scenario.css")]}
            )


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

    @cached_property
    def header_buttons(self) -> list[Any]:
        found = list(super().header_buttons)
        if may(self.request, Visitor, "view"):
            url = reverse("wagtail_ma_scenarios:log")
            found.append(HeaderButton(_("What happened by itself"), url=url, icon_name="history"))
        return found


class ScenarioEditView(EditView):
    """The editor, with the way to the results."""

    @cached_property
    def header_buttons(self) -> list[Any]:
        found = list(super().header_buttons)
        trial = reverse("wagtail_ma_scenarios:trial", args=[self.object.pk])
        found.append(HeaderButton(_("Try it out"), url=trial, icon_name="view"))
        if self.object.versions.exists():
            url = reverse(self.inspect_url_name, args=[self.object.pk])
            found.append(HeaderButton(_("Results"), url=url, icon_name="history"))
        return found


class ScenarioSwitchView(View):
    """Pause, resume or stop (POST only); for those who may publish."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not may_publish(request):
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


class ScenarioApprovalView(WorkflowActionView):
    """A step of a workflow; its last approval publishes. What cannot run any more (a mail was taken offline
    meanwhile) stays where it is, and the reason is told."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            with transaction.atomic():
                response: HttpResponse = super().post(request, *args, **kwargs)
        except NotReady as error:
            for problem in error.problems:
                messages.error(request, problem)
            url = reverse("wagtail_ma_scenarios:edit", args=[self.object.pk])
            if request.headers.get("x-requested-with") == "XMLHttpRequest":
                found: HttpResponse = self.render_modal_json(request, {"step": "success", "redirect": url})
                return found
            return redirect(url)
        return response


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
    workflow_action_view_class = ScenarioApprovalView
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
            START_PANEL,
            EXIT_PANEL,
            BAND_PANEL,
            MultiFieldPanel(
                [FieldRowPanel([FieldPanel("group"), FieldPanel("priority")])],
                heading=gettext_lazy("Beside other scenarios"),
            ),
            StepsPanel("steps"),
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
        versions_path = path("versions/<int:pk>/", ScenarioVersionsView.as_view(), name="versions")
        people = [
            path("people/<int:pk>/", ScenarioPeopleView.as_view(), name="people"),
            path(
                "people/<int:pk>/results/", ScenarioPeopleView.as_view(results_only=True), name="people_list"
            ),
        ]
        asked = self.get_inspect_view_kwargs() | {"template_name": ScenarioNowView.template_name}
        now_view = self.construct_view(ScenarioNowView, **asked)
        people.append(path("now/<int:pk>/", now_view, name="now"))
        trial_path = path("trial/<int:pk>/", ScenarioTrialView.as_view(), name="trial")
        log_path = path("log/", AutomationLogView.as_view(), name="log")
        own = [switch_path, starters_path, versions_path, trial_path, log_path, *people]
        return [*super().get_urlpatterns(), *own]

    @classmethod
    def result_url(cls, scenario: Scenario) -> str:
        """The page of results of a scenario."""
        return reverse("wagtail_ma_scenarios:inspect", args=[scenario.pk])
