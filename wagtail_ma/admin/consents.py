"""Who agreed to marketing mail and who took it back: the record, to look at and to export."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import BooleanColumn, Column, DateColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.permissions import policy_registry

from wagtail_ma.admin.exports import SafeExportMixin
from wagtail_ma.forms.models import Submission
from wagtail_ma.messaging.models import Consent
from wagtail_ma.people.models import Lead

NAMESPACE = "wagtail_ma_forms"
SOURCES = {
    "form": gettext_lazy("Form"),
    "confirmation": gettext_lazy("Form, confirmed by mail"),
    "mail": gettext_lazy("Link in a mail"),
    "import": gettext_lazy("Import"),
    "manual": gettext_lazy("By hand"),
}
# Their ``source_key`` is a submission.
OF_FORMS = ("form", "confirmation")


class ConsentFilterSet(WagtailFilterSet):
    """By what was said and where."""

    is_granted = django_filters.BooleanFilter(label=gettext_lazy("Agreed"))
    source_kind = django_filters.ChoiceFilter(label=gettext_lazy("Said by"), choices=list(SOURCES.items()))

    class Meta:
        model = Consent
        fields: list[str] = []


class SourceColumn(Column):
    """Where it was said, in words."""

    def get_value(self, instance: Consent) -> str:
        return str(SOURCES.get(instance.source_kind, instance.source_kind))


class ConsentIndexView(SafeExportMixin, generic.IndexView):
    """Every word on marketing mail, newest first. Personal data: needs the right to see leads."""

    model = Consent
    page_title = gettext_lazy("Consents")
    header_icon = "check"
    results_template_name = "wagtail_ma/admin/forms/consents_results.html"
    default_ordering = "-at"
    paginate_by = 50
    any_permission_required = ["view"]
    export_permission = "wagtail_ma.export_lead"
    export_filename = "consents"
    index_url_name = f"{NAMESPACE}:consents"
    index_results_url_name = f"{NAMESPACE}:consents_results"
    filterset_class = ConsentFilterSet
    search_fields = ["email"]
    search_backend_name = None
    list_export = ["at", "email", "is_granted", "basis", "source", "form", "revision", "text"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Lead)

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TitleColumn("email", label=_("E-mail address"), get_url=self.get_visitor_url),
            BooleanColumn("is_granted", label=_("Agreed"), sort_key="is_granted"),
            SourceColumn("source", label=_("Said by")),
            Column("text", label=_("Words that were shown")),
            DateColumn("at", label=_("When"), sort_key="at"),
        ]

    def get_visitor_url(self, instance: Consent) -> str:
        return reverse("wagtail_ma_visitors:visitor", args=[instance.visitor_id])

    def get_edit_url(self, instance: Consent) -> None:
        return None

    def get_base_queryset(self) -> QuerySet[Consent]:
        return Consent.objects.all()

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{NAMESPACE}:index"), "label": _("Forms")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_heading(self, queryset: Any, field: str) -> str:
        return {
            "at": _("When"),
            "email": _("E-mail address"),
            "is_granted": _("Agreed"),
            "basis": _("Basis"),
            "source": _("Said by"),
            "form": _("Form"),
            "revision": _("Revision of the form"),
            "text": _("Words that were shown"),
        }[field]

    @cached_property
    def submissions(self) -> dict[str, Submission]:
        """The submissions behind the consents of an export, by their key as the consent has it."""
        keys = Consent.objects.filter(source_kind__in=OF_FORMS).values_list("source_key", flat=True)
        ids = {int(key) for key in keys if key.isdigit()}
        found = Submission.objects.filter(version__isnull=False).select_related("form", "version")
        return {str(row.pk): row for row in found.defer("data") if row.pk in ids}

    def to_row_dict(self, item: Consent) -> dict[str, Any]:
        sent = self.submissions.get(item.source_key) if item.source_kind in OF_FORMS else None
        return {
            "at": item.at,
            "email": item.email,
            "is_granted": _("Yes") if item.is_granted else _("No"),
            "basis": item.basis,
            "source": str(SOURCES.get(item.source_kind, item.source_kind)),
            "form": sent.form.name if sent and sent.form else "",
            "revision": sent.version.number if sent and sent.version else None,
            "text": item.text,
        }
