"""Goals: what scenarios are for."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, HelpPanel, ObjectList
from wagtail.admin.ui.tables import Column, NumberColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet

from wagtail_ma.admin.widgets import CONDITIONAL, ActivityKindInput, shown_if
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.tracking.act_kinds import ACTIVITY_KINDS


class GoalForm(WagtailAdminModelForm):
    """A goal; what the other way of reaching it asked for is not kept."""

    class Meta:
        widgets = {"activity_kind": ActivityKindInput()}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        if cleaned.get("kind") == Goal.Kind.SEGMENT:
            cleaned |= {"activity_kind": "", "object_key": ""}
            if cleaned.get("segment") is None:
                self.add_error("segment", _("Choose the segment."))
        else:
            cleaned["segment"] = None
            if not cleaned.get("activity_kind"):
                self.add_error("activity_kind", _("Say which activity it is."))
        return cleaned


class ReachedColumn(Column):
    """What reaches the goal, in words."""

    def get_value(self, instance: Goal) -> str:
        if instance.kind == Goal.Kind.SEGMENT:
            return _("Somebody enters the segment “%(segment)s”") % {"segment": instance.segment}
        label = dict(ACTIVITY_KINDS).get(instance.activity_kind, instance.activity_kind)
        return _("Somebody: %(activity)s") % {"activity": label}


class GoalIndexView(generic.IndexView):
    """All goals."""

    default_ordering = "name"

    def get_base_queryset(self) -> QuerySet[Goal]:
        return Goal.objects.select_related("segment").annotate(scenario_count=Count("scenarios"))

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TitleColumn("name", label=_("Name"), sort_key="name", get_url=self.get_edit_url),
            ReachedColumn("reached", label=_("Reached when")),
            NumberColumn("scenario_count", label=_("Scenarios"), sort_key="scenario_count"),
        ]


class GoalViewSet(ModelViewSet):
    """List, add, edit and delete goals."""

    model = Goal
    name = "wagtail_ma_goals"
    url_prefix = "marketing/goals"
    icon = "circle-check"
    menu_label = gettext_lazy("Goals")
    menu_name = "wagtail-ma-goals"
    menu_order = 345
    add_to_reference_index = False
    index_view_class = GoalIndexView
    search_fields = ["name"]
    search_backend_name = None
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "What you want people to do, for example to send an enquiry. Whoever reaches the goal of "
                    "a scenario leaves it as a success."
                )
            ),
            FieldPanel("name"),
            FieldPanel("kind"),
            FieldPanel("activity_kind", attrs=shown_if("kind", Goal.Kind.ACTIVITY)),
            FieldPanel("object_key", attrs=shown_if("kind", Goal.Kind.ACTIVITY)),
            FieldPanel("segment", attrs=shown_if("kind", Goal.Kind.SEGMENT)),
        ],
        attrs=CONDITIONAL,
        base_form_class=GoalForm,
    )
