"""When people leave a scenario before its end: the questions of the editor."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel

from wagtail_ma.scenarios.models import Scenario


def tick_boxes(name: str, choices: Any) -> forms.MultipleChoiceField:
    """A list in the table, as boxes to tick."""
    field: Any = Scenario._meta.get_field(name)
    return forms.MultipleChoiceField(
        label=field.verbose_name,
        help_text=field.help_text,
        choices=choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


EXIT_PANEL = MultiFieldPanel(
    [FieldPanel("goal"), FieldPanel("exit_segment"), FieldPanel("exits"), FieldPanel("holdout_percent")],
    heading=gettext_lazy("Goal and exit"),
)
BAND_PANEL = MultiFieldPanel(
    [
        FieldRowPanel([FieldPanel("band_from"), FieldPanel("band_to"), FieldPanel("band_margin")]),
        FieldPanel("band_grades"),
        FieldRowPanel([FieldPanel("band_scenario"), FieldPanel("band_place")]),
    ],
    heading=gettext_lazy("Only while warm enough, and not too hot"),
    help_text=gettext_lazy(
        "Whoever's score or fit leaves the band, also by cooling, goes another way before the next step: "
        "into another scenario, to a place among these steps, or out."
    ),
    classname="collapsed",
)
