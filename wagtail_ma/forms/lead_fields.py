"""Lead fields of the editor's own, as questions of a form: answers kept in the lead's record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wagtail_ma.people.lead_values import ATTRIBUTE
from wagtail_ma.people.models import LeadField

PREFIX = "attribute_"


def own_fields() -> dict[str, str]:
    """The labels of the lead fields that editors defined, by their short names."""
    return dict(LeadField.objects.values_list("key", "label"))


def answers(data: Mapping[str, Any]) -> dict[str, Any]:
    """The answers to such questions, by the names that ``identify()`` takes."""
    return {
        f"{ATTRIBUTE}{name.removeprefix(PREFIX)}": value
        for name, value in data.items()
        if name.startswith(PREFIX)
    }
