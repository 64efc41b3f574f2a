"""Whoever is left out: the list with reasons, bringing people back, and the rules."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.menu import MenuItem
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import BooleanColumn, Column, DateColumn, TitleColumn
from wagtail.admin.utils import get_valid_next_url_from_request
from wagtail.admin.views import generic
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permissions import policy_registry

from wagtail_ma.admin.permissions import VisitorActView, may, permission_menu_item
from wagtail_ma.admin.widgets import CONDITIONAL, shown_if
from wagtail_ma.jobs import queue
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.reports import ranked
from wagtail_ma.rules.tree import Broken
from wagtail_ma.sales import exclusions
from wagtail_ma.sales.models import ExclusionRule, Marking
from wagtail_ma.sales.patterns import read_rule, rule_sentence

Kind = ExclusionRule.Kind


class ExcludedFilterSet(WagtailFilterSet):
    """Why they are left out."""

    reason = django_filters.ChoiceFilter(
        label=gettext_lazy("Reason"), choices=lambda: reasons_in_use(), field_name="excluded_reason"
    )

    class Meta:
        model = Visitor
        fields: list[str] = []


def reasons_in_use() -> list[tuple[str, str]]:
    """The reasons that somebody is left out for now, in words."""
    found = exclusions.excluded().order_by("excluded_reason").values_list("excluded_reason", flat=True)
    names = exclusions.rule_names()
    return [(reason, exclusions.reason_label(reason, names)) for reason in found.distinct()]


class BackColumn(Column):
    """The button that brings somebody back."""

    cell_template_name = "wagtail_ma/admin/exclusions/back_cell.html"

    def get_cell_context_data(self, instance: Visitor, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        request = parent_context["request"]
        is_ours = exclusions.is_own_reason(instance.excluded_reason)
        context["may_change"] = may(request, Lead, "change") and (
            is_ours or instance.excluded_reason == Visitor.DOUBTFUL
        )
        context["request"] = request
        return context


class ExcludedView(generic.IndexView):
    """Everybody who is left out, with the reason; the newest first."""

    model = Visitor
    page_title = gettext_lazy("Excluded")
    header_icon = "no-view"
    template_name = "wagtailadmin/generic/index.html"
    results_template_name = "wagtail_ma/admin/exclusions/excluded_results.html"
    filterset_class = ExcludedFilterSet
    default_ordering = "-pk"
    paginate_by = 50
    any_permission_required = ["view"]
    list_export: list[str] = []

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)

    @cached_property
    def is_searchable(self) -> bool:
        return True

    @cached_property
    def header_buttons(self) -> list[Any]:
        if not may(self.request, ExclusionRule):
            return []
        url = reverse("wagtail_ma_exclusion_rules:index")
        return [HeaderButton(label=_("Rules"), url=url, icon_name="cog")]

    @cached_property
    def columns(self) -> list[Any]:
        return [
            TitleColumn(
                "name",
                label=_("Name"),
                get_url=lambda visitor: reverse("wagtail_ma_visitors:visitor", args=[visitor.pk]),
            ),
            Column("company", label=_("Company")),
            Column("reason", label=_("Reason")),
            Column("note", label=_("Note")),
            DateColumn("first_seen_at", label=_("First seen")),
            BackColumn("back", label=""),
        ]

    def get_base_queryset(self) -> QuerySet[Visitor]:
        said = Marking.objects.filter(visitor=OuterRef("pk"), kind=Marking.Kind.EXCLUDED, is_so=True)
        found = exclusions.excluded().annotate(note=Subquery(said.order_by("-decided_at").values("note")[:1]))
        return found if may(self.request, Lead, "view") else found.filter(lead__isnull=True)

    def search_queryset(self, queryset: QuerySet[Visitor]) -> QuerySet[Visitor]:
        return ranked.searched(queryset, self.search_query or "", path="")

    def order_queryset(self, queryset: QuerySet[Visitor]) -> QuerySet[Visitor]:
        return queryset.order_by("-pk")

    def get_edit_url(self, instance: Visitor) -> None:
        return None

    def paginate_queryset(self, queryset: Any, page_size: int) -> Any:
        paginator, page, rows, has_other = super().paginate_queryset(queryset, page_size)
        names = exclusions.rule_names()
        page.object_list = list(rows)
        for visitor in page.object_list:
            lead = getattr(visitor, "lead", None)
            visitor.name = str(lead or visitor)
            visitor.company = lead.company_name if lead else ""
            visitor.reason = exclusions.reason_label(visitor.excluded_reason, names)
            visitor.note = visitor.note or ""
        return paginator, page, page.object_list, has_other


class BackView(VisitorActView):
    """Bring somebody back: never excluded again, whatever the rules say."""

    def act(self, request: HttpRequest, visitor: Visitor) -> HttpResponse:
        kind = request.POST.get("kind", Marking.Kind.EXCLUDED)
        act, now = request.POST.get("act"), timezone.now()
        if kind in Marking.Kind.values and act == "rules":
            exclusions.withdraw(kind, [visitor.pk], now=now)
        elif kind in Marking.Kind.values and act in ("yes", "no"):
            note = request.POST.get("note", "")
            exclusions.say(kind, [visitor.pk], is_so=act == "yes", by=request.user, now=now, note=note)
        queue.wake()
        messages.success(request, _("Saved. Lists follow within seconds."))
        return redirect(get_valid_next_url_from_request(request) or reverse("wagtail_ma_excluded:index"))


class ExcludedViewSet(ViewSet):
    """The list in the Marketing menu."""

    name = "wagtail_ma_excluded"
    url_prefix = "marketing/excluded"
    icon = "no-view"
    menu_label = gettext_lazy("Excluded")
    menu_name = "wagtail-ma-excluded"

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return permission_menu_item(Visitor)

    def get_urlpatterns(self) -> list[Any]:
        index = {"index_url_name": "wagtail_ma_excluded:index"}
        index["index_results_url_name"] = "wagtail_ma_excluded:index_results"
        return [
            path("", ExcludedView.as_view(**index), name="index"),
            path("results/", ExcludedView.as_view(results_only=True, **index), name="index_results"),
            path("<int:visitor_id>/", BackView.as_view(), name="mark"),
        ]


class ExclusionRuleForm(WagtailAdminModelForm):
    """A rule that can be decided."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        kind = cleaned.get("kind")
        if kind == Kind.RULE and "rule" not in self.errors and cleaned.get("rule") is not None:
            tree = read_rule(ExclusionRule(match=cleaned.get("match", "all"), rule=cleaned["rule"]))
            if isinstance(tree, Broken):
                self.add_error("rule", tree.reason)
        if kind != Kind.RULE and "rule" in cleaned:
            cleaned["rule"] = ExclusionRule().rule
        if (cleaned.get("share_percent") or 0) > 100:
            self.add_error("share_percent", _("At most 100."))
        return cleaned


