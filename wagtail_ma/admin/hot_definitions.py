"""What makes a lead hot: the definitions and their editor."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import BooleanColumn, Column, NumberColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet

from wagtail_ma.admin.widgets import CONDITIONAL, shown_if
from wagtail_ma.jobs import queue
from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.tree import Broken
from wagtail_ma.sales import hot
from wagtail_ma.sales.models import HotDefinition
from wagtail_ma.sales.patterns import number, patterns, read_rule, rule_sentence
from wagtail_ma.tracking.models import PageClass

Kind = HotDefinition.Kind


def _kinds_with(field: str) -> list[str]:
    return [str(pattern.kind) for pattern in patterns if field in pattern.fields]


class HotDefinitionForm(WagtailAdminModelForm):
    """A definition that can be decided."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        kind = cleaned.get("kind")
        if kind == Kind.SCORE and (cleaned.get("release_score") or 0) > (cleaned.get("score") or 0):
            self.add_error("release_score", _("Not higher than the score that makes hot."))
        if kind == Kind.RULE and "rule" not in self.errors and cleaned.get("rule") is not None:
            tree = read_rule(HotDefinition(match=cleaned.get("match", "all"), rule=cleaned["rule"]))
            if isinstance(tree, Broken):
                self.add_error("rule", tree.reason)
        elif cleaned.get("rule") is not None and kind != Kind.RULE and stored(cleaned["rule"]):
            # What the kind does not ask for is not kept: it would come back when the kind changes.
            cleaned["rule"] = HotDefinition().rule
        for name in ("days", "times", "silent_days", "expiry_days"):
            if cleaned.get(name) == 0:
                self.add_error(name, _("At least 1."))
        return cleaned


