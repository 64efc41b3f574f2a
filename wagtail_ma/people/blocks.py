"""Blocks that choose one object of a short list."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Model
from django.utils.functional import cached_property
from wagtail.blocks import ChooserBlock

from wagtail_ma.people.models import LeadField


class SelectBlock(ChooserBlock):
    """One of a short list of objects, in a drop-down."""

    model: type[Model]

    @cached_property
    def target_model(self) -> type[Model]:
        return self.model

    @cached_property
    def widget(self) -> forms.Select:
        return forms.Select()

    def value_from_form(self, value: Any) -> Any:
        return super().value_from_form(value) if value else None

    def get_form_state(self, value: Any) -> Any:
        return self.widget.format_value(getattr(value, "pk", value))


class LeadFieldBlock(SelectBlock):
    """One of the lead fields that editors added."""

    model = LeadField
