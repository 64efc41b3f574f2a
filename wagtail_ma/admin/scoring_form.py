"""The editor of a scoring rule."""

from __future__ import annotations

from typing import Any

import swapper
from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import lazy
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.admin.widgets import AdminPageChooser
from wagtail.documents import get_document_model

from wagtail_ma.admin.widgets import CONDITIONAL, ActivityKindInput, shown_if
from wagtail_ma.forms.models import GatedDocument, LeadForm
from wagtail_ma.messaging.models import Mail
from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.tree import Broken
from wagtail_ma.scoring import dating, fit
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.scoring.sentences import page_of
from wagtail_ma.tracking import page_classes

Kind = ScoringRule.Kind
FACTS = (Kind.PAGE_VIEW, Kind.ENGAGED, Kind.VISIT, Kind.ACTIVITY)
# What gives engagement.
PAYING = (*FACTS, Kind.PATTERN)
# What each kind of rule has besides points: other fields are emptied when it is saved.
OF_KIND: dict[str, tuple[str, ...]] = {
    "is_page_alone": FACTS,
    "page_class": FACTS,
    "topic": FACTS,
    "activity_kind": (Kind.ACTIVITY,),
    "activity_object": (Kind.ACTIVITY,),
    "min_seconds": (Kind.ENGAGED,),
    "max_repeats": (Kind.ENGAGED,),
    "after_silence_days": (Kind.VISIT,),
    "is_same_page": (Kind.PAGE_VIEW, Kind.ENGAGED),
    "times": FACTS,
    "within_days": FACTS,
    "boost_when": PAYING,
    "boost": PAYING,
    "max_per_day": PAYING,
    "max_per_visit": (Kind.PAGE_VIEW, Kind.ENGAGED, Kind.ACTIVITY, Kind.PATTERN),
    "max_total": PAYING,
    "cool_down_hours": PAYING,
    "valid_from": PAYING,
    "valid_to": PAYING,
}
NUMBERS_OF_ONE = ("max_repeats", "times", "boost")


def activity_objects() -> list[tuple[str, Any]]:
    """What activities are done to: forms, gated documents, mails."""
    forms_ = [(f"form:{pk}", name) for pk, name in LeadForm.objects.values_list("pk", "name")]
    gated = get_document_model().objects.filter(pk__in=GatedDocument.objects.values("document_id"))
    documents = [(f"document:{pk}", title) for pk, title in gated.values_list("pk", "title")]
    mails = [(f"mail:{pk}", name) for pk, name in Mail.objects.values_list("pk", "name")]
    groups = [(_("Forms"), forms_), (_("Gated documents"), documents), (_("Mails"), mails)]
    return [("", _("any"))] + [(label, found) for label, found in groups if found]


