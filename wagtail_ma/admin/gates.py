"""The screens of gated documents: which form stands in front of what."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import CharField, Count, DateTimeField, IntegerField, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast, Coalesce
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.documents import get_document_model
from wagtail.documents.widgets import AdminDocumentChooser
from wagtail.models import Collection

from wagtail_ma.forms import downloads, gates
from wagtail_ma.forms.models import GatedDocument
from wagtail_ma.tracking.models import Activity

_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}\Z")


class GatedDocumentForm(WagtailAdminModelForm):
    """Either a document, chosen with Wagtail's own chooser and kept by its id, or a collection."""

    document: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        label=gettext_lazy("Document"), queryset=None, required=False, widget=AdminDocumentChooser()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["document"].queryset = get_document_model().objects.all()
        # All documents of the site at once would hardly be meant, but it may be.
        self.fields["collection"].queryset = Collection.objects.order_by("path")
        if self.instance.document_id:
            self.fields["document"].initial = downloads.find_document(self.instance.document_id)

    def clean_document(self) -> Any:
        document = self.cleaned_data["document"]
        others = GatedDocument.objects.exclude(pk=self.instance.pk)
        if document is not None and others.filter(document_id=document.pk).exists():
            raise ValidationError(_("This document is gated already."))
        return document

    def clean_collection(self) -> Any:
        collection = self.cleaned_data["collection"]
        others = GatedDocument.objects.exclude(pk=self.instance.pk)
        if collection is not None and others.filter(collection=collection).exists():
            raise ValidationError(_("This collection is gated already."))
        return collection

    def clean_blocked_domains(self) -> str:
        rule = GatedDocument(blocked_domains=self.cleaned_data["blocked_domains"])
        domains = gates.blocked_domains(rule)
        for domain in domains:
            if not _DOMAIN.match(domain):
                raise ValidationError(_("“%(text)s” is not a domain.") % {"text": domain})
        return "\n".join(dict.fromkeys(domains))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        if not self.errors and bool(cleaned.get("document")) == bool(cleaned.get("collection")):
            raise ValidationError(_("Choose either a document or a collection."))
        document = cleaned.get("document")
        # Before the model's own check of the two.
        self.instance.document_id = document.pk if document else None
        return cleaned


class GateColumn(TitleColumn):
    """The document's or the collection's name; a gate may outlive its document."""

    def get_value(self, instance: Any) -> str:
        if instance.collection_id is not None:
            return str(instance)
        return instance.document_title or _("Deleted document")


class GatedDocumentIndexView(generic.IndexView):
    """All gates, and how often each document was taken."""

    results_template_name = "wagtail_ma/admin/forms/gated_results.html"
    default_ordering = "document_title"

    @cached_property
    def columns(self) -> list[Column]:
        return [
            GateColumn(
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
        return queryset.select_related("form", "collection").annotate(
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
            MultiFieldPanel(
                [FieldPanel("document"), FieldPanel("collection")],
                heading=gettext_lazy("What is gated: a document, or a whole collection"),
            ),
            FieldPanel("form"),
            FieldPanel("lets_known_through"),
            MultiFieldPanel(
                [FieldPanel("blocked_domains"), FieldPanel("blocks_competitors"), FieldPanel("for_blocked")],
                heading=gettext_lazy("Not for everybody"),
                help_text=gettext_lazy("For example for competitors, by the domain of their addresses."),
            ),
        ],
        base_form_class=GatedDocumentForm,
    )
