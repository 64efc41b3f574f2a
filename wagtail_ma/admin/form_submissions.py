"""What was sent with a form, and the decisions about what was set aside or held."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.log_actions import log
from wagtail.permissions import policy_registry

from wagtail_ma.admin.exports import SafeExportMixin
from wagtail_ma.admin.permissions import may
from wagtail_ma.forms import downloads, review
from wagtail_ma.forms.models import FormVersion, LeadForm, Submission
from wagtail_ma.forms.public_form import CONSENT
from wagtail_ma.jobs import queue
from wagtail_ma.people.models import Lead

State = Submission.State
NAMESPACE = "wagtail_ma_forms"
SHOWN_LENGTH = 300


def submissions_url(form: LeadForm | None) -> str:
    """The list of what was sent with a form."""
    return reverse(f"{NAMESPACE}:submissions", args=[form.pk if form else 0])


def shown(answer: Any) -> str:
    """An answer as a cell shows it."""
    if isinstance(answer, list):
        return ", ".join(str(one) for one in answer)
    if isinstance(answer, bool):
        return _("Yes") if answer else _("No")
    return str(answer)


class AnswersColumn(Column):
    """All that was typed beside name and address, shortened."""

    def get_value(self, instance: Submission) -> str:
        hidden = {instance.data.get(name) for name in ("family_name", "given_name", "email")} - {None}
        parts = [
            f"{label}: {shown(answer)}"
            for label, answer in instance.answers()
            if not (isinstance(answer, str) and answer in hidden)
        ]
        text = " · ".join(parts)
        return text if len(text) <= SHOWN_LENGTH else f"{text[: SHOWN_LENGTH - 1]}…"


class StateColumn(Column):
    """Accepted or not, confirmed or not; what waits leads to its decision."""

    cell_template_name = "wagtail_ma/admin/forms/state_cell.html"

    def get_cell_context_data(self, instance: Submission, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        context["review_url"] = ""
        if instance.state != State.ACCEPTED and may(parent_context["request"], Lead, "change"):
            context["review_url"] = reverse(f"{NAMESPACE}:review", args=[instance.pk])
        context["confirmation"] = _confirmation(instance)
        return context


def _confirmation(submission: Submission) -> str:
    if submission.confirmed_at:
        return _("confirmed")
    return _("asked to confirm") if submission.asked_at else ""


class SubmissionFilterSet(WagtailFilterSet):
    """By what became of it."""

    state = django_filters.ChoiceFilter(label=gettext_lazy("State"), choices=State.choices)
    confirmed = django_filters.BooleanFilter(
        label=gettext_lazy("Confirmed"), field_name="confirmed_at", lookup_expr="isnull", exclude=True
    )

    class Meta:
        model = Submission
        fields: list[str] = []


class SubmissionIndexView(SafeExportMixin, generic.IndexView):
    """What was sent with one form, newest first. Personal data: needs the right to see leads."""

    model = Submission
    header_icon = "form"
    results_template_name = "wagtail_ma/admin/forms/submissions_results.html"
    default_ordering = "-at"
    paginate_by = 50
    any_permission_required = ["view"]
    export_permission = "wagtail_ma.export_lead"
    export_filename = "submissions"
    filterset_class = SubmissionFilterSet

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Lead)

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.form = get_object_or_404(LeadForm, pk=kwargs["form_id"])
        super().setup(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.is_export:
            # (Exports are logged by themselves.)
            log(self.form, "wagtail_ma.view_submissions", user=request.user)
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    @cached_property
    def question_labels(self) -> dict[str, str]:
        """All questions that the form ever asked, by name: a column of the export each."""
        labels = {row.name: str(row) for row in self.form.fields.all()}
        for version in FormVersion.objects.filter(form=self.form).order_by("-number"):
            for name, label in version.labels.items():
                labels.setdefault(name, label)
        return labels

    @property
    def list_export(self) -> list[str]:
        return ["at", "state", "confirmed_at", *self.question_labels, CONSENT, "revision"]

    def get_heading(self, queryset: Any, field: str) -> str:
        own = {
            "at": _("When"),
            "state": _("State"),
            "confirmed_at": _("Confirmed"),
            CONSENT: _("Consent"),
            "revision": _("Revision of the form"),
        }
        return str(own.get(field) or self.question_labels[field])

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TitleColumn("sender", label=_("Sent by"), get_url=self.get_visitor_url),
            Column("data.email", label=_("E-mail address"), accessor=lambda row: row.data.get("email", "")),
            AnswersColumn("answers", label=_("Answers")),
            StateColumn("state", label=_("State"), accessor="get_state_display", sort_key="state"),
            DateColumn("at", label=_("When"), sort_key="at"),
        ]

    def get_visitor_url(self, instance: Submission) -> str:
        return reverse("wagtail_ma_visitors:visitor", args=[instance.visitor_id])

    def get_edit_url(self, instance: Submission) -> None:
        return None

    def get_index_url(self) -> str:
        return submissions_url(self.form)

    def get_index_results_url(self) -> str:
        return reverse(f"{NAMESPACE}:submissions_results", args=[self.form.pk])

    def get_page_title(self) -> str:
        return _("Sent with “%(form)s”") % {"form": self.form.name}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{NAMESPACE}:index"), "label": _("Forms")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_base_queryset(self) -> QuerySet[Submission]:
        return Submission.objects.filter(form=self.form).select_related("version")

    def to_row_dict(self, item: Submission) -> dict[str, Any]:
        row = {name: shown(item.data.get(name, "")) for name in self.question_labels}
        return row | {
            "at": item.at,
            "state": str(item.get_state_display()),
            "confirmed_at": item.confirmed_at,
            CONSENT: shown(bool(item.data.get(CONSENT))),
            "revision": item.version.number if item.version else None,
        }


class ReviewView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """One submission that was set aside, held or refused: GET shows it, POST decides."""

    template_name = "wagtail_ma/admin/forms/review.html"
    page_title = gettext_lazy("Review a submission")
    header_icon = "form"
    permission_required = "change"
    http_method_names = ["get", "post"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Lead)

    @cached_property
    def submission(self) -> Submission:
        found = Submission.objects.select_related("form", "version", "visitor").exclude(form=None)
        return get_object_or_404(found, pk=self.kwargs["pk"])

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        form: Any = self.submission.form
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{NAMESPACE}:index"), "label": _("Forms")},
            {"url": submissions_url(form), "label": _("Sent with “%(form)s”") % {"form": form.name}},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        answers = [(label, shown(answer)) for label, answer in self.submission.answers()]
        return context | {
            "submission": self.submission,
            "answers": answers,
            "document": downloads.find_document(self.submission.document_id),
            "back_url": submissions_url(self.submission.form),
        }

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        log(self.submission.visitor, "wagtail_ma.view_lead", user=request.user)
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_done = False
        if request.POST.get("decision") == "accept":
            is_done = review.accept(self.submission, now=timezone.now())
            queue.wake()
        elif request.POST.get("decision") == "refuse":
            is_done = review.refuse(self.submission)
        if is_done:
            log(self.submission.form, "wagtail.edit", user=request.user)
            messages.success(request, _("Your decision was carried out."))
        else:
            messages.info(request, _("Nothing was done: it had been decided already."))
        return redirect(submissions_url(self.submission.form))
