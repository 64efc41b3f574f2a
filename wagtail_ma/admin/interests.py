"""Who is interested in what: people × products, what caused it, and how warm everybody is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.permissions import policy_registry

from wagtail_ma.admin.exports import SafeExportMixin
from wagtail_ma.admin.permissions import may, permission_menu_item
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.reports import charts
from wagtail_ma.reports import interests as reports
from wagtail_ma.scoring import queries as scores
from wagtail_ma.scoring.facts import LEVEL_NAMES
from wagtail_ma.scoring.interests import LEVEL_THRESHOLDS, LEVELS
from wagtail_ma.tracking import retention
from wagtail_ma.tracking.models import Topic

PER_PAGE = 50
# Of the two charts of temperatures, in the units of a chart.
SIDE_BY_SIDE = 360
# Nobody pages further by hand; filter instead.
MAX_ROWS = 10_000
# Of an export, at once.
PER_READ = 500
EXPORT_PERMISSION = "wagtail_ma.export_lead"


class _CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no more rows than anybody would page through."""

    @property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return len(rows.order_by().values_list("pk", flat=True)[:MAX_ROWS])


class _PeopleView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """For those who may see visitors."""

    any_permission_required = ["view"]
    header_icon = "tag"

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]

    @property
    def may_see_names(self) -> bool:
        return may(self.request, Lead, "view")

    def label(self, visitor: Visitor) -> str:
        """The name, for those who may see it."""
        lead = getattr(visitor, "lead", None)
        return str(lead) if lead and self.may_see_names else visitor.label


class InterestsView(_PeopleView):
    """People × topics."""

    page_title = gettext_lazy("Interests")
    template_name = "wagtail_ma/admin/interests/index.html"

    @cached_property
    def asked(self) -> dict[str, Any]:
        """What the address asks for: kind of topics, whom, the topic to sort by."""
        kind = self.request.GET.get("kind")
        kind = kind if kind in Topic.Kind.values else Topic.Kind.PRODUCT.value
        shown = reports.topics(kind)
        return {
            "kind": kind,
            "who": self.request.GET.get("who", ""),
            "topics": shown,
            "chosen": next((each for each in shown if str(each.pk) == self.request.GET.get("topic")), None),
            "is_products": kind == Topic.Kind.PRODUCT,
        }

    def people(self) -> QuerySet[Any]:
        """Whom the matrix lists, in its order."""
        named = {"lead": True, "anonymous": False}.get(self.asked["who"])
        return reports.people(topic=self.asked["chosen"], named=named)

    def lines(self, rows: list[Any]) -> list[Any]:
        """The matrix for these rows, with what is shown beside it."""
        now = timezone.now()
        found: list[Any] = reports.lines(rows, self.asked["topics"], now=now)
        for line in found:
            line.label = self.label(line.standing.visitor)
            line.grade = scores.grade(line.standing, now=now)
            line.score = scores.current_score(line.standing, now=now)
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        page = _CappedPaginator(self.people(), PER_PAGE).get_page(self.request.GET.get("p"))
        context.update(
            self.asked,
            kinds=[(Topic.Kind.PRODUCT.value, _("Products")), (Topic.Kind.CONCERN.value, _("Concerns"))],
            whos=[("", _("Everybody")), ("lead", _("Named")), ("anonymous", _("Anonymous"))],
            page=page,
            lines=self.lines(list(page.object_list)),
            may_edit_topics=may(self.request, Topic, "change", "add"),
            exports=self._exports() if self.request.user.has_perm(EXPORT_PERMISSION) else [],
            most=MAX_ROWS,
        )
        return context

    def _exports(self) -> list[tuple[str, str]]:
        url = reverse("wagtail_ma_interests:export")
        query = self.request.GET.copy()
        query.pop("p", None)
        found = []
        for key, label in (("xlsx", _("Download XLSX")), ("csv", _("Download CSV"))):
            query["export"] = key
            found.append((f"{url}?{query.urlencode()}", label))
        return found


