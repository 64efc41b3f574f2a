"""How pages are visited: the list of pages, and the report of one page."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import TemplateView
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import Column, NumberColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permissions import policy_registry

from wagtail_ma.admin.exports import SafeExportMixin
from wagtail_ma.admin.permissions import may, permission_menu_item
from wagtail_ma.core.durations import spoken
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.reports import charts
from wagtail_ma.reports import pages as reports
from wagtail_ma.tracking import retention
from wagtail_ma.tracking.models import PageClass, Topic, TrackedPage

NAMESPACE = "wagtail_ma_pages"


def period_label(days: int) -> str:
    """ "7 days"."""
    return ngettext("%(days)d day", "%(days)d days", days) % {"days": days}


def period_choices(chosen: int) -> list[dict[str, Any]]:
    """What the period switcher shows."""
    return [
        {"days": days, "label": period_label(days), "is_chosen": days == chosen} for days in reports.PERIODS
    ]


def report_url(tracked_page_id: int, *, days: int | None = None) -> str:
    """The report of one tracked page."""
    url = reverse(f"{NAMESPACE}:page", args=[tracked_page_id])
    return f"{url}?days={days}" if days else url


class PageFilterSet(WagtailFilterSet):
    """Which pages are listed, and for which period."""

    days = django_filters.ChoiceFilter(
        label=gettext_lazy("Period"),
        # The usual period is what an empty choice means.
        choices=[(str(days), days) for days in reports.PERIODS],
        empty_label=None,
        method="filter_days",
        widget=forms.RadioSelect,
    )
    page_class = django_filters.ModelChoiceFilter(
        label=gettext_lazy("Class"), queryset=PageClass.objects.all()
    )
    topic = django_filters.ModelChoiceFilter(
        label=gettext_lazy("Topic"), queryset=Topic.objects.all(), method="filter_topic"
    )

    class Meta:
        model = TrackedPage
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["days"].field.choices = [(str(days), period_label(days)) for days in reports.PERIODS]

    def filter_days(self, queryset: QuerySet[TrackedPage], name: str, value: str) -> QuerySet[TrackedPage]:
        # The view has counted this period already.
        return queryset

    def filter_topic(self, queryset: QuerySet[TrackedPage], name: str, value: Topic) -> QuerySet[TrackedPage]:
        # As a sub-query: a join would multiply the sums.
        return queryset.filter(pk__in=TrackedPage.objects.filter(topics=value).values("pk"))


class PageColumn(TitleColumn):
    """Title and address."""

    cell_template_name = "wagtail_ma/admin/pages/page_cell.html"


class DurationColumn(Column):
    """Seconds as people read them."""

    def get_value(self, instance: Any) -> str:
        value = getattr(instance, self.name)
        return "–" if value is None else spoken(value)


class CurveColumn(Column):
    """Views per day as a small line."""

    def get_value(self, instance: Any) -> Any:
        return charts.sparkline(instance.curve)


class PageIndexView(SafeExportMixin, generic.IndexView):
    """All pages that were viewed in the period, most viewed first."""

    model = TrackedPage
    page_title = gettext_lazy("Pages")
    header_icon = "doc-full"
    template_name = "wagtailadmin/generic/index.html"
    results_template_name = "wagtail_ma/admin/pages/index_results.html"
    filterset_class = PageFilterSet
    default_ordering = "-view_count"
    paginate_by = 50
    any_permission_required = ["view"]
    list_export = [
        "title",
        "url",
        "page_class_name",
        "view_count",
        "visit_count",
        "engaged_seconds",
        "engaged_median",
        "engaged_p90",
    ]
    export_headings = {
        "title": gettext_lazy("Title"),
        "url": gettext_lazy("URL"),
        "page_class_name": gettext_lazy("Class"),
        "view_count": gettext_lazy("Views"),
        "visit_count": gettext_lazy("Visits"),
        "engaged_seconds": gettext_lazy("Seconds read in all"),
        "engaged_median": gettext_lazy("Seconds read, median"),
        "engaged_p90": gettext_lazy("Seconds read, 90th percentile"),
    }
    export_filename = "pages"

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)

    @cached_property
    def days(self) -> int:
        return reports.period(self.request.GET.get("days"))

    @cached_property
    def now(self) -> Any:
        return timezone.now()

    @cached_property
    def is_searchable(self) -> bool:
        return True

    @cached_property
    def columns(self) -> list[Column]:
        return [
            PageColumn("title", label=_("Page"), sort_key="title", get_url=self.get_report_url),
            Column("page_class_name", label=_("Class")),
            NumberColumn("view_count", label=_("Views"), sort_key="view_count"),
            NumberColumn("visit_count", label=_("Visits"), sort_key="visit_count"),
            DurationColumn("engaged_median", label=_("Read for (median)")),
            DurationColumn("engaged_p90", label=_("90th percentile")),
            DurationColumn("engaged_seconds", label=_("Read in all"), sort_key="engaged_seconds"),
            CurveColumn("curve", label=_("Views per day")),
        ]

    def get_report_url(self, instance: TrackedPage) -> str:
        return report_url(instance.pk, days=self.days)

    def get_edit_url(self, instance: TrackedPage) -> None:
        return None

    def get_base_queryset(self) -> QuerySet[TrackedPage]:
        return reports.viewed_pages(now=self.now, days=self.days).select_related("page_class")

    def search_queryset(self, queryset: QuerySet[TrackedPage]) -> QuerySet[TrackedPage]:
        for word in self.search_query.split() if self.search_query else []:
            queryset = queryset.filter(Q(title__icontains=word) | Q(url__icontains=word))
        return queryset

    def order_queryset(self, queryset: QuerySet[TrackedPage]) -> QuerySet[TrackedPage]:
        # The second key makes the order stable where numbers are equal.
        return queryset.order_by(self.ordering or self.default_ordering, "pk")

    def paginate_queryset(self, queryset: Any, page_size: int) -> Any:
        paginator, page, rows, has_other = super().paginate_queryset(queryset, page_size)
        page.object_list = self._decorated(rows)
        return paginator, page, page.object_list, has_other

    def as_spreadsheet(self, queryset: Any, spreadsheet_format: str) -> HttpResponse:
        response: HttpResponse = super().as_spreadsheet(self._decorated(queryset), spreadsheet_format)
        return response

    def _decorated(self, rows: Any) -> list[TrackedPage]:
        pages: list[Any] = reports.decorate(rows, now=self.now, days=self.days)
        for page in pages:
            page.page_class_name = str(page.page_class or "")
        return pages

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        context["period"] = period_label(self.days)
        return context


class PageReportView(SafeExportMixin, PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """One page: numbers, a chart, where its visits came from and who they were."""

    template_name = "wagtail_ma/admin/pages/report.html"
    header_icon = "doc-full"
    any_permission_required = ["view"]
    list_export = ["day", "views", "visits", "visitors", "engaged_median", "engaged_p90"]
    export_headings = {
        "day": gettext_lazy("Day"),
        "views": gettext_lazy("Views"),
        "visits": gettext_lazy("Visits"),
        "visitors": gettext_lazy("Visitors"),
        "engaged_median": gettext_lazy("Seconds read, median"),
        "engaged_p90": gettext_lazy("Seconds read, 90th percentile"),
    }

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.now = timezone.now()
        self.days = reports.period(request.GET.get("days"))
        pages = TrackedPage.objects.select_related("page_class", "page").prefetch_related("topics")
        self.tracked = get_object_or_404(pages, pk=kwargs["tracked_page_id"])
        self.report = reports.page_report([self.tracked.pk], now=self.now, days=self.days)
        if self.is_export:
            response: HttpResponse = self.as_spreadsheet(self.report.days, request.GET["export"])
            return response
        return super().get(request, *args, **kwargs)

    def get_filename(self) -> str:
        return f"page-{self.tracked.pk}"

    def get_heading(self, queryset: Any, field: str) -> str:
        return str(self.export_headings[field])

    def get_page_title(self) -> str:
        return str(self.tracked)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": f"{reverse(f'{NAMESPACE}:index')}?days={self.days}", "label": _("Pages")},
            {"url": "", "label": self.get_page_title()},
        ]

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        buttons = [HeaderButton(_("View page"), url=self.tracked.url, icon_name="link-external")]
        page = self.tracked.page
        if page is not None and page.permissions_for_user(self.request.user).can_edit():
            url = reverse("wagtailadmin_pages:edit", args=[page.pk])
            buttons.insert(0, HeaderButton(_("Edit page"), url=url, icon_name="edit"))
        return buttons

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        report = self.report
        context.update(
            header_buttons=self.header_buttons,
            tracked=self.tracked,
            report=report,
            figures=figures(report),
            periods=period_choices(self.days),
            days=self.days,
            views_chart=views_chart(report),
            days_table=days_table(report),
            channels_chart=charts.horizontal_bars(report.channels, title=_("Visits by channel")),
            readers=reports.readers(
                [self.tracked.pk],
                now=self.now,
                days=self.days,
                with_leads=may(self.request, Lead, "view"),
            ),
            detail_since=retention.detail_since(),
        )
        return context


def figures(report: reports.PageReport) -> list[dict[str, Any]]:
    """The cards of a page report; durations and shares as text."""

    def duration(seconds: float | None) -> str:
        return "–" if seconds is None else spoken(seconds)

    scroll = "–" if report.scroll_percent is None else _("%(n)d %%") % {"n": round(report.scroll_percent)}
    return [
        {"label": _("Views"), "value": report.views},
        {"label": _("Visitors"), "value": report.people},
        {"label": _("Visits"), "value": report.visits},
        {"label": _("Read for (median)"), "text": duration(report.engaged_median)},
        {"label": _("90th percentile"), "text": duration(report.engaged_p90)},
        {"label": _("Scrolled to (mean)"), "text": scroll},
    ]


def curve(report: reports.PageReport) -> Any:
    """Views per day as a small line."""
    return charts.sparkline([day.views for day in report.days])


def views_chart(report: reports.PageReport) -> Any:
    """Views and visitors per day."""
    return charts.line_chart(
        [
            charts.Series(_("Views"), [(day.day.isoformat(), day.views) for day in report.days]),
            charts.Series(_("Visitors"), [(day.day.isoformat(), day.visitors) for day in report.days]),
        ],
        title=_("Views and visitors per day"),
    )


def days_table(report: reports.PageReport) -> Any:
    """The numbers of the chart, newest first."""
    headings = [_("Day"), _("Views"), _("Visits"), _("Visitors"), _("Read for (median)")]
    rows = [
        (
            day.day.isoformat(),
            day.views,
            day.visits,
            day.visitors,
            None if day.engaged_median is None else spoken(day.engaged_median),
        )
        for day in reversed(report.days)
    ]
    return charts.data_table(headings, rows, caption=_("Views and visitors per day"))


class PageReportViewSet(ViewSet):
    """The screens about how pages are visited."""

    name = NAMESPACE
    url_prefix = "marketing/pages"
    icon = "doc-full"
    menu_label = gettext_lazy("Pages")
    menu_name = "wagtail-ma-pages"

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return permission_menu_item(Visitor)

    def get_urlpatterns(self) -> list[Any]:
        index = {
            "index_url_name": f"{NAMESPACE}:index",
            "index_results_url_name": f"{NAMESPACE}:index_results",
        }
        return [
            path("", PageIndexView.as_view(**index), name="index"),
            path("results/", PageIndexView.as_view(results_only=True, **index), name="index_results"),
            path("<int:tracked_page_id>/", PageReportView.as_view(), name="page"),
        ]
