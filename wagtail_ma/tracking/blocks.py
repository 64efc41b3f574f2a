"""The StreamField block that says what is recorded."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from wagtail_ma.core.current_request import current_request
from wagtail_ma.tracking import disclosure, page_token
from wagtail_ma.tracking.page_token import PageRef


class RecordedBlock(blocks.StaticBlock):
    """What is recorded of visitors, as the settings have it, and their choice; nothing to fill in."""

    class Meta:
        icon = "view"
        label = _("What we record")
        admin_text = _("What is recorded of visitors, made from the settings, with the choice to refuse.")
        template = "wagtail_ma/recorded.html"

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """As a plain block of Wagtail: a site still migrates after it has removed us."""
        return "wagtail.blocks.StaticBlock", [], {}

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        """What the template needs."""
        context: dict[str, Any] = super().get_context(value, parent_context=parent_context)
        request = (parent_context or {}).get("request") or current_request()
        path = getattr(request, "path", "/")
        return context | {
            "sections": disclosure.sections(),
            **disclosure.ways(),
            "page_token": page_token.make(PageRef(None, None, path)),
        }
