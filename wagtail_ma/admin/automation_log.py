"""The log of all automatic acts: who, what, why."""

from __future__ import annotations

import csv
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.log_actions import log

from wagtail_ma.admin.exports import local_text
from wagtail_ma.admin.permissions import may
from wagtail_ma.core.spreadsheets import BYTE_ORDER_MARK, guard
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.reports import automation
from wagtail_ma.scenarios.models import Scenario

PER_PAGE = 50
IN_FILE = 10_000


class AutomationLogView(WagtailAdminTemplateMixin, TemplateView):
    """A page of the log, or a file of it."""

    template_name = "wagtail_ma/admin/scenarios/log.html"
    page_title = gettext_lazy("What happened by itself")
    header_icon = "history"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not (may(request, Scenario) and may(request, Visitor, "view")):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("export") == "csv":
            return self._file()
        return self.render_to_response(self.get_context_data(**kwargs))

    @cached_property
    def may_export(self) -> bool:
        return self.request.user.has_perm("wagtail_ma.export_lead")

    @cached_property
    def asked(self) -> dict[str, str]:
        """The filters in the address, without nonsense."""
        found = {}
        what = self.request.GET.get("what", "")
        if what in automation.SOURCES:
            found["what"] = what
        for name in ("scenario", "visitor"):
            value = self.request.GET.get(name, "")
            if value.isascii() and value.isdigit() and len(value) < 19:
                found[name] = value
        return found

    def lines(self, size: int) -> list[automation.Line]:
        """The lines asked for."""
        numbers = {name: int(self.asked[name]) for name in ("scenario", "visitor") if name in self.asked}
        return automation.lines(
            what=self.asked.get("what", ""),
            scenario_id=numbers.get("scenario"),
            visitor_id=numbers.get("visitor"),
            with_names=may(self.request, Lead, "view"),
            after=automation.read_cursor(self.request.GET.get("after", "")),
            size=size,
        )

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        scenarios = {"url": reverse("wagtail_ma_scenarios:list"), "label": _("Scenarios")}
        return [*self.breadcrumbs_items, scenarios, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = self.lines(PER_PAGE + 1)
        page = found[:PER_PAGE]
        query = urlencode(self.asked)
        more = urlencode({**self.asked, "after": page[-1].cursor}) if len(found) > PER_PAGE else ""
        return super().get_context_data(**kwargs) | {
            "lines": page,
            "asked": self.asked,
            "whats": automation.whats(),
            "scenarios": Scenario.objects.order_by("name").values_list("pk", "name"),
            "more": more,
            "first": query if self.request.GET.get("after") else "",
            "is_later": "after" in self.request.GET,
            "export": urlencode({**self.asked, "export": "csv"}) if self.may_export else "",
        }

    def _file(self) -> HttpResponse:
        if not self.may_export:
            raise PermissionDenied
        log(self.request.user, "wagtail_ma.export", user=self.request.user, data={"path": self.request.path})
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = 'attachment; filename="log.csv"'
        response.write(BYTE_ORDER_MARK)
        writer = csv.writer(response)
        writer.writerow([_("When"), _("Who"), _("What"), _("Why"), _("Scenario")])
        for line in self.lines(IN_FILE):
            who = getattr(line.visitor, "lead", None) or line.visitor or ""
            texts = (who, line.what, line.why, line.scenario or "")
            writer.writerow([local_text(line.at), *map(guard, texts)])
        return response
