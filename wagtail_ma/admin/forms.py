"""The screens of lead forms, of what was sent with them, and of gated documents."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import CharField, Count, DateTimeField, IntegerField, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast, Coalesce
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, InlinePanel, ObjectList
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets.button import Button, ListingButton
from wagtail.documents import get_document_model
from wagtail.documents.widgets import AdminDocumentChooser
from wagtail.permissions import policy_registry

from wagtail_ma.admin.exports import SafeExportMixin
from wagtail_ma.admin.permissions import may
from wagtail_ma.forms import downloads
from wagtail_ma.forms.models import GatedDocument, LeadForm, LeadFormField, Submission
from wagtail_ma.people.models import Lead
from wagtail_ma.tracking.models import Activity

MapsTo = LeadFormField.MapsTo


class LeadFormForm(WagtailAdminModelForm):
    """A form whose questions are asked once each."""

    def is_valid(self) -> bool:
        # The questions are a formset of their own: they are known only after its validation.
        if not super().is_valid():
            return False
        asked = [row.get("maps_to") for row in self.formsets["fields"].cleaned_data if not row.get("DELETE")]
        doubled = {key for key in asked if asked.count(key) > 1}
        for key in sorted(doubled):
            label = MapsTo(key).label
            self.add_error(None, ValidationError(_("“%(question)s” is asked twice.") % {"question": label}))
        return not doubled


class EmbedPanel(HelpPanel):
    """How a form comes onto the site."""

    class BoundPanel(HelpPanel.BoundPanel):
        def get_context_data(self, parent_context: dict[str, Any] | None = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            form = self.instance
            context["form_url"] = reverse("wagtail_ma:form", args=[form.pk]) if form and form.pk else ""
            return context


class QuestionsColumn(Column):
    """What the form asks for, in its order."""

    def get_value(self, instance: LeadForm) -> str:
        return ", ".join(str(question) for question in instance.fields.all())


def submissions_url(form: LeadForm) -> str:
    """The list of what was sent with a form."""
    return reverse("wagtail_ma_forms:submissions", args=[form.pk])


class LeadFormIndexView(generic.IndexView):
    """All forms."""

    results_template_name = "wagtail_ma/admin/forms/index_results.html"
    default_ordering = "name"

    @cached_property
    def columns(self) -> list[Column]:
        return [
            self._get_title_column("name"),
            QuestionsColumn("questions", label=_("Asks for")),
            NumberColumn("submission_count", label=_("Sent"), sort_key="submission_count"),
            DateColumn("last_sent_at", label=_("Last sent"), sort_key="last_sent_at"),
        ]

    def get_base_queryset(self) -> QuerySet[LeadForm]:
        queryset: QuerySet[LeadForm] = super().get_base_queryset()
        return queryset.annotate(
            submission_count=Count("submissions"), last_sent_at=Max("submissions__at")
        ).prefetch_related("fields")

    def get_list_more_buttons(self, instance: LeadForm) -> list[Any]:
        buttons = list(super().get_list_more_buttons(instance))
        if may(self.request, Lead, "view"):
            buttons.append(
                ListingButton(
                    _("What was sent"), url=submissions_url(instance), icon_name="list-ul", priority=40
                )
            )
        return buttons


class LeadFormAddView(generic.CreateView):
    """A new form begins with the questions that nearly every form asks."""

    def get_initial_form_instance(self) -> LeadForm:
        form = LeadForm()
        for maps_to in (MapsTo.FAMILY_NAME, MapsTo.COMPANY, MapsTo.EMAIL):
            form.fields.add(LeadFormField(maps_to=maps_to))
        return form


class LeadFormEditView(generic.EditView):
    """A form, with the way to what was sent with it."""

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        buttons = list(super().header_more_buttons)
        if may(self.request, Lead, "view"):
            buttons.append(
                Button(_("What was sent"), url=submissions_url(self.object), icon_name="list-ul", priority=40)
            )
        return buttons


class AnswersColumn(Column):
    """All that was typed beside name and address, shortened."""

    def get_value(self, instance: Submission) -> str:
        labels = dict(MapsTo.choices)
        hidden = ("family_name", "given_name", "email")
        parts = [
            f"{labels[key]}: {value}"
            for key, value in instance.data.items()
            if key in labels and key not in hidden
        ]
        text = " · ".join(parts)
        return text if len(text) <= 300 else f"{text[:299]}…"


class SubmissionIndexView(SafeExportMixin, generic.IndexView):
    """What was sent with one form, newest first. Personal data: needs the right to see leads."""

    model = Submission
    header_icon = "form"
    results_template_name = "wagtail_ma/admin/forms/submissions_results.html"
    default_ordering = "-at"
    paginate_by = 50
    any_permission_required = ["view"]
    export_permission = "wagtail_ma.export_lead"
    list_export = ["at", *MapsTo.values]
    export_filename = "submissions"

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Lead)

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.form = get_object_or_404(LeadForm, pk=kwargs["form_id"])
        super().setup(request, *args, **kwargs)

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TitleColumn("sender", label=_("Sent by"), get_url=self.get_visitor_url),
            Column("data.email", label=_("E-mail address"), accessor=lambda row: row.data.get("email", "")),
            AnswersColumn("answers", label=_("Answers")),
            DateColumn("at", label=_("When"), sort_key="at"),
        ]

    def get_visitor_url(self, instance: Submission) -> str:
        return reverse("wagtail_ma_visitors:visitor", args=[instance.visitor_id])

    def get_edit_url(self, instance: Submission) -> None:
        return None

    def get_index_url(self) -> str:
        return submissions_url(self.form)

    def get_index_results_url(self) -> str:
        return reverse("wagtail_ma_forms:submissions_results", args=[self.form.pk])

    def get_page_title(self) -> str:
        return _("Sent with “%(form)s”") % {"form": self.form.name}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_forms:index"), "label": _("Forms")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_base_queryset(self) -> QuerySet[Submission]:
        return Submission.objects.filter(form=self.form)

    def to_row_dict(self, item: Submission) -> dict[str, Any]:
        return {"at": item.at, **{key: str(item.data.get(key, "")) for key in MapsTo.values}}


class LeadFormViewSet(ModelViewSet):
    """Lead forms in the Marketing menu."""

    model = LeadForm
    name = "wagtail_ma_forms"
    url_prefix = "marketing/forms"
    icon = "form"
    menu_label = gettext_lazy("Forms")
    menu_name = "wagtail-ma-forms"
    index_view_class = LeadFormIndexView
    add_view_class = LeadFormAddView
    edit_view_class = LeadFormEditView
    copy_view_enabled = False
    search_fields = ["name", "heading"]
    search_backend_name = None
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "Whoever sends this form becomes a lead, with everything that their browser did before. "
                    "An e-mail address is always asked for."
                )
            ),
            FieldPanel("name", help_text=gettext_lazy("For you; visitors see the heading.")),
            FieldPanel("heading"),
            FieldPanel("intro"),
            InlinePanel("fields", heading=gettext_lazy("Questions"), label=gettext_lazy("Question")),
            FieldPanel("consent_text"),
            FieldRowPanel([FieldPanel("submit_label"), FieldPanel("thanks")]),
            EmbedPanel(
                template="wagtail_ma/admin/forms/embed.html",
                heading=gettext_lazy("Put it on the site"),
            ),
        ],
        base_form_class=LeadFormForm,
    )

    def get_urlpatterns(self) -> list[Any]:
        results = SubmissionIndexView.as_view(results_only=True)
        return [
            *super().get_urlpatterns(),
            path("<int:form_id>/submissions/", SubmissionIndexView.as_view(), name="submissions"),
            path("<int:form_id>/submissions/results/", results, name="submissions_results"),
        ]


class GatedDocumentForm(WagtailAdminModelForm):
    """The document is chosen with Wagtail's own chooser and kept by its id."""

    document = forms.ModelChoiceField(
        label=gettext_lazy("Document"), queryset=None, widget=AdminDocumentChooser()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["document"].queryset = get_document_model().objects.all()
        if self.instance.document_id:
            self.fields["document"].initial = downloads.find_document(self.instance.document_id)

    def clean_document(self) -> Any:
        document = self.cleaned_data["document"]
        others = GatedDocument.objects.exclude(pk=self.instance.pk)
        if others.filter(document_id=document.pk).exists():
            raise ValidationError(_("This document is gated already."))
        return document

    def save(self, commit: bool = True) -> GatedDocument:
        self.instance.document_id = self.cleaned_data["document"].pk
        return super().save(commit=commit)


class DocumentColumn(TitleColumn):
    """The document's title; a gate may outlive its document."""

    def get_value(self, instance: Any) -> str:
        return instance.document_title or _("Deleted document")


class GatedDocumentIndexView(generic.IndexView):
    """All gates, and how often each document was taken."""

    results_template_name = "wagtail_ma/admin/forms/gated_results.html"
    default_ordering = "document_title"

    @cached_property
    def columns(self) -> list[Column]:
        return [
            DocumentColumn(
                "document_title", label=_("Document"), get_url=self.get_edit_url, sort_key="document_title"
            ),
            Column("form", label=_("Form"), sort_key="form__name"),
            NumberColumn("download_count", label=_("Downloads"), sort_key="download_count"),
            DateColumn("last_download_at", label=_("Last download"), sort_key="last_download_at"),
        ]

    def get_base_queryset(self) -> QuerySet[GatedDocument]:
        titles = get_document_model().objects.filter(pk=OuterRef("document_id")).values("title")[:1]
        taken = (
            Activity.objects.filter(
                kind=downloads.KIND,
                object_kind="document",
                object_key=Cast(OuterRef("document_id"), CharField()),
            )
            .order_by()
            .values("object_key")
        )
        queryset: QuerySet[GatedDocument] = super().get_base_queryset()
        return queryset.select_related("form").annotate(
            document_title=Subquery(titles),
            download_count=Coalesce(
                Subquery(taken.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0
            ),
            last_download_at=Subquery(
                taken.annotate(last=Max("at")).values("last"), output_field=DateTimeField()
            ),
        )


class GatedDocumentViewSet(ModelViewSet):
    """Gated documents in the Marketing menu."""

    model = GatedDocument
    name = "wagtail_ma_gated"
    url_prefix = "marketing/gated-documents"
    icon = "wagtail-ma-gate"
    menu_label = gettext_lazy("Gated documents")
    menu_name = "wagtail-ma-gated"
    index_view_class = GatedDocumentIndexView
    copy_view_enabled = False
    add_to_reference_index = True
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "The document can be had only after the form was sent: links to it lead to the form, "
                    "the sender gets the document at once and a link to it by mail."
                )
            ),
            FieldPanel("document"),
            FieldPanel("form"),
        ],
        base_form_class=GatedDocumentForm,
    )
