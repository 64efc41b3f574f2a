"""Steps that write something down about a person: points, a value of the record; and the goal reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.core.typed_text import date_of, number_of
from wagtail_ma.people import lead_values, news
from wagtail_ma.people.models import Lead, LeadField
from wagtail_ma.scenarios.kinds import Context, Role, StepKind, step_kinds
from wagtail_ma.scoring import given

if TYPE_CHECKING:
    from wagtail.blocks import Block

MOST_POINTS = 1_000


class PointsStep(StepKind):
    """Points, dated at this moment: an entry of the ledger like those for what people do."""

    key = "add_points"
    label = gettext_lazy("Add points")
    icon = "wagtail-ma-score"
    label_format = "{points} · {reason}"
    outcomes = {"given": gettext_lazy("given")}

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail import blocks

        points = blocks.IntegerBlock(
            label=gettext_lazy("Points"),
            help_text=gettext_lazy("Negative points lower the score. They fade like all others."),
            min_value=-MOST_POINTS,
            max_value=MOST_POINTS,
            default=10,
        )
        reason = blocks.CharBlock(
            label=gettext_lazy("Reason"),
            help_text=gettext_lazy("Shown where the score of a person is explained."),
            max_length=120,
        )
        return [("points", points), ("reason", reason)]

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        found = []
        if not params.get("points"):
            found.append(_("Say how many points are given."))
        if not (params.get("reason") or "").strip():
            found.append(_("Say for what the points are given: it is shown where the score is explained."))
        return found

    def describe(self, params: Mapping[str, Any]) -> str:
        points = params.get("points") or 0
        words = {"points": f"{'+' if points > 0 else ''}{number_format(points)}"}
        return _("Points: %(points)s (%(reason)s)") % {**words, "reason": params.get("reason") or "?"}

    def perform(self, context: Context) -> str:
        params = context.step.params
        given.give(
            context.enrolment.visitor_id,
            points=float(params["points"]),
            reason=params["reason"].strip(),
            source_key=context.occurrence,
            now=context.now,
        )
        return "given"


class AttributeStep(StepKind):
    """A value of one of the editor's own lead fields: a stage, a tag, a date."""

    key = "set_attribute"
    label = gettext_lazy("Set a value of the lead")
    icon = "edit"
    label_format = "{field}: {value}"
    outcomes = {
        "set": gettext_lazy("set"),
        "anonymous": gettext_lazy("skipped: not known by name"),
        "no_field": gettext_lazy("skipped: the field was deleted"),
    }

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail import blocks

        from wagtail_ma.people.blocks import LeadFieldBlock

        field = LeadFieldBlock(
            label=gettext_lazy("Lead field"),
            help_text=gettext_lazy("For stages or labels make a field with choices under “Lead fields”."),
        )
        value = blocks.CharBlock(
            label=gettext_lazy("Value"),
            help_text=gettext_lazy("A date as 2026-04-01. Empty: the value is taken away."),
            max_length=200,
            required=False,
        )
        return [("field", field), ("value", value)]

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        field = value.get("field")
        return {
            "key": field.key if field else "",
            "name": field.label if field else "",
            "value": (value.get("value") or "").strip(),
        }

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        field = LeadField.objects.filter(key=params.get("key") or "").first()
        if field is None:
            return [_("Choose the lead field to set.")]
        value, words = params.get("value") or "", {"field": field.label, "value": params.get("value")}
        choices = field.choice_list if field.kind == LeadField.Kind.CHOICE else []
        if value and field.kind == LeadField.Kind.NUMBER and number_of(value) is None:
            return [_("“%(value)s” is no number, as “%(field)s” wants it.") % words]
        if value and field.kind == LeadField.Kind.DATE and date_of(value) is None:
            return [_("“%(value)s” is no date, as “%(field)s” wants it.") % words]
        if value and choices and value not in choices:
            return [_("“%(value)s” is none of the choices of “%(field)s”.") % words]
        return []

    def describe(self, params: Mapping[str, Any]) -> str:
        words = {"field": params.get("name") or "?", "value": params.get("value")}
        return (_("“%(field)s” becomes “%(value)s”") if words["value"] else _("Empty “%(field)s”")) % words

    def perform(self, context: Context) -> str:
        params = context.step.params
        rows = Lead.objects.select_for_update(no_key=True)
        lead = rows.filter(visitor_id=context.enrolment.visitor_id).first()
        if lead is None:
            return "anonymous"
        if not LeadField.objects.filter(key=params["key"]).exists():
            return "no_field"
        name = f"{lead_values.ATTRIBUTE}{params['key']}"
        if params["value"]:
            source = {"scenario": context.enrolment.scenario_id}
            lead_values.fill(lead, {name: params["value"]}, now=context.now, by="scenario", evidence=source)
        else:
            lead_values.write(lead, name, "")
            lead.sources = {key: kept for key, kept in lead.sources.items() if key != name}
            lead.save(update_fields=["attributes", "sources"])
        # Segments may ask for it.
        news.mark([lead.visitor_id], now=context.now)
        return "set"


class GoalStep(StepKind):
    """The scenario is over for this person, as a success."""

    key = "end_goal"
    label = gettext_lazy("End: the goal is reached")
    icon = "success"
    role = Role.END
    is_goal = True
    outcomes = {"goal": gettext_lazy("reached the goal")}


for kind in (PointsStep(), AttributeStep(), GoalStep()):
    step_kinds.register(kind.key, kind)
