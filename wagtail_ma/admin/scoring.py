"""Scoring rules in the admin."""

from __future__ import annotations

from typing import Any

import swapper
from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin import messages
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import BooleanColumn, Column, NumberColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets import AdminPageChooser

from wagtail_ma.admin.widgets import CONDITIONAL, ActivityKindInput, shown_if
from wagtail_ma.jobs import queue
from wagtail_ma.scoring import rescore
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.tracking.facts import ACTIVITY_KINDS


class ScoringRuleForm(WagtailAdminModelForm):
    """A rule, with the page it is for chosen in the page tree."""

    page: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        label=gettext_lazy("Page"),
        queryset=None,
        required=False,
        widget=AdminPageChooser(),
        help_text=gettext_lazy(
            "Only this page, its translations and the pages below them count. Empty: any page."
        ),
    )

    class Meta:
        widgets = {"activity_kind": ActivityKindInput()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["page"].queryset = swapper.load_model("wagtailcore", "Page").objects.all()
        self.fields["page"].initial = _page_of(self.instance)
        self.fields["min_seconds"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        kind = cleaned.get("kind")
        if kind == ScoringRule.Kind.ACTIVITY and not cleaned.get("activity_kind"):
            self.add_error("activity_kind", _("Say which activity earns the points."))
        if kind == ScoringRule.Kind.ENGAGED and not cleaned.get("min_seconds"):
            self.add_error("min_seconds", _("Say how many seconds the page must be read."))
        cleaned["min_seconds"] = cleaned.get("min_seconds") or 0
        for name in ("max_per_day", "max_total"):
            if cleaned.get(name) == 0:
                self.add_error(name, _("Leave empty for no limit; to switch the rule off, untick “Active”."))
        return cleaned

    def save(self, commit: bool = True) -> ScoringRule:
        page = self.cleaned_data.get("page")
        self.instance.page_key = page.translation_key if page else None
        # What the kind does not ask for is not kept: it would come back when the kind changes.
        if self.instance.kind != ScoringRule.Kind.ACTIVITY:
            self.instance.activity_kind = ""
        if self.instance.kind != ScoringRule.Kind.ENGAGED:
            self.instance.min_seconds = 0
        return super().save(commit=commit)


def _page_of(rule: ScoringRule) -> Any | None:
    """The page of a rule in the tree: the original before its translations."""
    if not rule.page_key:
        return None
    pages = swapper.load_model("wagtailcore", "Page").objects
    return pages.filter(translation_key=rule.page_key).order_by("pk").first()


class RescoreMixin:
    """After a change of the rules all scores are computed again, in the background."""

    request: HttpRequest

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)  # type: ignore[misc]
        rescore.request(now=timezone.now())
        queue.wake()
        messages.info(
            self.request,
            _("All scores are being computed again. Lists show the old ones until that is done."),
        )
        return response


class ScoringRuleCreateView(RescoreMixin, generic.CreateView):
    pass


class ScoringRuleCopyView(RescoreMixin, generic.CopyView):
    pass


class ScoringRuleEditView(RescoreMixin, generic.EditView):
    pass


class ScoringRuleDeleteView(RescoreMixin, generic.DeleteView):
    pass


class RuleColumn(Column):
    """What the rule pays for, as a sentence."""

    def get_value(self, instance: ScoringRule) -> str:
        return sentence(instance)


class CapColumn(Column):
    """How often at most."""

    def get_value(self, instance: ScoringRule) -> str:
        caps = []
        if instance.max_per_day is not None:
            caps.append(_("%(n)d per day") % {"n": instance.max_per_day})
        if instance.max_total is not None:
            caps.append(_("%(n)d in all") % {"n": instance.max_total})
        return ", ".join(caps) or _("no limit")


def sentence(rule: ScoringRule) -> str:
    """What a rule pays for, in words."""
    page = _page_of(rule)
    title = page.title if page else ""
    if rule.page_key and page is None:
        title = _("a page that was deleted")
    if rule.kind == ScoringRule.Kind.ACTIVITY:
        label = dict(ACTIVITY_KINDS).get(rule.activity_kind, rule.activity_kind)
        text = _("Somebody: %(activity)s") % {"activity": label}
        return _("%(what)s, on “%(page)s” or below") % {"what": text, "page": title} if title else text
    if rule.kind == ScoringRule.Kind.VISIT:
        return _("A visit begins on “%(page)s” or below") % {"page": title} if title else _("A visit begins")
    if rule.kind == ScoringRule.Kind.ENGAGED:
        seconds = ngettext("%(n)d second", "%(n)d seconds", rule.min_seconds) % {"n": rule.min_seconds}
        if title:
            return _("“%(page)s” or a page below is read for %(seconds)s") % {
                "page": title,
                "seconds": seconds,
            }
        return _("A page is read for %(seconds)s") % {"seconds": seconds}
    return _("“%(page)s” or a page below is viewed") % {"page": title} if title else _("Any page is viewed")


class ScoringRuleIndexView(generic.IndexView):
    """All rules, with what they mean in words."""

    template_name = "wagtail_ma/admin/scoring/index.html"
    results_template_name = "wagtail_ma/admin/scoring/index_results.html"

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        context["is_rescoring"] = rescore.is_running()
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
    list_display = [
        TitleColumn(
            "name",
            label=gettext_lazy("Name"),
            sort_key="name",
            url_name="wagtail_ma_scoring:edit",
        ),
        RuleColumn("sentence", label=gettext_lazy("Points for")),
        NumberColumn("points", label=gettext_lazy("Points"), sort_key="points"),
        CapColumn("caps", label=gettext_lazy("At most")),
        BooleanColumn("is_active", label=gettext_lazy("Active"), sort_key="is_active"),
    ]
    list_filter = ["kind", "is_active"]
    search_fields = ["name", "activity_kind"]
    search_backend_name = None
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "Each time something happens, its points go to the visitor who did it. Engagement "
                    "points fade: after the half-life they are worth half. A change here applies to "
                    "everything already recorded."
                )
            ),
            FieldPanel("name"),
            MultiFieldPanel(
                [
                    FieldPanel("kind"),
                    FieldPanel("page"),
                    FieldPanel(
                        "activity_kind",
                        help_text=gettext_lazy("Its name, for example download."),
                        attrs=shown_if("kind", ScoringRule.Kind.ACTIVITY),
                    ),
                    FieldPanel(
                        "min_seconds",
                        help_text=gettext_lazy("How long the page must be visible and in use."),
                        attrs=shown_if("kind", ScoringRule.Kind.ENGAGED),
                    ),
                ],
                heading=gettext_lazy("What earns points"),
            ),
            MultiFieldPanel(
                [
                    FieldPanel("points", help_text=gettext_lazy("Negative points lower the score.")),
                    FieldRowPanel([FieldPanel("max_per_day"), FieldPanel("max_total")]),
                    FieldPanel("is_active"),
                ],
                heading=gettext_lazy("Points"),
            ),
        ],
        attrs=CONDITIONAL,
        base_form_class=ScoringRuleForm,
    )
