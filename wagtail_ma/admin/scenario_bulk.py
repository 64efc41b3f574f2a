"""People of the ranked list (of a segment, of a search) into a scenario, or out of it, by hand."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from wagtail_ma.admin.visitor_bulk import VisitorBulkAction, in_or_out
from wagtail_ma.scenarios import entry, switch
from wagtail_ma.scenarios.models import Scenario

PORTION = 500


class ScenarioChoiceForm(forms.Form):
    """Which scenario, and in or out."""

    scenario = forms.ModelChoiceField(
        label=gettext_lazy("Scenario"),
        queryset=Scenario.objects.filter(live=True, is_paused=False).order_by("name"),
        help_text=gettext_lazy("Only those that run."),
    )
    act = in_or_out()


class ScenarioBulkAction(VisitorBulkAction):
    """Into a scenario, or out of it."""

    display_name = gettext_lazy("Scenario")
    action_type = "scenario"
    aria_label = gettext_lazy("Put selected people into a scenario")
    action_priority = 15
    form_class = ScenarioChoiceForm
    needs = (Scenario, "change")
    help = gettext_lazy(
        "The scenario's own rules hold: nobody is in it twice at once, or again before it allows; who is "
        "excluded does not enter."
    )

    @classmethod
    def work(cls, ids: list[int], *, by: Any, data: dict[str, Any], now: Any) -> None:
        scenario = data["scenario"]
        for start in range(0, len(ids), PORTION):
            portion = ids[start : start + PORTION]
            if data["act"] == "add":
                entry.put_in(scenario, portion, reason=f"hand:{by.pk}:{now:%Y-%m-%dT%H:%M:%S}", now=now)
            else:
                switch.take_out(scenario.pk, portion, reason="by_hand", now=now)
