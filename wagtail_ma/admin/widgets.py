"""Form widgets shared by our screens."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from wagtail_ma.tracking.act_kinds import ACTIVITY_KINDS, OWN_KIND


class ActivityKindInput(forms.TextInput):
    """The name of an activity: the known ones are offered, a site's own can be typed."""

    template_name = "wagtail_ma/admin/widgets/activity_kind.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        list_id = f"{context['widget']['attrs'].get('id', name)}-known"
        context["widget"]["attrs"].update({"list": list_id, "autocomplete": "off"})
        context["known"] = [{"key": key, "label": label} for key, label in ACTIVITY_KINDS if key != OWN_KIND]
        context["list_id"] = list_id
        return context


# On the panel around them: shows and hides what :func:`shown_if` marks. Wagtail's own controller;
# without JavaScript everything is shown, and the form keeps only what belongs together.
CONDITIONAL = {"data-controller": "w-rules", "data-action": "change->w-rules#resolve"}


def shown_if(field: str, *values: str) -> dict[str, str]:
    """Attributes of a panel that is shown only while ``field`` has one of ``values``."""
    return {"data-w-rules-target": "show", "data-w-rules": json.dumps({field: list(values)})}
