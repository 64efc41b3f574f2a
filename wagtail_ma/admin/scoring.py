"""Scoring rules in the admin: the list, and what a change would do before it is applied."""

from __future__ import annotations

from copy import copy
from typing import Any

import swapper
from django.db.models import Min
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages
from wagtail.admin.ui.tables import BooleanColumn, Column, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet

from wagtail_ma.admin.permissions import may
from wagtail_ma.admin.scoring_form import EDIT_HANDLER
from wagtail_ma.jobs import queue
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.sales.models import HotDefinition
from wagtail_ma.scoring import current, lint, rescore, what_if
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.scoring.sentences import caps, sentence

# Where no definition of a hot lead says otherwise.
HOT_SCORE = 50
# What the form sends with the second of its two steps.
CONFIRMED, AGAIN = "confirmed", "again"


def hot_score() -> int:
    """From which score on somebody counts as hot: the lowest of the active definitions."""
    active = HotDefinition.objects.filter(kind=HotDefinition.Kind.SCORE, is_active=True)
    return active.aggregate(lowest=Min("score"))["lowest"] or HOT_SCORE


def apply_change(request: HttpRequest) -> None:
    """Have all scores computed again, in the background."""
    rescore.request(now=timezone.now())
    queue.wake()
    messages.info(
        request,
        _("All scores are being computed again. Lists show the old ones until that is done."),
    )


def effect(request: HttpRequest, rules: list[ScoringRule]) -> dict[str, Any]:
    """What is shown of a change: the numbers, and people only to whom may see them."""
    found = what_if.compare(rules, now=timezone.now(), threshold=hot_score())
    return {
        "found": found,
        "warnings": lint.warnings(rules, found.points_of_rules),
        "may_see_people": may(request, Visitor, "view"),
        "may_see_names": may(request, Lead, "view"),
    }


class PreviewMixin:
    """A rule is saved in two steps: first what would change is shown, then it is applied. What is doubtful
    about the rules as a whole stands above the form."""

    request: HttpRequest

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        form = context["form"]
        if form.is_bound and form.is_valid():
            # Back from the preview: the rules as they would be.
            rules = what_if.rules_with(copy(form.complete()))
            found = what_if.compare(rules, now=timezone.now(), threshold=hot_score())
            context["warnings"] = lint.warnings(rules, found.points_of_rules)
        else:
            context["warnings"] = lint.warnings()
        return context

    def form_valid(self, form: Any) -> HttpResponse:
        if AGAIN in self.request.POST:
            return self.render_to_response(self.get_context_data(form=form))  # type: ignore[attr-defined]
        if CONFIRMED in self.request.POST or not form.has_changed():
            response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
            if form.has_changed():
                apply_change(self.request)
            return response
        return self.preview(form)

    def preview(self, form: Any) -> HttpResponse:
        """What the change would do, with all that was entered kept in the page."""
        rule = form.complete()
        names = (CONFIRMED, "csrfmiddlewaretoken")
        kept = [
            (key, value) for key, values in self.request.POST.lists() if key not in names for value in values
        ]
        context = {
            "page_title": rule.name,
            "header_title": rule.name,
            "header_icon": "wagtail-ma-score",
            "rule": rule,
            "sentence": sentence(rule),
            "kept": kept,
            **effect(self.request, what_if.rules_with(rule)),
        }
        return TemplateResponse(self.request, "wagtail_ma/admin/scoring/preview.html", context)


class ScoringRuleCreateView(PreviewMixin, generic.CreateView):
    """A new rule; from the editor of a page (``?page=12``) one for its views."""

    template_name = "wagtail_ma/admin/scoring/form.html"

    def get_initial(self) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_initial()
        page_id = self.request.GET.get("page", "")
        if page_id.isascii() and page_id.isdigit() and len(page_id) < 10:
            page = swapper.load_model("wagtailcore", "Page").objects.filter(pk=int(page_id)).first()
            if page is not None:
                initial |= {
                    "name": (_("“%(page)s” viewed") % {"page": page.title})[:120],
                    "kind": ScoringRule.Kind.PAGE_VIEW,
                    "page": page.pk,
                    "is_page_alone": True,
                    "points": 5,
                    "max_per_day": 1,
                }
        return initial


class ScoringRuleCopyView(PreviewMixin, generic.CopyView):
    """A rule like another."""

    template_name = "wagtail_ma/admin/scoring/form.html"


class ScoringRuleEditView(PreviewMixin, generic.EditView):
    """An existing rule."""

    template_name = "wagtail_ma/admin/scoring/form.html"


class ScoringRuleDeleteView(generic.DeleteView):
    """Says what would change, too."""

    template_name = "wagtail_ma/admin/scoring/delete.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context.update(effect(self.request, what_if.rules_without(self.object)))
        return context

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        apply_change(self.request)
        return response


class RuleColumn(Column):
    """What the rule pays for, as a sentence."""

    def get_value(self, instance: ScoringRule) -> str:
        return sentence(instance)


class CapColumn(Column):
    """How often at most."""

    def get_value(self, instance: ScoringRule) -> str:
        return caps(instance)


class PointsColumn(Column):
    """With its sign; fit points are marked."""

    def get_value(self, instance: ScoringRule) -> str:
        points = f"{instance.points:+g}"
        return _("%(points)s fit") % {"points": points} if instance.is_fit else points


class ScoringRuleIndexView(generic.IndexView):
    """All rules, with what they mean in words."""

    template_name = "wagtail_ma/admin/scoring/index.html"
    results_template_name = "wagtail_ma/admin/scoring/index_results.html"

    def get_base_queryset(self) -> Any:
        # The first look at a new installation comes before the first visitor.
        current.current_model(timezone.now())
        found = super().get_base_queryset().exclude(kind=ScoringRule.Kind.GIVEN)
        return found.select_related("page_class", "topic")

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        context["is_rescoring"] = rescore.is_running()
        context["rescored_percent"] = rescore.percent()
        context["warnings"] = lint.warnings()
        context["half_life"] = current.half_life_days()
        return context


class ScoringRuleViewSet(ModelViewSet):
    """List, add, edit, copy and delete scoring rules."""

    model = ScoringRule
    name = "wagtail_ma_scoring"
    url_prefix = "marketing/scoring"
    icon = "wagtail-ma-score"
    menu_label = gettext_lazy("Scoring rules")
    menu_name = "wagtail-ma-scoring"
    add_to_reference_index = False
    index_view_class = ScoringRuleIndexView
    add_view_class = ScoringRuleCreateView
    edit_view_class = ScoringRuleEditView
    copy_view_class = ScoringRuleCopyView
    delete_view_class = ScoringRuleDeleteView
    list_per_page = 100
    list_display = [
        TitleColumn(
            "name",
            label=gettext_lazy("Name"),
            sort_key="name",
            url_name="wagtail_ma_scoring:edit",
        ),
        RuleColumn("sentence", label=gettext_lazy("Points for")),
        PointsColumn("points", label=gettext_lazy("Points"), sort_key="points"),
        CapColumn("caps", label=gettext_lazy("At most")),
        BooleanColumn("is_active", label=gettext_lazy("Active"), sort_key="is_active"),
    ]
    list_filter = ["kind", "is_active"]
    search_fields = ["name", "activity_kind"]
    search_backend_name = None
    edit_handler = EDIT_HANDLER