class _LookAgainMixin:
    """After a change everybody is looked at again."""

    def form_valid(self, form: Any) -> HttpResponse:
        before = None
        if form.instance.pk:
            before = ExclusionRule.objects.get(pk=form.instance.pk)
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        if before is not None:
            exclusions.before_deletion(before, now=timezone.now())
        exclusions.rule_changed(form.instance)
        queue.wake()
        return response


class ExclusionRuleAddView(_LookAgainMixin, generic.CreateView):
    """A new rule."""


class ExclusionRuleCopyView(_LookAgainMixin, generic.CopyView):
    """A copy of one."""


class ExclusionRuleEditView(_LookAgainMixin, generic.EditView):
    """An existing one."""


class ExclusionRuleDeleteView(generic.DeleteView):
    """Whoever was left out by it is looked at again."""

    def form_valid(self, form: Any) -> HttpResponse:
        exclusions.before_deletion(self.object, now=timezone.now())
        queue.wake()
        response: HttpResponse = super().form_valid(form)
        return response


class WhomColumn(Column):
    """Whom the rule leaves out, in words."""

    def get_value(self, instance: ExclusionRule) -> str:
        if instance.kind == Kind.RULE:
            return rule_sentence(instance)
        domains = ", ".join(instance.domains.split())
        words = {
            Kind.JOB_SEEKER: _("%(share)d %% of at least %(views)d pages viewed are careers pages.")
            % {"share": instance.share_percent, "views": instance.min_views},
            Kind.COMPETITOR: _(
                "Whoever belongs to a company marked as a competitor, or comes from a competitor’s network."
            ),
            Kind.STAFF: _("Whoever belongs to our own company, or comes from our own network."),
            Kind.STUDENT: _("Whoever gave “student” as job title."),
            Kind.BOT: _("Whoever came by nothing but visits of bots."),
        }[Kind(instance.kind)]
        return (
            _("%(words)s Addresses at %(domains)s.") % {"words": words, "domains": domains}
            if domains
            else words
        )


class ExclusionRuleIndexView(generic.IndexView):
    """All rules."""

    template_name = "wagtailadmin/generic/index.html"
    results_template_name = "wagtail_ma/admin/exclusions/rules_results.html"
    default_ordering = "pk"

    @cached_property
    def columns(self) -> list[Column]:
        return [
            self._get_title_column("name"),
            WhomColumn("whom", label=_("Who is left out")),
            BooleanColumn("is_active", label=_("Active"), sort_key="is_active"),
        ]

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        excluded = {"url": reverse("wagtail_ma_excluded:index"), "label": _("Excluded")}
        return [*self.breadcrumbs_items, excluded, {"url": "", "label": self.get_page_title()}]


class ExclusionRuleViewSet(ModelViewSet):
    """List, add, edit, copy and delete rules; reached from the list of the excluded."""

    model = ExclusionRule
    name = "wagtail_ma_exclusion_rules"
    url_prefix = "marketing/excluded/rules"
    icon = "no-view"
    add_to_reference_index = False
    index_view_class = ExclusionRuleIndexView
    add_view_class = ExclusionRuleAddView
    edit_view_class = ExclusionRuleEditView
    copy_view_class = ExclusionRuleCopyView
    delete_view_class = ExclusionRuleDeleteView
    list_filter = ["kind", "is_active"]
    search_fields = ["name", "domains"]
    search_backend_name = None
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "Whoever a rule names is still recorded, but stands in no ranking and gets no alerts and "
                    "no marketing mail. An exclusion ends by itself when its ground does; single people can "
                    "be excepted in the list “Excluded” and on their own page."
                )
            ),
            MultiFieldPanel(
                [
                    FieldPanel("name"),
                    FieldPanel("kind"),
                    FieldRowPanel(
                        [FieldPanel("share_percent"), FieldPanel("min_views")],
                        attrs=shown_if("kind", Kind.JOB_SEEKER),
                    ),
                    FieldPanel(
                        "domains",
                        attrs=shown_if("kind", *[kind for kind in Kind.values if kind != Kind.RULE]),
                    ),
                    FieldPanel("match", attrs=shown_if("kind", Kind.RULE)),
                    FieldPanel("rule", attrs=shown_if("kind", Kind.RULE)),
                    FieldPanel("is_active"),
                ],
                heading=gettext_lazy("Who is left out"),
            ),
        ],
        attrs=CONDITIONAL,
        base_form_class=ExclusionRuleForm,
    )
