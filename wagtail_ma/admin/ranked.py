"""The ranked list of visitors and leads: filters, columns, pages, export."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django_filters
from django.db.models import Case, CharField, Exists, OuterRef, QuerySet, Subquery, Value, When
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import BaseColumn, Column, DateColumn, NumberColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.permissions import policy_registry

from wagtail_ma.admin.exports import SafeExportMixin
from wagtail_ma.admin.permissions import may
from wagtail_ma.conf import conf
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.reports import ranked
from wagtail_ma.reports.channels import CHANNEL_LABELS
from wagtail_ma.reports.keyset import COUNT_LIMIT, capped_count, page
from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.scoring import bands
from wagtail_ma.scoring.models import Standing
from wagtail_ma.segments.models import Membership, Segment, Source
from wagtail_ma.tracking.models import Topic, Visit

SEEN_WITHIN = [(1, gettext_lazy("24 hours")), (7, gettext_lazy("7 days")), (30, gettext_lazy("30 days"))]
RECORDING = [("on", gettext_lazy("Recorded")), ("off", gettext_lazy("Not recorded"))]
PAGE_SIZE = 50


def recording_filter() -> django_filters.Filter:
    """Rows of visitors who are recorded, or of those who have asked not to be."""
    return django_filters.TypedChoiceFilter(
        label=gettext_lazy("Recording"),
        choices=RECORDING,
        field_name="visitor__unrecorded_at",
        lookup_expr="isnull",
        coerce=lambda value: value == "on",
    )


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
    fit = django_filters.ChoiceFilter(
        label=gettext_lazy("Fit"), choices=[(each, each) for each in bands.LETTERS], field_name="fit_grade"
    )
    engagement = django_filters.ChoiceFilter(
        label=gettext_lazy("Engagement"),
        choices=[(each, each) for each in bands.NUMBERS],
        method="filter_engagement",
    )
    topic = django_filters.ModelChoiceFilter(
        label=gettext_lazy("Interested in"), queryset=Topic.objects.all(), method="filter_topic"
    )
    hot = django_filters.ChoiceFilter(
        label=gettext_lazy("Hot lead"), choices=HotDefinition.List.choices, method="filter_hot"
    )
    company = django_filters.CharFilter(label=gettext_lazy("Company"), method="filter_company")
    channel = django_filters.ChoiceFilter(
        label=gettext_lazy("Came from"), choices=list(CHANNEL_LABELS.items()), method="filter_channel"
    )
    segment = django_filters.ModelChoiceFilter(
        label=gettext_lazy("Segment"), queryset=Segment.objects.filter(is_live=False), method="filter_segment"
    )

    recording = recording_filter()

    class Meta:
        model = Standing
        fields: list[str] = []

    def filter_who(self, queryset: QuerySet[Standing], name: str, value: str) -> QuerySet[Standing]:
        return queryset.filter(is_named=value == "lead")

    def filter_seen(self, queryset: QuerySet[Standing], name: str, value: str) -> QuerySet[Standing]:
        return queryset.filter(last_seen_at__gte=timezone.now() - timedelta(days=int(value)))

    def filter_engagement(self, queryset: QuerySet[Standing], name: str, value: str) -> QuerySet[Standing]:
        return ranked.in_engagement_band(queryset, value, now=timezone.now())

    def filter_topic(self, queryset: QuerySet[Standing], name: str, value: Topic) -> QuerySet[Standing]:
        return ranked.interested_in(queryset, value.pk)

    def filter_hot(self, queryset: QuerySet[Standing], name: str, value: str) -> QuerySet[Standing]:
        entries = HotEntry.objects.filter(
            visitor=OuterRef("visitor"), closed_at__isnull=True, definition__list=value
        )
        return queryset.filter(Exists(entries))

    def filter_company(self, queryset: QuerySet[Standing], name: str, value: str) -> QuerySet[Standing]:
        return queryset.filter(visitor__lead__company_name__icontains=value)

    def filter_channel(self, queryset: QuerySet[Standing], name: str, value: str) -> QuerySet[Standing]:
        visits = Visit.objects.filter(visitor=OuterRef("visitor"), medium=value, is_bot=False)
        return queryset.filter(Exists(visits))

    def filter_segment(self, queryset: QuerySet[Standing], name: str, value: Segment) -> QuerySet[Standing]:
        return queryset.filter(visitor__memberships__segment=value)


class KeysetPaginator:
    """What Wagtail's listing asks of a paginator."""

    def __init__(self, count: int, is_capped: bool) -> None:
        self.count = count
        self.is_capped = is_capped

    def get_elided_page_range(self, number: Any) -> list[int]:
        """There are no numbered pages."""
        return []