class _LookAgainMixin:
    """After a change everybody is searched anew."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        hot.definition_changed(form.instance)
        queue.wake()
        return response


class HotDefinitionAddView(_LookAgainMixin, generic.CreateView):
    """A new definition."""


class HotDefinitionCopyView(_LookAgainMixin, generic.CopyView):
    """A copy of one."""


class HotDefinitionEditView(_LookAgainMixin, generic.EditView):
    """An existing one."""


class WhenColumn(Column):
    """Who is hot by it, as a sentence; or why nobody can be."""

    def get_value(self, instance: HotDefinition) -> str:
        if instance.broken_reason and instance.kind != Kind.RULE:
            return instance.broken_reason
        return sentence(instance)


def sentence(definition: HotDefinition) -> str:
    """A definition in words."""
    words = {
        "days": definition.days,
        "times": definition.times,
        "silent": definition.silent_days,
        "minutes": definition.minutes,
        "score": definition.score,
        "release": definition.release_score,
        "seconds": definition.min_seconds or round(definition.learned_seconds or 60),
        "factor": number(definition.factor),
        "cancellation": PageClass.BuiltIn.CANCELLATION.label,
    }
    if definition.kind == Kind.RULE:
        return rule_sentence(definition)
    return {
        Kind.SCORE: _("The score reaches %(score)d; until it falls below %(release)d."),
        Kind.PRICING_READ: _("Reads prices for %(seconds)d seconds or longer in %(days)d days."),
        Kind.REASSURANCE: _("Reads %(times)d cases or answers in %(days)d days, but no product page."),
        Kind.SAME_PAGE: _("Opens the same article %(times)d times in %(days)d days."),
        Kind.FORM_LEFT: _("Starts a form and has not sent it after %(minutes)d minutes."),
        Kind.SURGE: _("After %(silent)d days of silence comes %(times)d times in %(days)d days."),
        Kind.COMPANY_SURGE: _(
            "After %(silent)d days without anybody from a company its people come %(times)d times in "
            "%(days)d days."
        ),
        Kind.SENIOR: _("A manager comes within %(days)d days after staff of the same company."),
        Kind.DROP: _(
            "A customer who usually comes at least %(times)d times in %(days)d days comes %(factor)s times "
            "less often, or not at all."
        ),
        Kind.CANCELLATION: _("A customer opens pages of the class “%(cancellation)s” within %(days)d days."),
    }[Kind(definition.kind)] % words


class HotDefinitionIndexView(generic.IndexView):
    """All definitions, with how many are hot by each now."""

    template_name = "wagtailadmin/generic/index.html"
    results_template_name = "wagtail_ma/admin/hot/definitions_results.html"
    default_ordering = "list"

    @cached_property
    def columns(self) -> list[Column]:
        return [
            self._get_title_column("name"),
            WhenColumn("when", label=_("Who is hot")),
            Column("get_list_display", label=_("List"), sort_key="list"),
            NumberColumn("hot_count", label=_("Hot now")),
            BooleanColumn("is_active", label=_("Active"), sort_key="is_active"),
        ]

    def get_base_queryset(self) -> QuerySet[HotDefinition]:
        is_open = Q(entries__closed_at__isnull=True, entries__visitor__excluded_reason="")
        found: QuerySet[HotDefinition] = super().get_base_queryset()
        return found.annotate(hot_count=Count("entries", filter=is_open & Q(entries__isnull=False)))

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        lists = {"url": reverse("wagtail_ma_hot:index"), "label": _("Hot leads")}
        return [*self.breadcrumbs_items, lists, {"url": "", "label": self.get_page_title()}]


class HotDefinitionViewSet(ModelViewSet):
    """List, add, edit, copy and delete definitions; reached from the hot lists."""

    model = HotDefinition
    name = "wagtail_ma_hot_definitions"
    url_prefix = "marketing/hot/definitions"
    icon = "wagtail-ma-hot"
    add_to_reference_index = False
    index_view_class = HotDefinitionIndexView
    add_view_class = HotDefinitionAddView
    edit_view_class = HotDefinitionEditView
    copy_view_class = HotDefinitionCopyView
    list_filter = ["list", "kind", "is_active"]
    search_fields = ["name"]
    search_backend_name = None
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "Whoever does what is said here stands on the list with the reason, until it is handled, "
                    "its time is up or it no longer holds. Several definitions work side by side."
                )
            ),
            MultiFieldPanel(
                [
                    FieldPanel("name"),
                    FieldPanel("kind"),
                    FieldRowPanel(
                        [
                            FieldPanel("score", help_text=gettext_lazy("Points of the current score.")),
                            FieldPanel(
                                "release_score",
                                help_text=gettext_lazy("Lower, so that a point more or less does not flap."),
                            ),
                        ],
                        attrs=shown_if("kind", Kind.SCORE),
                    ),
                    FieldPanel("match", attrs=shown_if("kind", Kind.RULE)),
                    FieldPanel("rule", attrs=shown_if("kind", Kind.RULE)),
                    FieldPanel("silent_days", attrs=shown_if("kind", Kind.SURGE)),
                    FieldPanel(
                        "times",
                        help_text=gettext_lazy("Visits, views of the article, or cases and answers read."),
                        attrs=shown_if("kind", Kind.REASSURANCE, Kind.SAME_PAGE, Kind.SURGE),
                    ),
                    FieldPanel(
                        "min_seconds",
                        help_text=gettext_lazy(
                            "Prices: empty means longer than nine in ten readers of this site. Cases and "
                            "answers: so long altogether is enough, too."
                        ),
                        attrs=shown_if("kind", Kind.PRICING_READ, Kind.REASSURANCE),
                    ),
                    FieldPanel("minutes", attrs=shown_if("kind", Kind.FORM_LEFT)),
                    FieldPanel(
                        "factor",
                        help_text=gettext_lazy(
                            "Compared with what this person used to read in as many days."
                        ),
                        attrs=shown_if("kind", Kind.SURGE),
                    ),
                    FieldPanel(
                        "days",
                        help_text=gettext_lazy("What is older does not count."),
                        attrs=shown_if(
                            "kind", *[kind for kind in Kind.values if kind not in ("score", "rule")]
                        ),
                    ),
                ],
                heading=gettext_lazy("Who is hot"),
            ),
            MultiFieldPanel(
                [
                    FieldPanel("list"),
                    FieldRowPanel(
                        [
                            FieldPanel(
                                "expiry_days",
                                help_text=gettext_lazy("After the last act that speaks for it."),
                            ),
                            FieldPanel(
                                "rearm_days",
                                help_text=gettext_lazy(
                                    "Once handled or over, the same person is not shown again for so long."
                                ),
                            ),
                        ]
                    ),
                    FieldPanel("is_active"),
                ],
                heading=gettext_lazy("Where, and how long"),
            ),
        ],
        attrs=CONDITIONAL,
        base_form_class=HotDefinitionForm,
    )
