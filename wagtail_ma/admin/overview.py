"""The overview: how the site does, and what the installation still needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

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

from wagtail_ma.admin.page_report import period_choices, report_url
from wagtail_ma.admin.permissions import permission_menu_item
from wagtail_ma.core.durations import spoken
from wagtail_ma.forms.models import GatedDocument, LeadForm
from wagtail_ma.jobs.models import Heartbeat
from wagtail_ma.jobs.tick import NAME
from wagtail_ma.messaging.models import SenderProfile
from wagtail_ma.people.models import Visitor
from wagtail_ma.reports import charts
from wagtail_ma.reports import pages as reports
from wagtail_ma.reports.overview import Overview, overview, waiting_news
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.segments.models import Segment
from wagtail_ma.tracking import retention
from wagtail_ma.tracking.models import PageView

# A worker that has not been heard of for so long is reported as down.
WORKER_SILENCE = timedelta(minutes=3)


@dataclass(frozen=True)
class Task:
    """One line of the checklist."""

    label: str
    help: str
    is_done: bool
    url: str


class OverviewView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """The numbers of a period, charts, the most viewed pages, and the checklist."""

    template_name = "wagtail_ma/admin/overview/overview.html"
    page_title = gettext_lazy("Marketing overview")
    header_icon = "wagtail-ma"
    any_permission_required = ["view"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.page_title}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        now = timezone.now()
        days = reports.period(self.request.GET.get("days"))
        numbers = overview(now=now, days=days)
        waiting, failed = waiting_news(now=now)
        context.update(
            numbers=numbers,
            days=days,
            periods=period_choices(days),
            figures=_figures(numbers),
            detail_since=retention.detail_since(period_start=now - timedelta(days=days)),
            visits_chart=_visits_chart(numbers),
            visits_table=_visits_table(numbers),
            channels_chart=charts.horizontal_bars(numbers.channels, title=_("Visits by channel")),
            top_pages=[
                {"page": page, "views": views, "url": report_url(page.pk, days=days)}
                for page, views in numbers.top_pages
            ],
            worker=_worker(now=now),
            waiting=waiting,
            failed=failed,
            checklist=checklist(),
        )
        context["open_tasks"] = [task for task in context["checklist"] if not task.is_done]
        return context


def _figures(numbers: Overview) -> list[dict[str, Any]]:
    def duration(seconds: float | None) -> str:
        return "–" if seconds is None else spoken(seconds)

    return [
        {"label": _("Visitors"), "value": numbers.visitors},
        {"label": _("New visitors"), "value": numbers.new_visitors},
        {"label": _("Returning visitors"), "value": numbers.returning_visitors},
        {"label": _("Visits"), "value": numbers.visits},
        {"label": _("Page views"), "value": numbers.views},
        {"label": _("Time per page (median)"), "text": duration(numbers.engaged_median)},
        {"label": _("Time per page (90th percentile)"), "text": duration(numbers.engaged_p90)},
        {"label": _("Reading time in all"), "text": duration(numbers.engaged_seconds)},
        {"label": _("New leads"), "value": numbers.leads},
        {"label": _("Downloads"), "value": numbers.downloads},
        {"label": _("Mails sent"), "value": numbers.mails_sent},
        {"label": _("Mail clicks"), "value": numbers.mail_clicks},
        {"label": _("In scenarios now"), "value": numbers.in_scenarios},
    ]


def _visits_chart(numbers: Overview) -> Any:
    return charts.line_chart(
        [
            charts.Series(_("Visits"), [(day.day.isoformat(), day.visits) for day in numbers.days]),
            charts.Series(_("Visitors"), [(day.day.isoformat(), day.visitors) for day in numbers.days]),
        ],
        title=_("Visits and visitors per day"),
    )


def _visits_table(numbers: Overview) -> Any:
    return charts.data_table(
        [_("Day"), _("Visits"), _("Visitors"), _("Page views")],
        [(day.day.isoformat(), day.visits, day.visitors, day.views) for day in reversed(numbers.days)],
        caption=_("Visits and visitors per day"),
    )


def _worker(*, now: Any) -> dict[str, Any]:
    """Whether the background work was heard of lately."""
    beat = Heartbeat.objects.filter(name=NAME).first()
    last_at = beat.last_at if beat else None
    is_working = bool(beat and beat.lease_until and beat.lease_until > now)
    is_alive = is_working or bool(last_at and now - last_at < WORKER_SILENCE)
    return {"is_alive": is_alive, "last_at": last_at, "error": beat.error if beat else ""}


def checklist() -> list[Task]:
    """What a new installation needs, in the order that makes sense."""
    return [
        Task(
            _("Record page views"),
            _("Put the tag into your base template and open a page of your site in another browser."),
            PageView.objects.exists(),
            "",
        ),
        Task(
            _("Say what earns points"),
            _("Scoring rules turn behaviour into a rank."),
            ScoringRule.objects.exists(),
            reverse("wagtail_ma_scoring:index"),
        ),
        Task(
            _("Make a segment"),
            _("For example: read the pricing page three times."),
            Segment.objects.exists(),
            reverse("wagtail_ma_segments:index"),
        ),
        Task(
            _("Make a form"),
            _("A form is how an anonymous visitor gets a name."),
            LeadForm.objects.exists(),
            reverse("wagtail_ma_forms:index"),
        ),
        Task(
            _("Gate a document"),
            _("A whitepaper that asks for an address first."),
            GatedDocument.objects.exists(),
            reverse("wagtail_ma_gated:index"),
        ),
        Task(
            _("Say who your mails are from"),
            _("Name and postal address are shown at the foot of every mail."),
            SenderProfile.objects.exists(),
            reverse("wagtail_ma_senders:index"),
        ),
        Task(
            _("Publish a scenario"),
            _("For example: a mail one day after a download."),
            Scenario.objects.filter(live=True).exists(),
            reverse("wagtail_ma_scenarios:list"),
        ),
    ]


class OverviewViewSet(ViewSet):
    """The screen behind the first entry of the Marketing menu."""

    name = "wagtail_ma_overview"
    url_prefix = "marketing"
    icon = "wagtail-ma"
    menu_label = gettext_lazy("Overview")
    menu_name = "wagtail-ma-overview"

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return permission_menu_item(Visitor)

    def get_urlpatterns(self) -> list[Any]:
        return [path("", OverviewView.as_view(), name="index")]
