"""Hot leads on the home page of the Wagtail admin."""

from __future__ import annotations

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

SHOWN = 3


class HotPanel(Component):
    """Who became hot last, by list, each person once with all reasons; for those who may see visitors."""

    name = "wagtail_ma_hot"
    template_name = "wagtail_ma/admin/hot/home_panel.html"
    order = 150

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        now = timezone.now()
        counts = queries.counts(now=now)
        people = self._newest(counts)
        entries = visible_to(self.request, queries.open_entries()).filter(
            visitor_id__in=[pk for pks in people.values() for pk in pks]
        )
        by_person: dict[int, list[HotEntry]] = {}
        for entry in entries.order_by("-opened_at", "-pk"):
            by_person.setdefault(entry.visitor_id, []).append(entry)
        because = reasons(entry for mine in by_person.values() for entry in mine)
        groups = [
            {
                "label": LISTS[name],
                "url": f"{reverse('wagtail_ma_hot:index')}?list={name}",
                "count": counts[name],
                "rows": [
                    {
                        "visitor": mine[0].visitor,
                        "reasons": [because[entry.pk] for entry in mine],
                        "name": getattr(mine[0].visitor, "lead", None) or mine[0].visitor,
                    }
                    for mine in (by_person[pk] for pk in pks if pk in by_person)
                ],
            }
            for name, pks in people.items()
        ]
        return {"groups": groups, "anything": any(group["count"] for group in groups)}

    def _newest(self, counts: dict[str, int]) -> dict[str, list[int]]:
        """List → the visitors who became hot last; each person once, in the first of their lists."""
        newest = visible_to(self.request, queries.open_entries()).order_by("-opened_at", "-pk")
        found: dict[str, list[int]] = {}
        named: set[int] = set()
        for name in HotDefinition.List.values:
            entries = newest.filter(definition__list=name).exclude(visitor_id__in=named)
            ids = entries.values_list("visitor_id", flat=True)[: SHOWN * 4] if counts[name] else []
            found[name] = list(dict.fromkeys(ids))[:SHOWN]
            named.update(found[name])
        return found


def add_panels(request: HttpRequest, panels: list[Any]) -> None:
    """For the hook ``construct_homepage_panels``."""
    if may(request, Visitor, "view"):
        panels.append(HotPanel(request))
