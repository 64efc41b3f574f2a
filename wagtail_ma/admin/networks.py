"""Networks that editors know: companies, competitors, ourselves, internet providers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, ObjectList
from wagtail.admin.ui.tables import BooleanColumn, Column, DateColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet

from wagtail_ma.jobs import queue
from wagtail_ma.sales import exclusions
from wagtail_ma.tracking import networks
from wagtail_ma.tracking.models import Network

DAYS = 30


class NetworkForm(WagtailAdminModelForm):
    """A network; its addresses are written in one way."""

    def clean_ranges(self) -> str:
        try:
            ranges = networks.normalised(self.cleaned_data["ranges"])
        except networks.BadRange as error:
            raise forms.ValidationError(
                _("“%(line)s” is no address and no network, or too wide a one."), params={"line": error.line}
            ) from error
        if not ranges:
            raise forms.ValidationError(_("Give at least one address."))
        return ranges


class ForgetMixin:
    """A change applies at once in this process, and within a minute in all others."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        networks.forget()
        exclusions.networks_changed()
        queue.wake()
        return response


class NetworkAddView(ForgetMixin, generic.CreateView):
    """A new network."""


class NetworkEditView(ForgetMixin, generic.EditView):
    """An existing network."""


class NetworkDeleteView(ForgetMixin, generic.DeleteView):
    """The visits stay, without the guess."""


class RangesColumn(Column):
    """The first addresses, and how many more there are."""

    def get_value(self, instance: Network) -> str:
        lines = instance.ranges.splitlines()
        shown = ", ".join(lines[:2])
        return f"{shown} +{len(lines) - 2}" if len(lines) > 2 else shown


class NetworkIndexView(generic.IndexView):
    """All networks, with who came from there lately."""

    template_name = "wagtail_ma/admin/networks/index.html"
    results_template_name = "wagtail_ma/admin/networks/index_results.html"
    default_ordering = "name"

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TitleColumn("name", label=_("Name"), get_url=self.get_edit_url, sort_key="name"),
            Column("get_kind_display", label=_("Kind"), sort_key="kind"),
            RangesColumn("ranges", label=_("Addresses")),
            BooleanColumn("is_excluded", label=_("Not recorded")),
            Column("visit_count", label=_("Visits, 30 days"), sort_key="visit_count"),
            DateColumn("seen_at", label=_("Last visit"), sort_key="seen_at"),
        ]

    def get_base_queryset(self) -> QuerySet[Network]:
        recent = Q(visits__started_at__gte=timezone.now() - timedelta(days=DAYS), visits__is_bot=False)
        rows: QuerySet[Network] = super().get_base_queryset()
        return rows.annotate(visit_count=Count("visits", filter=recent), seen_at=Max("visits__started_at"))


class NetworkViewSet(ModelViewSet):
    """List, add, edit and delete networks."""

    model = Network
    name = "wagtail_ma_networks"
    url_prefix = "marketing/networks"
    icon = "site"
    menu_label = gettext_lazy("Networks")
    menu_name = "wagtail-ma-networks"
    add_to_reference_index = False
    copy_view_enabled = False
    index_view_class = NetworkIndexView
    add_view_class = NetworkAddView
    edit_view_class = NetworkEditView
    delete_view_class = NetworkDeleteView
    list_filter = ["kind", "is_excluded"]
    search_fields = ["name", "ranges"]
    search_backend_name = None
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "Visits from these addresses are guessed to come from here; the addresses themselves are "
                    "not stored. Applies to visits that begin from now on. A name that you change "
                    "changes for recorded visits too."
                )
            ),
            FieldRowPanel([FieldPanel("name"), FieldPanel("kind")]),
            FieldPanel(
                "ranges",
                widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
                help_text=gettext_lazy(
                    "One per line: an address, a network such as 203.0.113.0/24, or a range such as "
                    "203.0.113.10-203.0.113.20. Where networks overlap, the narrowest counts."
                ),
            ),
            FieldPanel(
                "is_excluded",
                help_text=gettext_lazy("For your own offices, and for whoever watches your site."),
            ),
        ],
        base_form_class=NetworkForm,
    )
