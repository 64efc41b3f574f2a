"""How a form does: the funnel and the questions at which people stop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permissions import policy_registry

from wagtail_ma.admin.form_submissions import submissions_url
from wagtail_ma.admin.page_report import period_label
from wagtail_ma.admin.permissions import may
from wagtail_ma.forms.models import LeadForm
from wagtail_ma.forms.public_form import CONSENT, questions_of
from wagtail_ma.people.models import Lead
from wagtail_ma.reports import charts
from wagtail_ma.reports import forms as reports
from wagtail_ma.tracking import retention


def results_url(form: LeadForm) -> str:
    """The results of a form."""
    return reverse("wagtail_ma_forms:results", args=[form.pk])


class FormResultsView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """Counts of people, no names: for everybody who may see the form."""

    template_name = "wagtail_ma/admin/forms/results.html"
    header_icon = "form"
    any_permission_required = ["add", "change", "delete", "view"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(LeadForm)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.form = get_object_or_404(LeadForm, pk=kwargs["form_id"])
        self.days = reports.period(request.GET.get("days"))
        return super().get(request, *args, **kwargs)

    def get_page_title(self) -> str:
        return _("Results of “%(form)s”") % {"form": self.form.name}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_forms:index"), "label": _("Forms")},
            {"url": "", "label": self.get_page_title()},
        ]

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        buttons = []
        if may(self.request, LeadForm, "change"):
            url = reverse("wagtail_ma_forms:edit", args=[self.form.pk])
            buttons.append(HeaderButton(_("Edit"), url=url, icon_name="edit"))
        if may(self.request, Lead, "view"):
            url = submissions_url(self.form)
            buttons.append(HeaderButton(_("What was sent"), url=url, icon_name="list-ul"))
        return buttons

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        now = timezone.now()
        funnel = reports.funnel(self.form, now=now, days=self.days)
        stopped = [(_label(self.form, name), people) for name, people in funnel.stopped]
        title = _("How far people came")
        rows = _stages(funnel)
        return context | {
            "header_buttons": self.header_buttons,
            "funnel": funnel,
            "detail_since": retention.detail_since(period_start=now - timedelta(days=self.days)),
            "funnel_chart": charts.funnel(rows, title=title),
            "funnel_table": charts.data_table([_("Stage"), _("People")], rows, caption=title),
            "stopped": stopped,
            "stopped_chart": charts.horizontal_bars(stopped, title=_("Where people stopped")),
            "periods": [
                {"days": days, "label": period_label(days), "is_chosen": days == self.days}
                for days in reports.PERIODS
            ],
        }


def _stages(funnel: reports.Funnel) -> list[tuple[str, float]]:
    rows: list[tuple[str, float]] = [
        (_("Saw the form"), funnel.seen),
        (_("Began to fill it in"), funnel.started),
        (_("Sent it"), funnel.sent),
    ]
    if funnel.confirmed is not None:
        rows.append((_("Confirmed the address"), funnel.confirmed))
    return rows


def _label(form: LeadForm, name: str) -> str:
    """A question by its name; one that the form no longer asks shows its name."""
    if not name:
        return _("(no question)")
    if name == CONSENT:
        return _("Consent")
    labels = {row.name: str(row) for row in questions_of(form)}
    return labels.get(name, name)
