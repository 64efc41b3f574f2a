"""How the tables of this domain follow a person."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from wagtail_ma.core.belongings import Belonging, Outward, declare
from wagtail_ma.sales.models import HotEntry
from wagtail_ma.sales.models_of_tasks import Task


def give_way(loser_id: int, winner_id: int, now: datetime) -> None:
    """Where both are hot by the same definition, one entry stays."""
    stays = HotEntry.objects.filter(visitor_id=winner_id, closed_at__isnull=True)
    HotEntry.objects.filter(
        visitor_id=loser_id, closed_at__isnull=True, definition_id__in=stays.values("definition_id")
    ).update(closed_at=now, ended=HotEntry.Ended.MERGED)


def open_again(visitor_id: int, since: datetime, now: datetime) -> None:
    """An entry that gave way to that of another is open again."""
    is_open = HotEntry.objects.filter(visitor_id=visitor_id, closed_at__isnull=True)
    HotEntry.objects.filter(visitor_id=visitor_id, ended=HotEntry.Ended.MERGED, closed_at__gte=since).exclude(
        definition_id__in=is_open.values("definition_id")
    ).update(closed_at=None, ended="")


def given_to_people(visitor_ids: Collection[int], since: datetime, until: datetime) -> list[Outward]:
    """The tasks that were made for somebody here, done or not."""
    made = Task.objects.filter(
        Q(visitor__in=visitor_ids) | Q(born_visitor__in=visitor_ids),
        created_at__gte=since,
        created_at__lte=until,
    ).select_related("assignee")
    return [
        Outward(
            task.created_at,
            "tasks",
            _("Task “%(text)s” for %(person)s")
            % {"text": task.text, "person": task.assignee or _("anybody")},
        )
        for task in made
    ]


declare(
    Belonging(
        "wagtail_ma.HotEntry",
        "decision",
        fields=("visitor", "born_visitor"),
        before_merge=give_way,
        after_undo=open_again,
    )
)
declare(Belonging("wagtail_ma.Marking", "decision", fields=("visitor", "born_visitor")))
declare(
    Belonging(
        "wagtail_ma.Task",
        "decision",
        fields=("visitor", "born_visitor"),
        outward=given_to_people,
        active_at="created_at",
    )
)
