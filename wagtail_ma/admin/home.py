"""Hot leads on the home page of the Wagtail admin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from wagtail.admin.ui.components import Component

from wagtail_ma.admin.hot_leads import LISTS, visible_to
from wagtail_ma.admin.permissions import may
from wagtail_ma.people.models import Visitor
from wagtail_ma.sales import queries
from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.sales.patterns import reasons

SHOWN = 4


class HotPanel(Component):
    """Who became hot last, by list; for those who may see visitors."""

    name = "wagtail_ma_hot"
    template_name = "wagtail_ma/admin/hot/home_panel.html"
    order = 150

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        now = timezone.now()
        newest = visible_to(self.request, queries.open_entries()).order_by("-opened_at", "-pk")
        counts = queries.counts(now=now)
        groups = []
        for name in HotDefinition.List.values:
            entries = one_each(newest.filter(definition__list=name)[: SHOWN * 4]) if counts[name] else []
            because = reasons(entries)
            groups.append(
                {
                    "label": LISTS[name],
                    "url": f"{reverse('wagtail_ma_hot:index')}?list={name}",
                    "count": counts[name],
                    "rows": [
                        {
                            "entry": entry,
                            "reason": because[entry.pk],
                            "name": getattr(entry.visitor, "lead", None) or entry.visitor,
                        }
                        for entry in entries
                    ],
                }
            )
        return {"groups": groups, "anything": any(group["count"] for group in groups)}


def one_each(entries: Iterable[HotEntry]) -> list[HotEntry]:
    """The first entry of each of the first people: who is hot by several definitions is named once."""
    found: dict[int, HotEntry] = {}
    for entry in entries:
        found.setdefault(entry.visitor_id, entry)
    return list(found.values())[:SHOWN]


def add_panels(request: HttpRequest, panels: list[Any]) -> None:
    """For the hook ``construct_homepage_panels``."""
    if may(request, Visitor, "view"):
        panels.append(HotPanel(request))
