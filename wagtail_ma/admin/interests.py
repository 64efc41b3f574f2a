"""Who is interested in what: people × products, what caused it, and how warm everybody is."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
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

from wagtail_ma.admin.permissions import may, permission_menu_item
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.reports import charts
from wagtail_ma.reports import interests as reports
from wagtail_ma.scoring import queries as scores
from wagtail_ma.scoring.facts import LEVEL_NAMES
from wagtail_ma.scoring.interests import LEVEL_THRESHOLDS, LEVELS
from wagtail_ma.tracking.models import Topic

PER_PAGE = 50
# Nobody pages further by hand; filter instead.
MAX_ROWS = 10_000


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

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        now = timezone.now()
        kind = self.request.GET.get("kind")
        kind = kind if kind in Topic.Kind.values else Topic.Kind.PRODUCT.value
        who = self.request.GET.get("who", "")
        shown = reports.topics(kind)
        chosen = next((each for each in shown if str(each.pk) == self.request.GET.get("topic")), None)
        named = {"lead": True, "anonymous": False}.get(who)
        rows = reports.people(topic=chosen, named=named)
        page = _CappedPaginator(rows, PER_PAGE).get_page(self.request.GET.get("p"))
        found = reports.lines(list(page.object_list), shown, now=now)
        for line in found:
            line.label = self.label(line.standing.visitor)  # type: ignore[attr-defined]
            line.grade = scores.grade(line.standing, now=now)  # type: ignore[attr-defined]
            line.score = scores.current_score(line.standing, now=now)  # type: ignore[attr-defined]
        context.update(
            kind=kind,
            kinds=[(Topic.Kind.PRODUCT.value, _("Products")), (Topic.Kind.CONCERN.value, _("Concerns"))],
            who=who,
            whos=[("", _("Everybody")), ("lead", _("Named")), ("anonymous", _("Anonymous"))],
            topics=shown,
            chosen=chosen,
            page=page,
            lines=found,
            is_products=kind == Topic.Kind.PRODUCT,
            may_edit_topics=may(self.request, Topic, "change", "add"),
        )
        return context


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
            intent_chart=charts.horizontal_bars(intent, title=_("Buying intent")),
            research_chart=charts.horizontal_bars(research, title=_("Gathering information")),
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
            path("temperatures/", TemperaturesView.as_view(), name="temperatures"),
            path("<int:pk>/<int:topic>/", CausesView.as_view(), name="causes"),
        ]
