"""The result page of a mail: numbers, links, and the people behind each number."""

from __future__ import annotations

from typing import Any

import django_filters
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import BooleanColumn, Column, DateColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.permissions import policy_registry

from wagtail_ma.admin.permissions import may
from wagtail_ma.messaging import reasons, results, sending, unsubscribing
from wagtail_ma.messaging.models import Delivery, Mail
from wagtail_ma.people.models import Lead

NAMESPACE = "wagtail_ma_mails"


class DeliveryFilterSet(WagtailFilterSet):
    """Which people are listed."""

    state = django_filters.ChoiceFilter(label=gettext_lazy("State"), choices=Delivery.State.choices)
    clicked = django_filters.BooleanFilter(
        label=gettext_lazy("Clicked a link"), field_name="has_clicked", method="filter_clicked"
    )
    opened = django_filters.BooleanFilter(
        label=gettext_lazy("Opened"), field_name="opened_at", lookup_expr="isnull", exclude=True
    )
    unsubscribed = django_filters.BooleanFilter(
        label=gettext_lazy("Unsubscribed by it"), field_name="has_unsubscribed", method="filter_unsubscribed"
    )

    class Meta:
        model = Delivery
        fields: list[str] = []

    def filter_clicked(self, queryset: Any, name: str, value: bool) -> QuerySet[Delivery]:
        return queryset.filter(has_clicked=value)

    def filter_unsubscribed(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset.filter(has_unsubscribed=value)


class PersonColumn(Column):
    """Who it was for, leading to their page."""

    cell_template_name = "wagtail_ma/admin/mails/person_cell.html"

    def get_cell_context_data(self, instance: Delivery, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        may_see = may(parent_context["request"], Lead, "view")
        context["may_see"] = may_see
        if may_see and instance.visitor_id:
            context["url"] = reverse("wagtail_ma_visitors:visitor", args=[instance.visitor_id])
        return context


class StateColumn(Column):
    """The state, why, and a way out of "unknown"."""

    cell_template_name = "wagtail_ma/admin/mails/state_cell.html"

    def get_cell_context_data(self, instance: Delivery, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        context["reason"] = reasons.label(instance.reason) if instance.reason else ""
        is_unknown = instance.state == Delivery.State.UNKNOWN
        if is_unknown and may(parent_context["request"], Mail, "change"):
            context["again_url"] = reverse(f"{NAMESPACE}:send_again", args=[instance.pk])
        return context


class MailResultsView(generic.IndexView):
    """Everything about one mail."""

    model = Delivery
    page_title = gettext_lazy("Results")
    header_icon = "mail"
    template_name = "wagtailadmin/generic/index.html"
    results_template_name = "wagtail_ma/admin/mails/results.html"
    filterset_class = DeliveryFilterSet
    any_permission_required = ["view"]
    paginate_by = 50
    default_ordering = "-pk"

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Delivery)

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.mail = get_object_or_404(Mail, pk=kwargs["pk"])

    def get_index_url(self) -> str:
        return reverse(f"{NAMESPACE}:results", args=[self.mail.pk])

    def get_index_results_url(self) -> str:
        return reverse(f"{NAMESPACE}:results_list", args=[self.mail.pk])

    def get_page_subtitle(self) -> str:
        return str(self.mail)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            {"url": reverse("wagtailadmin_home"), "label": _("Home")},
            {"url": reverse(f"{NAMESPACE}:list"), "label": _("Mails")},
            {"url": reverse(f"{NAMESPACE}:edit", args=[self.mail.pk]), "label": str(self.mail)},
            {"url": "", "label": _("Results")},
        ]

    def get_edit_url(self, instance: Delivery) -> None:
        return None

    def get_base_queryset(self) -> QuerySet[Delivery]:
        # Numbers of links and reasons lead here; they are no filters of their own.
        names = ("link", "scanned", "reason", "why_left")
        return results.people(self.mail, **{name: self.request.GET.get(name, "")[:500] for name in names})

    @cached_property
    def is_searchable(self) -> bool:
        # By address: only for those who may see addresses.
        return may(self.request, Lead, "view")

    def search_queryset(self, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        if not self.is_searchable:
            return queryset
        return queryset.filter(email__icontains=self.search_query) if self.search_query else queryset

    @cached_property
    def columns(self) -> list[Column]:
        return [
            PersonColumn("email", label=_("Person")),
            StateColumn("get_state_display", label=_("State")),
            DateColumn("sent_at", label=_("Sent"), sort_key="sent_at"),
            BooleanColumn("has_opened", label=_("Opened")),
            BooleanColumn("has_clicked", label=_("Clicked")),
        ]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        context["mail"] = self.mail
        context["results"] = results.results(self.mail)
        context["only"] = self._only()
        return context

    def _only(self) -> str:
        """Which of the people are listed, in words."""
        given = self.request.GET
        if why := given.get("why_left", ""):
            return str(dict(unsubscribing.Why.choices).get(why, why))
        if reason := given.get("reason", ""):
            return reasons.label(reason)
        return given.get("link", "") or given.get("scanned", "")


class SendAgainView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """A person decides that a mail of unknown fate goes out again. GET asks, POST acts."""

    template_name = "wagtail_ma/admin/mails/send_again.html"
    header_icon = "mail"
    page_title = gettext_lazy("Send again")
    permission_required = "change"

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Mail)

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.delivery = get_object_or_404(Delivery, pk=kwargs["pk"], mail__isnull=False)
        self.results_url = reverse(f"{NAMESPACE}:results", args=[self.delivery.mail_id])

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": self.results_url, "label": _("Results")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        person = self.delivery.email if may(self.request, Lead, "view") else f"#{self.delivery.pk}"
        return super().get_context_data(person=person, results_url=self.results_url, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if sending.send_again(self.delivery.pk, now=timezone.now()):
            messages.success(request, _("It is sent again within a minute."))
        else:
            messages.info(request, _("Nothing was done: its fate is known by now."))
        return redirect(self.results_url)
