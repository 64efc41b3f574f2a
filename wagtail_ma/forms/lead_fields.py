"""Lead fields of the editor's own, as questions of a form: answers kept in the lead's record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import apps

PREFIX = "attribute_"


def own_fields() -> dict[str, str]:
    """The labels of the lead fields that editors defined, by their short names."""
    try:
        model: Any = apps.get_model("wagtail_ma.LeadField")
    except LookupError:
        return {}
    return dict(model.objects.values_list("key", "label"))


def save_answers(lead: Any, data: Mapping[str, Any]) -> None:
    """Take over the answers to such questions; empty ones and unknown fields change nothing."""
    given = {
        name.removeprefix(PREFIX): value
        for name, value in data.items()
        if name.startswith(PREFIX) and value not in ("", None, [])
    }
    known = own_fields() if given else {}
    wanted = {key: value for key, value in given.items() if key in known}
    if wanted:
        lead.attributes = {**lead.attributes, **wanted}
        lead.save(update_fields=["attributes"])
