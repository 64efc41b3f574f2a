"""How the tables of this domain follow a person."""

from __future__ import annotations

from datetime import datetime

from wagtail_ma.core.belongings import Belonging, declare
from wagtail_ma.sales.models import HotEntry


def give_way(loser_id: int, winner_id: int, now: datetime) -> None:
    """Where both are hot by the same definition, one entry stays."""
    stays = HotEntry.objects.filter(visitor_id=winner_id, closed_at__isnull=True)
    HotEntry.objects.filter(
        visitor_id=loser_id, closed_at__isnull=True, definition_id__in=stays.values("definition_id")
    ).update(closed_at=now, ended=HotEntry.Ended.MERGED)


declare(
    Belonging("wagtail_ma.HotEntry", "decision", fields=("visitor", "born_visitor"), before_merge=give_way)
)
declare(Belonging("wagtail_ma.Marking", "decision", fields=("visitor", "born_visitor")))
declare(Belonging("wagtail_ma.Task", "decision", fields=("visitor", "born_visitor"), active_at="created_at"))