class KeysetPage:
    """One page: its rows and the cursors of those beside it."""

    def __init__(self, rows: list[Any], next_cursor: str, previous_cursor: str, is_first: bool) -> None:
        self.object_list = rows
        self.next_cursor = next_cursor
        self.previous_cursor = previous_cursor
        self.is_first = is_first

    @property
    def has_other_pages(self) -> bool:
        """Whether this is not the whole list."""
        return bool(self.next_cursor or self.previous_cursor or not self.is_first)


class SelectColumn(BaseColumn):
    """The box that selects a row for something done to many at once, by the visitor's id."""

    header_template_name = "wagtailadmin/bulk_actions/select_all_checkbox_cell.html"
    cell_template_name = "wagtail_ma/admin/visitors/select_cell.html"


class NameColumn(TitleColumn):
    """Name and marks: named or still anonymous, customer, hot."""

    cell_template_name = "wagtail_ma/admin/visitors/name_cell.html"

    def get_cell_context_data(self, instance: Standing, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        context["visitor"] = instance.visitor
        context["lead"] = getattr(instance.visitor, "lead", None)
        context["hot"] = getattr(instance, "hot", [])
        return context


class ScoreColumn(NumberColumn):
    """The score, its line over 30 days and its change in 7."""

    cell_template_name = "wagtail_ma/admin/visitors/score_cell.html"


class MembershipColumn(TitleColumn):
    """What keeps somebody in the segment, since when; it leads to the reason."""

    cell_template_name = "wagtail_ma/admin/visitors/membership_cell.html"


class RankedListMixin:
    """Which rows a request asks for: shared by the list and by what is done to all of it."""

    request: Any

    def base_rows(self) -> QuerySet[Standing]:
        """The people of the chosen list whom this person may see."""
        found = ranked.listed(self.which, now=timezone.now())
        if ids := self.request.GET.get("ids", ""):
            found = found.filter(visitor_id__in=ranked.read_ids(ids.split(",")))
        # Names are another right than numbers.
        return found if may(self.request, Lead, "view") else found.filter(visitor__lead__isnull=True)

    def all_rows(self) -> QuerySet[Standing]:
        """What the list shows on all its pages: filters and search respected."""
        found = self.base_rows()
        filters = VisitorFilterSet(data=self.request.GET, request=self.request, queryset=found)
        found = filters.qs if filters.is_valid() else found.none()
        return ranked.searched(found, self.request.GET.get("q", ""))

    @cached_property
    def which(self) -> str:
        """The chosen list. Whoever searches, or looks into a segment, looks among everybody."""
        asked = self.request.GET.get("list", "")
        if asked in ranked.LISTS:
            return str(asked)
        is_narrow = any(self.request.GET.get(name) for name in ("q", "segment", "ids"))
        return "all" if is_narrow else ranked.ACTIVE


class VisitorIndexView(RankedListMixin, SafeExportMixin, generic.IndexView):
    """Everybody, most likely buyers first: the order of an index, the same at any time."""

    model = Standing
    page_title = gettext_lazy("Visitors and leads")
    header_icon = "wagtail-ma-people"
    template_name = "wagtail_ma/admin/visitors/index.html"
    results_template_name = "wagtail_ma/admin/visitors/index_results.html"
    filterset_class = VisitorFilterSet
    default_ordering = "-rank"
    paginate_by = PAGE_SIZE
    any_permission_required = ["view"]
    export_permission = "wagtail_ma.export_lead"
    export_headings = {
        "label": gettext_lazy("Name"),
        "company": gettext_lazy("Company"),
        "email": gettext_lazy("E-mail address"),
        "grade": gettext_lazy("Grade"),
        "score": gettext_lazy("Score"),
        "visit_count": gettext_lazy("Visits"),
        "view_count": gettext_lazy("Pages"),
        "last_seen_at": gettext_lazy("Last seen"),
        "member_since": gettext_lazy("In the segment since"),
        "kept_by": gettext_lazy("Kept in it by"),
    }
    export_filename = "visitors"

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)

    @cached_property
    def is_searchable(self) -> bool:
        return True

    @property
    def list_export(self) -> list[str]:
        """Of a segment's members also since when, and what keeps them in it."""
        of_members = {"member_since", "kept_by"}
        return [name for name in self.export_headings if self.segment_id or name not in of_members]

    @cached_property
    def columns(self) -> list[Any]:
        columns: list[Any] = [
            SelectColumn("bulk_actions"),
            NameColumn("label", label=_("Name"), get_url=self.get_visitor_url),
            Column("company", label=_("Company")),
            Column("grade", label=_("Grade")),
            ScoreColumn("score", label=_("Score")),
            NumberColumn("visit_count", label=_("Visits")),
            NumberColumn("view_count", label=_("Pages")),
            Column("engaged", label=_("Time spent")),
            DateColumn("last_seen_at", label=_("Last seen")),
        ]
        if self.segment_id:
            # In place of the time spent: a table has its width.
            columns = [column for column in columns if column.name != "engaged"]
            columns.append(MembershipColumn("kept_by", label=_("Kept in it by"), get_url=self.get_why_url))
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
        return self.base_rows()

    def search_queryset(self, queryset: QuerySet[Standing]) -> QuerySet[Standing]:
        return ranked.searched(queryset, self.search_query or "")

    def get_valid_orderings(self) -> list[str]:
        by_topic = bool(self.filters and self.filters.is_valid() and self.filters.form.cleaned_data["topic"])
        return [key for key in ranked.ORDERS if by_topic or key != "-interest"]

    def get_queryset(self) -> QuerySet[Standing]:
        found = self.search_queryset(self.filter_queryset(self.get_base_queryset()))
        order = ranked.ORDERS[str(self.ordering)]
        if order.key == "last_seen_at":
            found = found.filter(last_seen_at__isnull=False)
        if self.segment_id:
            found = self._with_membership(found)
        # The second key makes the order stable where numbers are equal.
        return found.order_by(f"-{order.key}", f"-{order.tie}")

    def _with_membership(self, found: QuerySet[Standing]) -> QuerySet[Standing]:
        mine = Membership.objects.filter(visitor=OuterRef("visitor"), segment=self.segment_id)
        labels = [When(source=source, then=Value(str(label))) for source, label in Source.choices]
        kept_by = mine.annotate(label=Case(*labels, output_field=CharField())).values("label")
        return found.annotate(member_since=Subquery(mine.values("entered_at")), kept_by=Subquery(kept_by))

    def to_row_dict(self, item: Standing) -> Any:
        return super().to_row_dict(ranked.decorate(item, now=timezone.now()))

    def paginate_queryset(self, queryset: Any, page_size: int) -> Any:
        cursor = self.request.GET.get(self.page_kwarg, "")
        found = page(queryset, ranked.ORDERS[str(self.ordering)], cursor=cursor, size=page_size)
        ranked.decorate_page(found.rows, now=timezone.now())
        paginator = KeysetPaginator(*capped_count(queryset))
        shown = KeysetPage(found.rows, found.next_cursor, found.previous_cursor, is_first=not cursor)
        return paginator, shown, found.rows, shown.has_other_pages

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        context["anything_recorded"] = bool(context["object_list"]) or Visitor.objects.exists()
        context["which"] = self.which
        context["tabs"] = self._tabs()
        context["orders"] = self._orders()
        context["count_limit"] = COUNT_LIMIT
        context["about"] = self._about()
        return context

    def _link(self, **changes: str) -> str:
        query = self.request.GET.copy()
        for name in (self.page_kwarg, "_w_filter_fragment", "export", *changes):
            query.pop(name, None)
        query.update({name: value for name, value in changes.items() if value})
        return f"{self.index_url}?{query.urlencode()}"

    def _tabs(self) -> list[dict[str, Any]]:
        return [
            {"label": label, "url": self._link(list=key), "is_current": key == self.which}
            for key, label in ranked.LISTS.items()
        ]

    def _orders(self) -> list[dict[str, Any]]:
        labels = {
            "-rank": _("Most likely to buy first"),
            "-last_seen_at": _("Last seen first"),
            "-interest": _("Most interested first"),
        }
        return [
            {"label": label, "url": self._link(ordering=key), "is_current": key == self.ordering}
            for key, label in labels.items()
            if key in self.get_valid_orderings()
        ]

    def _about(self) -> str:
        if self.which == "customers":
            return _(
                "Customers do not stand in the ranking of new business; they have this list of their own."
            )
        if self.which == "all":
            return _("Everybody but those who are excluded, customers too.")
        return ngettext(
            "Who viewed or did something at least %(actions)d time in the last %(days)d days; no customers.",
            "Who viewed or did something at least %(actions)d times in the last %(days)d days; no customers.",
            conf.ACTIVE_ACTIONS,
        ) % {"actions": conf.ACTIVE_ACTIONS, "days": conf.ACTIVE_DAYS}