class InterestsExportView(SafeExportMixin, InterestsView):
    """The same matrix as a file, the first :data:`MAX_ROWS` people of it."""

    export_permission = EXPORT_PERMISSION
    export_filename = "interests"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not self.is_export:
            return redirect("wagtail_ma_interests:index")
        columns = {f"topic_{each.pk}": str(each) for each in self.asked["topics"]}
        self.list_export = ["label", "company", "grade", "score", *columns]
        self.export_headings = {
            "label": _("Visitor"),
            "company": _("Company"),
            "grade": _("Grade"),
            "score": _("Score"),
            **columns,
        }
        return self.as_spreadsheet(self._rows(), request.GET.get("export"))

    def _rows(self) -> Iterator[Any]:
        people = self.people()
        for start in range(0, MAX_ROWS, PER_READ):
            rows = list(people[start : start + PER_READ])
            yield from self.lines(rows)
            if len(rows) < PER_READ:
                return

    def to_row_dict(self, item: Any) -> dict[str, Any]:
        lead = getattr(item.standing.visitor, "lead", None) if self.may_see_names else None
        return {
            "label": item.label,
            "company": lead.company_name if lead else "",
            "grade": item.grade,
            "score": round(item.score, 1),
            **{f"topic_{cell.topic.pk}": round(cell.weight) for cell in item.cells},
        }


class CausesView(_PeopleView):
    """The pages behind one interest of one person."""

    template_name = "wagtail_ma/admin/interests/causes.html"

    def get_page_title(self) -> str:
        return str(_("The pages behind it"))

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        first, *_others = super().get_breadcrumbs_items()
        return [
            first,
            {"url": reverse("wagtail_ma_interests:index"), "label": _("Interests")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        now = timezone.now()
        visitor = get_object_or_404(
            Visitor.objects.select_related("lead"), pk=self.kwargs["pk"], merged_into__isnull=True
        )
        topic = get_object_or_404(Topic, pk=self.kwargs["topic"])
        mine = scores.interests_of([visitor.pk], now=now)[visitor.pk]
        listed = mine.products if topic.kind == Topic.Kind.PRODUCT else mine.concerns
        context.update(
            visitor=visitor,
            visitor_label=self.label(visitor),
            topic=topic,
            interest=next((each for each in listed if each.topic == topic), None),
            causes=reports.causes(visitor.pk, topic, now=now),
            detail_since=retention.detail_since(period_start=visitor.first_seen_at),
        )
        return context


class TemperaturesView(_PeopleView):
    """How many people are how near to buying, and how many gather information."""

    page_title = gettext_lazy("Temperatures")
    template_name = "wagtail_ma/admin/interests/temperatures.html"
    header_icon = "thumbtack"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        found = reports.distribution(now=timezone.now())
        names = {level: str(LEVEL_NAMES[level]) for level in LEVELS}
        intent = [(names[level], sum(found.get((level, each), 0) for each in LEVELS)) for level in LEVELS]
        research = [(names[level], sum(found.get((each, level), 0) for each in LEVELS)) for level in LEVELS]
        context.update(
            total=sum(found.values()),
            intent_chart=charts.horizontal_bars(intent, title=_("Buying intent"), width=SIDE_BY_SIDE),
            research_chart=charts.horizontal_bars(
                research, title=_("Gathering information"), width=SIDE_BY_SIDE
            ),
            levels=[names[level] for level in LEVELS],
            table=[(names[i], [found.get((i, r), 0) for r in LEVELS]) for i in reversed(LEVELS)],
            thresholds=[(names[level], LEVEL_THRESHOLDS[level]) for level in LEVELS[1:]],
        )
        return context


class InterestsViewSet(ViewSet):
    """Interests and temperatures in the Marketing menu."""

    name = "wagtail_ma_interests"
    url_prefix = "marketing/interests"
    menu_label = gettext_lazy("Interests")
    menu_name = "wagtail-ma-interests"
    icon = "tag"

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return permission_menu_item(Visitor)

    def get_urlpatterns(self) -> list[Any]:
        return [
            path("", InterestsView.as_view(), name="index"),
            path("export/", InterestsExportView.as_view(), name="export"),
            path("temperatures/", TemperaturesView.as_view(), name="temperatures"),
            path("<int:pk>/<int:topic>/", CausesView.as_view(), name="causes"),
        ]