class ScoringRuleForm(WagtailAdminModelForm):
    """A rule, with the page it is for chosen in the page tree."""

    page: Any = forms.ModelChoiceField(
        label=gettext_lazy("Page"),
        queryset=None,
        required=False,
        widget=AdminPageChooser(),
        help_text=gettext_lazy("It counts in every language. Empty: any page."),
    )

    class Meta:
        widgets = {"activity_kind": ActivityKindInput()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        page_classes.ensure_built_in()
        kinds = [choice for choice in Kind.choices if choice[0] != Kind.GIVEN]
        self.fields["kind"].choices = [("", "---------"), *kinds]
        self.fields["page"].queryset = swapper.load_model("wagtailcore", "Page").objects.all()
        self.fields["page"].initial = page_of(self.instance)
        self.fields["activity_object"].widget = forms.Select(choices=self._objects())
        for name in ("min_seconds", *NUMBERS_OF_ONE):
            self.fields[name].required = False

    def _objects(self) -> list[tuple[str, Any]]:
        choices = activity_objects()
        value = self.instance.activity_object
        listed = {key for _label, group in choices[1:] for key, _name in group}
        if value and value not in listed:
            choices.append((value, _("something that was deleted")))
        return choices

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        kind = cleaned.get("kind")
        if kind == Kind.ACTIVITY and not cleaned.get("activity_kind"):
            self.add_error("activity_kind", _("Say which activity earns the points."))
        if kind == Kind.ENGAGED and not cleaned.get("min_seconds"):
            self.add_error("min_seconds", _("Say how many seconds the page must be read."))
        if kind in (Kind.HOLDS, Kind.PATTERN):
            self._clean_conditions(cleaned)
        cleaned["min_seconds"] = cleaned.get("min_seconds") or 0
        for name in NUMBERS_OF_ONE:
            if cleaned.get(name) in (None, 0) and name not in self.errors:
                cleaned[name] = 1
        for name in ("max_per_day", "max_per_visit", "max_total"):
            if cleaned.get(name) == 0:
                self.add_error(name, _("Leave empty for no limit; to switch the rule off, untick “Active”."))
        first, last = cleaned.get("valid_from"), cleaned.get("valid_to")
        if first and last and last < first:
            self.add_error("valid_to", _("This is before the first day."))
        if cleaned.get("boost", 1) < 0:
            self.add_error("boost", _("Use negative points instead."))
        return cleaned

    def _clean_conditions(self, cleaned: dict[str, Any]) -> None:
        rule = cleaned.get("rule")
        if rule is None:
            return
        found = ScoringRule(pk=0, kind=cleaned["kind"], match=cleaned.get("match", "all"), rule=rule)
        if not stored(rule):
            self.add_error("rule", _("Add a condition."))
        elif isinstance(tree := fit.trees([found])[0], Broken):
            self.add_error("rule", ValidationError(tree.reason))

    def save(self, commit: bool = True) -> ScoringRule:
        self.complete()
        saved: ScoringRule = super().save(commit=commit)
        return saved

    def complete(self) -> ScoringRule:
        """The rule as it would be saved: what its kind does not ask for is emptied, as it would come
        back when the kind changes."""
        rule: ScoringRule = self.instance
        page = self.cleaned_data.get("page")
        rule.page_key = page.translation_key if page and rule.kind in FACTS else None
        for name, kinds in OF_KIND.items():
            if rule.kind not in kinds:
                setattr(rule, name, ScoringRule._meta.get_field(name).get_default())  # type: ignore[union-attr]
        if not rule.has_conditions:
            setattr(rule, "rule", [])  # noqa: B010 (the field takes what it was stored as)
        if rule.page_key is None:
            rule.is_page_alone = False
        rule.swept_at, rule.broken_reason = None, ""
        return rule


def _about_patterns() -> str:
    text = _(
        "Points each time the conditions come to hold, dated at what the visitor did to make them true; "
        "again when they had ceased to hold in between. What becomes true by waiting gives nothing. These "
        "conditions can be dated: %(conditions)s. The others say how somebody is: they give fit."
    )
    words = pgettext("between conditions that can be dated", ", ").join(dating.usable())
    return escape(text % {"conditions": words})


def _when(*kinds: str) -> dict[str, str]:
    return shown_if("kind", *kinds)


EDIT_HANDLER = ObjectList(
    [
        HelpPanel(
            content=gettext_lazy(
                "Each time something happens, its points go to the visitor who did it. Engagement "
                "points fade: after the half-life they are worth half. Points for conditions (fit) stay for "
                "as long as the conditions hold. A change here applies to everything already recorded; you "
                "see first what it would do."
            )
        ),
        FieldPanel("name"),
        MultiFieldPanel(
            [
                FieldPanel("kind"),
                FieldPanel(
                    "activity_kind",
                    help_text=gettext_lazy("Its name, for example download."),
                    attrs=_when(Kind.ACTIVITY),
                ),
                FieldPanel("activity_object", attrs=_when(Kind.ACTIVITY)),
                FieldPanel(
                    "min_seconds",
                    help_text=gettext_lazy("How long the page must be visible and in use."),
                    attrs=_when(Kind.ENGAGED),
                ),
                HelpPanel(
                    content=gettext_lazy(
                        "Reading time alone misleads: a tab left open scores, a quick look at the prices "
                        "does not. Let other rules look at what people do."
                    ),
                    attrs=_when(Kind.ENGAGED),
                ),
                FieldPanel(
                    "max_repeats",
                    help_text=gettext_lazy("With 30 seconds and 10: points at 30, 60, … 300 seconds."),
                    attrs=_when(Kind.ENGAGED),
                ),
                FieldPanel("page", attrs=_when(*FACTS)),
                FieldPanel("is_page_alone", attrs=_when(*FACTS)),
                FieldPanel(
                    "page_class",
                    help_text=gettext_lazy("Empty: pages of any class."),
                    attrs=_when(*FACTS),
                ),
                FieldPanel("topic", help_text=gettext_lazy("Empty: about anything."), attrs=_when(*FACTS)),
                HelpPanel(content=lazy(_about_patterns, str)(), attrs=_when(Kind.PATTERN)),
                FieldPanel("match", attrs=_when(Kind.HOLDS, Kind.PATTERN)),
                FieldPanel("rule", attrs=_when(Kind.HOLDS, Kind.PATTERN)),
            ],
            heading=gettext_lazy("What earns points"),
        ),
        MultiFieldPanel(
            [
                FieldPanel("points", help_text=gettext_lazy("Negative points lower the score.")),
                FieldRowPanel([FieldPanel("boost_when"), FieldPanel("boost")], attrs=_when(*PAYING)),
                FieldPanel("is_active"),
            ],
            heading=gettext_lazy("Points"),
        ),
        MultiFieldPanel(
            [
                FieldRowPanel([FieldPanel("max_per_day"), FieldPanel("max_per_visit")]),
                FieldRowPanel([FieldPanel("max_total"), FieldPanel("cool_down_hours")]),
                FieldRowPanel([FieldPanel("valid_from"), FieldPanel("valid_to")]),
            ],
            heading=gettext_lazy("Limits"),
            help_text=gettext_lazy("All empty: no limit. What came first gets the points."),
            attrs=_when(*PAYING),
        ),
        MultiFieldPanel(
            [
                FieldRowPanel([FieldPanel("times"), FieldPanel("within_days")]),
                FieldPanel("is_same_page", attrs=_when(Kind.PAGE_VIEW, Kind.ENGAGED)),
                FieldPanel("after_silence_days", attrs=_when(Kind.VISIT)),
            ],
            heading=gettext_lazy("Pattern"),
            help_text=gettext_lazy("With 3 only the third, sixth, ninth … time earns points."),
            attrs=_when(*FACTS),
        ),
    ],
    attrs=CONDITIONAL,
    base_form_class=ScoringRuleForm,
)
