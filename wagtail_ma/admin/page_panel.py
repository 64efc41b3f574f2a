"""How often a page is viewed, where editors work: a side panel in the page editor, and a column in
the list of pages.

Wagtail has no hook for either, but its registry of page view sets can be asked to use other views.
Every step is guarded: the worst that may happen to an editor is that panel and column are missing.
"""

from __future__ import annotations

import logging
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.ui.components import MediaContainer
from wagtail.admin.ui.side_panels import BaseSidePanel
from wagtail.admin.ui.tables import NumberColumn

from wagtail_ma.admin.page_report import curve, figures, report_url
from wagtail_ma.admin.permissions import may
from wagtail_ma.conf import conf
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.reports import pages as reports
from wagtail_ma.scoring import page_points
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.tracking.models import TrackedPage

logger = logging.getLogger(__name__)

READERS = 8


class VisitorsSidePanel(BaseSidePanel):
    """How this page was visited in the last 30 days, and by whom.

    Whoever may edit the page sees its numbers; people only those who may see visitors.
    """

    class SidePanelToggle(BaseSidePanel.SidePanelToggle):
        aria_label = gettext_lazy("Toggle visitors")
        icon_name = "wagtail-ma-people"
        has_counter = False

    name = "wagtail_ma_visitors"
    title = gettext_lazy("Visitors")
    template_name = "wagtail_ma/admin/pages/side_panel.html"
    order = 350

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(parent_context)
        context.update(self._points())
        page_ids = list(TrackedPage.objects.filter(page_id=self.object.pk).values_list("pk", flat=True))
        context["is_recorded"] = bool(page_ids)
        if not page_ids:
            return context
        now = timezone.now()
        report = reports.page_report(page_ids, now=now)
        context.update(report=report, figures=figures(report), curve=curve(report))
        if may(self.request, Visitor, "view"):
            context["may_see"] = True
            with_leads = may(self.request, Lead, "view")
            context["readers"] = reports.readers(page_ids, now=now, limit=READERS, with_leads=with_leads)
            context["url"] = report_url(page_ids[0])
        return context

    def _points(self) -> dict[str, Any]:
        """The rules about this page, and where to add one, for whoever may."""
        if not may(self.request, ScoringRule, "change"):
            return {}
        rules = list(page_points.rules_of(self.object.translation_key))
        add_url = f"{reverse('wagtail_ma_scoring:add')}?page={self.object.pk}"
        return {"rules": rules, "add_rule_url": add_url if may(self.request, ScoringRule, "add") else ""}

    def render_html(self, parent_context: Any = None) -> str:
        try:
            return super().render_html(parent_context)
        except Exception:
            logger.exception("the side panel of page %s could not be made", self.object.pk)
            return ""


class VisitorsPanelMixin:
    """For edit views of pages: one more side panel."""

    def get_side_panels(self) -> Any:
        panels = super().get_side_panels()  # type: ignore[misc]
        # Saving in the background renders panels anew each time; ours has nothing new to say.
        if self.expects_json_response or not conf.PAGE_PANEL:  # type: ignore[attr-defined]
            return panels
        return MediaContainer([*panels, VisitorsSidePanel(self.page, self.request)])  # type: ignore[attr-defined]


class ViewsColumnMixin:
    """For lists of pages: one more column, the views of the last 30 days."""

    @cached_property
    def explorable_columns(self) -> list[Any]:
        columns = list(super().explorable_columns)  # type: ignore[misc]
        if conf.PAGE_PANEL:
            column = NumberColumn("wagtail_ma_views", label=_("Views (30 days)"), accessor=_views_of)
            # The last one leads to the pages below.
            columns.insert(len(columns) - 1, column)
        return columns

    def get_table(self, object_list: Any) -> Any:
        if conf.PAGE_PANEL:
            _count_views(object_list)
        return super().get_table(object_list)  # type: ignore[misc]


def _count_views(object_list: Any) -> None:
    """Give each listed page its views; without them the column is empty."""
    try:
        pages = list(object_list)
        counts = reports.view_counts([page.pk for page in pages], now=timezone.now())
        for page in pages:
            page.wagtail_ma_views = counts.get(page.pk, 0)
    except Exception:
        logger.exception("the views of listed pages could not be counted")


def _views_of(page: Any) -> int | None:
    return getattr(page, "wagtail_ma_views", None)


def install() -> None:
    """Let the views of all page types have the panel and the column.

    To be called from a late ``register_admin_viewset`` hook, when all view sets of pages are
    registered and none of their views is built.
    """
    try:
        from wagtail.admin.viewsets.pages import page_viewset_registry as registry

        for viewset in {*registry.values_by_class.values(), *registry.values_by_exact_class.values()}:
            _extend(viewset, "edit_view_class", VisitorsPanelMixin)
            _extend(viewset, "index_view_class", ViewsColumnMixin)
    except Exception:
        logger.exception("the page editor gets no panel “Visitors”")


def _extend(viewset: Any, name: str, mixin: type) -> None:
    view = getattr(viewset, name)
    if not issubclass(view, mixin):
        viewset.__dict__[name] = type(view.__name__, (mixin, view), {})
