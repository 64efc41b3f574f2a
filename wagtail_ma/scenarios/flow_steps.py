"""Steps that lead somewhere: a random split, a place and the way to it, other scenarios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.scenarios import entry
from wagtail_ma.scenarios.holdout import share_of
from wagtail_ma.scenarios.kinds import Context, Role, StepKind, step_kinds
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.scenarios.switch import take_out

if TYPE_CHECKING:
    from wagtail.blocks import Block


class SplitStep(StepKind):
    """Two ways on by chance, the same one for the same person."""

    key = "split"
    label = gettext_lazy("Random split")
    icon = "resubmit"
    label_format = "A: {percent} %"
    exits = {"a": "A", "b": "B"}
    outcomes = exits

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail import blocks

        share = blocks.IntegerBlock(
            label=gettext_lazy("Percent that go the way A"), min_value=1, max_value=99, default=50
        )
        return [("percent", share)]

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        return [] if params.get("percent") else [_("Say how many percent go the way A.")]

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("By chance: %(percent)s %% go the way A") % {"percent": params.get("percent") or "?"}

    def perform(self, context: Context) -> str:
        share = share_of(context.enrolment.visitor.bucket, context.step.id)
        return "a" if share < context.step.params["percent"] else "b"


class PlaceStep(StepKind):
    """A name for a place among the steps, so that “Go to” can lead there."""

    key = "place"
    label = gettext_lazy("Place (for “Go to”)")
    icon = "tag"
    outcomes = {"passed": gettext_lazy("passed")}

    def fields(self) -> list[tuple[str, Block]]:
        return [("name", _name_block())]

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("Place “%(place)s”") % {"place": params.get("name") or "?"}

    def perform(self, context: Context) -> str:
        return "passed"


class GoToStep(StepKind):
    """Go on at a place, above or below."""

    key = "go_to"
    label = gettext_lazy("Go to")
    icon = "redirect"
    role = Role.GO_TO
    outcomes = {"went": gettext_lazy("went on there")}

    def fields(self) -> list[tuple[str, Block]]:
        return [("place", _name_block())]

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("Go to “%(place)s”") % {"place": params.get("place") or "?"}


def _name_block() -> Block:
    from wagtail import blocks

    return blocks.CharBlock(label=gettext_lazy("Name of the place"), max_length=40)


class _OtherScenarioStep(StepKind):
    """A step about another scenario."""

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail_ma.scenarios.blocks import ScenarioBlock

        return [("scenario", ScenarioBlock(label=gettext_lazy("Scenario")))]

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        scenario = value.get("scenario")
        return {"scenario_id": scenario.pk if scenario else None, "name": str(scenario or "")}

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        if not Scenario.objects.filter(pk=params.get("scenario_id") or 0).exists():
            return [_("Choose the other scenario.")]
        return []


class StartScenarioStep(_OtherScenarioStep):
    """Let somebody into another scenario, whatever starts that one otherwise."""

    key = "start_scenario"
    label = gettext_lazy("Start another scenario")
    icon = "arrow-right"
    outcomes = {
        "started": gettext_lazy("started"),
        "not_started": gettext_lazy("not started: not running, or not allowed in"),
    }

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("Start “%(scenario)s”") % {"scenario": params.get("name") or "?"}

    def perform(self, context: Context) -> str:
        scenario = Scenario.objects.filter(pk=context.step.params["scenario_id"]).first()
        if scenario is None:
            return "not_started"
        visitor_id = context.enrolment.visitor_id
        entered = entry.put_in(scenario, [visitor_id], reason=context.occurrence, now=context.now)
        return "started" if entered else "not_started"


class StopScenarioStep(_OtherScenarioStep):
    """Take somebody out of another scenario."""

    key = "stop_scenario"
    label = gettext_lazy("Stop another scenario")
    icon = "cross"
    outcomes = {"stopped": gettext_lazy("stopped"), "not_inside": gettext_lazy("was not in it")}

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("Stop “%(scenario)s”") % {"scenario": params.get("name") or "?"}

    def perform(self, context: Context) -> str:
        left = take_out(
            context.step.params["scenario_id"],
            [context.enrolment.visitor_id],
            reason="other_scenario",
            now=context.now,
        )
        return "stopped" if left else "not_inside"


for kind in (SplitStep(), PlaceStep(), GoToStep(), StartScenarioStep(), StopScenarioStep()):
    step_kinds.register(kind.key, kind)
