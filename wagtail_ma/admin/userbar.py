"""The userbar on live pages: look at the page as somebody in a segment."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from wagtail.admin.userbar import BaseItem

from wagtail_ma.admin.permissions import may
from wagtail_ma.personalisation.preview import is_personalised
from wagtail_ma.segments.models import Segment


class SegmentsItem(BaseItem):
    """ "View as segment…", for editors of the page; nothing in previews."""

    template_name = "wagtail_ma/admin/userbar/segments.html"

    def __init__(self, page: Any) -> None:
        self.page = page

    def render_html(self, parent_context: Any = None) -> str:
        request = (parent_context or {}).get("request")
        if request is None or getattr(request, "is_preview", False) or not self._may_see(request):
            return ""
        html: str = super().render_html(parent_context)
        return html

    def _may_see(self, request: HttpRequest) -> bool:
        can_edit: bool = self.page.permissions_for_user(request.user).can_edit()
        return can_edit and may(request, Segment)


def add_items(request: HttpRequest, items: list[Any], page: Any) -> None:
    """Hook ``construct_wagtail_userbar``."""
    if getattr(page, "pk", None) and getattr(page, "live", False) and is_personalised(type(page)):
        items.append(SegmentsItem(page))
