"""The ranked list of visitors and leads, and the page of one of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django_filters
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.log_actions import log
from wagtail.permissions import policy_registry

from wagtail_ma.admin.exports import SafeExportMixin
from wagtail_ma.admin.permissions import may, permission_menu_item
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.reports import timeline as timelines
from wagtail_ma.reports import visitor_page
from wagtail_ma.scoring import queries as scores
from wagtail_ma.scoring.models import Standing
from wagtail_ma.segments.models import Segment

# Of a BIGINT column.
LARGEST_ID = 2**63 - 1
SEEN_WITHIN = [(1, gettext_lazy("24 hours")), (7, gettext_lazy("7 days")), (30, gettext_lazy("30 days"))]


class VisitorFilterSet(WagtailFilterSet):
    """Who is shown in the ranked list."""

    who = django_filters.ChoiceFilter(
        label=gettext_lazy("Who"),
        choices=[("lead", gettext_lazy("Named")), ("anonymous", gettext_lazy("Anonymous"))],
        method="filter_who",
    )
    seen = django_filters.ChoiceFilter(
        label=gettext_lazy("Last seen within"), choices=SEEN_WITHIN, method="filter_seen"
    )
    segment = django_filters.ModelChoiceFilter(
        label=gettext_lazy("Segment"), queryset=Segment.objects.filter(is_live=False), method="filter_segment"
    )

    class Meta:
        model = Standing
        fields: list[str] = []

    def filter_who(self, queryset: QuerySet[Standing], name: str, value: str) -> QuerySet[Standing]:
        return queryset.filter(visitor__lead__isnull=value == "anonymous")

    def filter_seen(self, queryset: QuerySet[Standing], name: str, value: str) -> QuerySet[Standing]:
        return queryset.filter(last_seen_at__gte=timezone.now() - timedelta(days=int(value)))

    def filter_segment(self, queryset: QuerySet[Standing], name: str, value: Segment) -> QuerySet[Standing]:
        return queryset.filter(visitor__memberships__segment=value)


class NameColumn(TitleColumn):
    """Name and mark: named or still anonymous."""

    cell_template_name = "wagtail_ma/admin/visitors/name_cell.html"

    def get_cell_context_data(self, instance: Standing, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        context["lead"] = getattr(instance.visitor, "lead", None)
        return context


class VisitorIndexView(SafeExportMixin, generic.IndexView):
    """Everybody, most likely buyers first: the order of an index, the same at any time."""

    model = Standing
    page_title = gettext_lazy("Visitors and leads")
    header_icon = "wagtail-ma-people"
    template_name = "wagtail_ma/admin/visitors/index.html"
    results_template_name = "wagtail_ma/admin/visitors/index_results.html"
    filterset_class = VisitorFilterSet
    default_ordering = "-rank"
    paginate_by = 50
    any_permission_required = ["view"]
    export_permission = "wagtail_ma.export_lead"
    list_export = ["label", "company", "email", "score", "visit_count", "view_count", "last_seen_at"]
    export_headings = {
        "label": gettext_lazy("Name"),
        "company": gettext_lazy("Company"),
        "email": gettext_lazy("E-mail address"),
        "score": gettext_lazy("Score"),
        "visit_count": gettext_lazy("Visits"),
        "view_count": gettext_lazy("Pages"),
        "last_seen_at": gettext_lazy("Last seen"),
    }
    export_filename = "visitors"

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)

    @cached_property
    def is_searchable(self) -> bool:
        return True

    @cached_property
    def columns(self) -> list[Column]:
        columns: list[Column] = [
            NameColumn("label", label=_("Name"), get_url=self.get_visitor_url),
            Column("company", label=_("Company")),
            NumberColumn("score", label=_("Score"), sort_key="rank"),
            NumberColumn("visit_count", label=_("Visits"), sort_key="visit_count"),
            NumberColumn("view_count", label=_("Pages"), sort_key="view_count"),
            Column("engaged", label=_("Time spent"), sort_key="engaged_seconds"),
            DateColumn("last_seen_at", label=_("Last seen"), sort_key="last_seen_at"),
        ]
        if self.segment_id:
            columns.append(TitleColumn("why", label=_("Segment"), get_url=self.get_why_url))
        return columns

    @cached_property
    def segment_id(self) -> int:
        """The segment whose members are listed, 0 for everybody."""
        asked = self.request.GET.get("segment", "")
        return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else 0

    def get_why_url(self, instance: Standing) -> str:
        return reverse("wagtail_ma_segments:person", args=[self.segment_id, instance.visitor_id])

    def get_visitor_url(self, instance: Standing) -> str:
        return reverse("wagtail_ma_visitors:visitor", args=[instance.visitor_id])

    def get_edit_url(self, instance: Standing) -> None:
        return None

    def get_base_queryset(self) -> QuerySet[Standing]:
        found = scores.ranked().select_related("visitor__lead", "model")
        # Names are another right than numbers.
        return found if may(self.request, Lead, "view") else found.filter(visitor__lead__isnull=True)

    def search_queryset(self, queryset: QuerySet[Standing]) -> QuerySet[Standing]:
        words = self.search_query.split() if self.search_query else []
        for word in words:
            queryset = queryset.filter(_matches(word))
        return queryset

    def order_queryset(self, queryset: QuerySet[Standing]) -> QuerySet[Standing]:
        # The second key makes the order stable where numbers are equal.
        return queryset.order_by(self.ordering or "-rank", "-visitor_id")

    def to_row_dict(self, item: Standing) -> Any:
        return super().to_row_dict(visitor_page.decorate(item, now=timezone.now()))

    def paginate_queryset(self, queryset: Any, page_size: int) -> Any:
        paginator, page, rows, has_other = super().paginate_queryset(queryset, page_size)
        now = timezone.now()
        page.object_list = [visitor_page.decorate(standing, now=now) for standing in rows]
        return paginator, page, page.object_list, has_other

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        context["anything_recorded"] = bool(context["object_list"]) or Visitor.objects.exists()
        return context


def _matches(word: str) -> Q:
    if word.startswith("#"):
        try:
            number = int(word[1:], 16)
        except ValueError:
            return Q(pk__isnull=True)
        return Q(visitor_id=number) if 0 < number <= LARGEST_ID else Q(pk__isnull=True)
    return (
        Q(visitor__lead__family_name__icontains=word)
        | Q(visitor__lead__given_name__icontains=word)
        | Q(visitor__lead__company_name__icontains=word)
        | Q(visitor__lead__email__icontains=word)
    )


class VisitorView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """One visitor: who, the whole history, and why the score is what it is."""

    template_name = "wagtail_ma/admin/visitors/visitor.html"
    header_icon = "wagtail-ma-people"
    any_permission_required = ["view"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.visitor = self._visitor(kwargs["visitor_id"])
        if lead := getattr(self.visitor, "lead", None):
            if not may(request, Lead, "view"):
                raise PermissionDenied
            log(lead, "wagtail_ma.view_lead", user=request.user)
        return super().get(request, *args, **kwargs)

    def _visitor(self, visitor_id: int) -> Visitor:
        """The visitor; whoever was merged away leads to the person they became."""
        visitor = Visitor.objects.select_related("lead").filter(pk=visitor_id).first()
        seen: set[int] = set()
        while visitor is not None and visitor.merged_into_id and visitor.pk not in seen:
            seen.add(visitor.pk)
            visitor = Visitor.objects.select_related("lead").get(pk=visitor.merged_into_id)
        if visitor is None:
            raise Http404
        return visitor

    def get_page_title(self) -> str:
        lead = getattr(self.visitor, "lead", None)
        return str(lead or self.visitor)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_visitors:index"), "label": _("Visitors and leads")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        kinds = {kind for kind in self.request.GET.getlist("kind") if kind in timelines.KINDS}
        context.update(visitor_page.details(self.visitor, now=timezone.now()))
        context["timeline"] = timelines.timeline(
            self.visitor.pk, cursor=self.request.GET.get("before", ""), kinds=kinds or None
        )
        context["is_first_page"] = not self.request.GET.get("before")
        context["kinds"] = [
            {"key": key, "label": label, "checked": key in kinds} for key, label in timelines.KINDS.items()
        ]
        context["chosen_kinds"] = sorted(kinds)
        return context


class VisitorViewSet(ViewSet):
    """The screens of visitors and leads."""

    name = "wagtail_ma_visitors"
    url_prefix = "marketing/visitors"
    icon = "wagtail-ma-people"
    menu_label = gettext_lazy("Visitors and leads")
    menu_name = "wagtail-ma-visitors"

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return permission_menu_item(Visitor)

    def get_urlpatterns(self) -> list[Any]:
        index = {"index_url_name": "wagtail_ma_visitors:index"}
        index["index_results_url_name"] = "wagtail_ma_visitors:index_results"
        return [
            path("", VisitorIndexView.as_view(**index), name="index"),
            path("results/", VisitorIndexView.as_view(results_only=True, **index), name="index_results"),
            path("<int:visitor_id>/", VisitorView.as_view(), name="visitor"),
        ]


def lead_url(lead: Lead) -> str:
    """The admin page of a lead."""
    return reverse("wagtail_ma_visitors:visitor", args=[lead.visitor_id])
