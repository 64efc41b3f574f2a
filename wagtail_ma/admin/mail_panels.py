"""Panels of the mail editor: what is still missing, and the list of merge fields."""

from __future__ import annotations

import json
from typing import Any

from django.forms import Media
from django.utils.translation import gettext as _
from wagtail.admin.panels import Panel
from wagtail.admin.staticfiles import versioned_static

from wagtail_ma.messaging import merge_fields, ready


class ReadyPanel(Panel):
    """What is still missing before the mail may go out."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "wagtail_ma/admin/mails/ready_panel.html"

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            context["problems"] = ready.problems(self.instance) if self.instance.pk else None
            return context


class MergeFieldsPanel(Panel):
    """The merge fields, offered while one types."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "wagtail_ma/admin/mails/merge_fields_panel.html"

        @property
        def media(self) -> Media:
            return Media(
                css={"all": [versioned_static("wagtail_ma/admin/merge_fields.css")]},
                js=[versioned_static("wagtail_ma/admin/merge_fields.js")],
            )

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            fields = _fields()
            context: dict[str, Any] = super().get_context_data(parent_context)
            return context | {"fields": fields, "fields_json": json.dumps(fields, ensure_ascii=False)}


def _fields() -> list[dict[str, str]]:
    """Name, label, what stands behind the name, and the whole text of each field."""
    found = []
    for name, label in merge_fields.LABELS.items():
        tail = "" if name in merge_fields.WITHOUT_DEFAULT else f'|default:"{_("reader")}"'
        whole = f"{{{{ lead.{name}{tail} }}}}"
        found.append({"name": name, "label": str(label), "tail": tail, "whole": whole})
    return found
