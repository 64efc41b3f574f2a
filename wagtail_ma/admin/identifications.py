"""How visitors became known, step by step; a joined browser can be taken apart again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django_filters
import swapper
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.log_actions import log
from wagtail.permissions import policy_registry

from wagtail_ma.admin.permissions import may, permission_menu_item
from wagtail_ma.forms.models import LeadForm
from wagtail_ma.jobs import queue
from wagtail_ma.messaging.models import Mail
from wagtail_ma.people import merge, outward, proposals
from wagtail_ma.people.models import Identity, IdentityLink, Lead, MergeProposal
from wagtail_ma.reports import identification
from wagtail_ma.reports.timeline import METHOD_LABELS
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.tracking import retention

NAMED = Q(identity__kind=Identity.Kind.EMAIL)
SHARED = Q(evidence__conflict_with__isnull=False)
FORWARDED = Q(evidence__forwarded_from__isnull=False)
JOINED = Q(from_visitor__isnull=False)

# Days that the rates are shown for.
PERIODS = (7, 30, 90, 365)
KINDS = {
    "named": NAMED,
    "joined": JOINED,
    "shared": SHARED,
    "forwarded": FORWARDED,
    "conflict": SHARED | FORWARDED,
}


def what_happened(link: IdentityLink) -> str:
    """One step in words."""
    if link.undone_at:
        return _("Joined, and taken apart again")
    if link.from_visitor_id is not None:
        return _("A browser with its history joined this person")
    if "conflict_with" in link.evidence:
        return _("Shared computer: a second person used this browser")
    if "forwarded_from" in link.evidence:
        return _("Forwarded: a link of somebody else's mail was opened in this person's browser")
    return _("Named for the first time")


class IdentificationFilterSet(WagtailFilterSet):
    """Which steps are shown."""

    what = django_filters.ChoiceFilter(
        label=gettext_lazy("What happened"),
        choices=[
            ("named", gettext_lazy("Named for the first time")),
            ("joined", gettext_lazy("A browser joined a person")),
            ("shared", gettext_lazy("Shared computer")),
            ("forwarded", gettext_lazy("Forwarded mail")),
            ("conflict", gettext_lazy("To be looked at: shared or forwarded")),
        ],
        method="filter_what",
    )

    class Meta:
        model = IdentityLink
        fields: list[str] = []

    def filter_what(self, queryset: QuerySet[IdentityLink], name: str, value: str) -> QuerySet[IdentityLink]:
        return queryset.filter(KINDS[value])


class UndoColumn(Column):
    """The way to take a step back, where it can be, and to what stayed afterwards."""

    cell_template_name = "wagtail_ma/admin/identifications/undo_cell.html"

    def get_value(self, instance: IdentityLink) -> str:
        if instance.from_visitor_id is None:
            return ""
        return reverse("wagtail_ma_identifications:undo", args=[instance.pk])


class IdentificationIndexView(generic.IndexView):
    """All steps, newest first."""

    model = IdentityLink
    page_title = gettext_lazy("Identifications")
    header_icon = "user"
    results_template_name = "wagtail_ma/admin/identifications/index_results.html"
    filterset_class = IdentificationFilterSet
    default_ordering = "-at"
    paginate_by = 50
    any_permission_required = ["view"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Lead)

    @cached_property
    def columns(self) -> list[Column]:
        found = [
            TitleColumn("person", label=_("Person"), get_url=self.get_visitor_url),
            Column("happened", label=_("What happened")),
            Column("how", label=_("How")),
            Column("where", label=_("Where")),
            DateColumn("at", label=_("When"), sort_key="at"),
        ]
        if may(self.request, Lead, "change"):
            found.append(UndoColumn("undo", label=""))
        return found

    def get_visitor_url(self, instance: IdentityLink) -> str:
        return reverse("wagtail_ma_visitors:visitor", args=[instance.to_visitor_id])

    def get_edit_url(self, instance: IdentityLink) -> None:
        return None

    def get_base_queryset(self) -> QuerySet[IdentityLink]:
        return IdentityLink.objects.select_related("identity", "to_visitor__lead")

    def paginate_queryset(self, queryset: Any, page_size: int) -> Any:
        paginator, page, rows, has_other = super().paginate_queryset(queryset, page_size)
        page.object_list = _decorated(list(rows))
        return paginator, page, page.object_list, has_other


def _decorated(links: list[Any]) -> list[IdentityLink]:
    """Put the texts of the columns onto the rows (a statement for each kind of place)."""
    forms = dict(LeadForm.objects.filter(pk__in=_named(links, "form")).values_list("pk", "name"))
    page_model = swapper.load_model("wagtailcore", "Page")
    titles = dict(page_model.objects.filter(pk__in=_named(links, "page")).values_list("pk", "title"))
    mails = dict(Mail.objects.filter(pk__in=_named(links, "mail")).values_list("pk", "name"))
    scenarios = dict(Scenario.objects.filter(pk__in=_named(links, "scenario")).values_list("pk", "name"))
    for link in links:
        link.person = str(getattr(link.to_visitor, "lead", None) or link.to_visitor)
        link.happened = what_happened(link)
        link.how = METHOD_LABELS.get(link.method, link.method)
        kinds = (("form", forms), ("page", titles), ("mail", mails))
        places = [names.get(link.evidence.get(kind)) for kind, names in kinds]
        if scenario := scenarios.get(link.evidence.get("scenario")):
            places.append(_("scenario “%(name)s”") % {"name": scenario})
        link.where = ", ".join(place for place in places if place)
    return links


def _named(links: list[IdentityLink], key: str) -> set[int]:
    return {link.evidence[key] for link in links if isinstance(link.evidence.get(key), int)}


class UndoView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """Asks, then takes a joined browser and its history away from a person; and says what stays."""

    template_name = "wagtail_ma/admin/identifications/undo.html"
    page_title = gettext_lazy("Take a browser away from a person")
    header_icon = "rotate"
    any_permission_required = ["change"]
    http_method_names = ["get", "post"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Lead)

    @cached_property
    def link(self) -> IdentityLink:
        rows = IdentityLink.objects.select_related("to_visitor__lead").filter(JOINED)
        found = rows.filter(pk=self.kwargs["link_id"]).first()
        if found is None:
            raise Http404
        return found

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_identifications:index"), "label": _("Identifications")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {
            "link": self.link,
            "person": getattr(self.link.to_visitor, "lead", None) or self.link.to_visitor,
            "outward": outward.of_link(self.link).outward(now=timezone.now()),
            "index_url": reverse("wagtail_ma_identifications:index"),
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            self._undo()
        except merge.CannotUndo:
            messages.error(request, _("Later steps build on this one: undo those first."))
        else:
            queue.wake()
            messages.success(
                request,
                _("The browser stands for itself again. Scores and segments follow within seconds."),
            )
        return redirect("wagtail_ma_identifications:undo", self.link.pk)

    def _undo(self) -> None:
        now, user = timezone.now(), self.request.user
        if proposal_id := self.link.evidence.get("proposal"):
            # One step of a merge of two persons: they are taken apart as a whole.
            proposal = MergeProposal.objects.filter(pk=proposal_id).first()
            if proposal is None:
                raise merge.CannotUndo("the merge is not known any more")
            proposals.undo(proposal, user_id=user.pk, now=now)
        else:
            merge.undo(self.link, now=now)
        log(self.link.to_visitor, "wagtail_ma.merge", user=user, data={"what": "undone"})


class RateView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """What share of the visitors is known by name, and where they came from."""

    template_name = "wagtail_ma/admin/identifications/rate.html"
    page_title = gettext_lazy("Share of visitors known by name")
    header_icon = "user"
    any_permission_required = ["view"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Lead)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_identifications:index"), "label": _("Identifications")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        asked = self.request.GET.get("days", "")
        days = int(asked) if asked in map(str, PERIODS) else PERIODS[1]
        now = timezone.now()
        since = now - timedelta(days=days)
        found = identification.rates(since=since, until=now)
        tables = [
            (_("Source"), found.sources),
            (_("First page"), found.pages),
            (_("Naming page"), found.naming_pages),
            (_("Form"), found.forms),
            (_("Scenario"), found.scenarios),
        ]
        if not found.everybody.visitors:
            tables = []
        return context | {
            "rates": found,
            "tables": tables,
            "days": days,
            "periods": PERIODS,
            "detail_since": retention.detail_since(period_start=since),
        }


class IdentificationViewSet(ViewSet):
    """How visitors became known, in the Marketing menu."""

    name = "wagtail_ma_identifications"
    url_prefix = "marketing/identifications"
    icon = "user"
    menu_label = gettext_lazy("Identifications")
    menu_name = "wagtail-ma-identifications"

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return permission_menu_item(Lead)

    def get_urlpatterns(self) -> list[Any]:
        index = {"index_url_name": "wagtail_ma_identifications:index"}
        index["index_results_url_name"] = "wagtail_ma_identifications:index_results"
        results = IdentificationIndexView.as_view(results_only=True, **index)
        return [
            path("", IdentificationIndexView.as_view(**index), name="index"),
            path("results/", results, name="index_results"),
            path("rate/", RateView.as_view(), name="rate"),
            path("<int:link_id>/undo/", UndoView.as_view(), name="undo"),
        ]
