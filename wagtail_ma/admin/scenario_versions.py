"""The versions of a scenario, and moving those who are inside to the present one."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.log_actions import log

from wagtail_ma.admin.permissions import may
from wagtail_ma.admin.scenario_results import NAMESPACE, may_publish
from wagtail_ma.jobs import queue
from wagtail_ma.scenarios import moving, queries
from wagtail_ma.scenarios.models import Enrolment, Scenario, ScenarioVersion

# What stands before the key of a group in the form.
FIELD = "to-"


class ScenarioVersionsView(WagtailAdminTemplateMixin, TemplateView):
    """Which versions there are, who is in which, and where they would go on: GET shows, POST moves."""

    template_name = "wagtail_ma/admin/scenarios/versions.html"
    page_title = gettext_lazy("Versions")
    header_icon = "history"
    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        is_allowed = may_publish(request) if request.method == "POST" else may(request, Scenario)
        if not is_allowed:
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def scenario(self) -> Scenario:
        return get_object_or_404(Scenario, pk=self.kwargs["pk"])

    @cached_property
    def latest(self) -> ScenarioVersion | None:
        return queries.latest_version(self.scenario)

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

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        inside = Count("enrolments", filter=Q(enrolments__status=Enrolment.Status.ACTIVE))
        groups = moving.groups(self.scenario, self.latest) if self.latest else []
        return context | {
            "scenario": self.scenario,
            "versions": self.scenario.versions.annotate(inside=inside).order_by("-number"),
            "latest": self.latest,
            "groups": groups,
            "lost": [group for group in groups if not group.target],
            "targets": moving.targets(self.latest) if self.latest else [],
            "may_change": may_publish(self.request),
            "field": FIELD,
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        chosen = _chosen(request)
        if self.latest is None or not chosen:
            messages.info(request, _("Nobody was moved: choose where people go on."))
            return redirect(request.path)
        try:
            moved = moving.move(self.scenario, self.latest, chosen, now=timezone.now())
        except moving.NoSuchStep:
            messages.error(request, _("Nobody was moved: the steps have changed meanwhile. Look again."))
            return redirect(request.path)
        log(
            self.scenario,
            "wagtail_ma.move_people",
            user=request.user,
            data={
                "version": self.latest.number,
                "people": moved,
                "steps": {f"{version}:{step}": target for (version, step), target in chosen.items()},
            },
        )
        queue.wake()
        words = ngettext(
            "%(count)d person goes on in version %(number)d.",
            "%(count)d people go on in version %(number)d.",
            moved,
        )
        messages.success(request, words % {"count": moved, "number": self.latest.number})
        return redirect(request.path)


def _chosen(request: HttpRequest) -> dict[tuple[int, str], str]:
    """(version, step) → step, as the form says; what is left empty stays where it is."""
    found = {}
    for name, target in request.POST.items():
        version, _colon, step_id = name.removeprefix(FIELD).partition(":")
        # (isdecimal: what int() reads, and nothing else. Longer ones no database holds.)
        is_version = version.isascii() and version.isdecimal() and len(version) < 10
        if name.startswith(FIELD) and target and is_version:
            found[int(version), step_id[:40]] = str(target)
    return found
