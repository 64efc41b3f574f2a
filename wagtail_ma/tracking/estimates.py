"""How long a page was read when no script measured it: until the next view of the same visit.

The last view of a visit has no next one and keeps 0. It is a guess, and an upper one: ``source``
says so, and such views are in no median.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import zip_longest

from wagtail_ma.conf import conf
from wagtail_ma.tracking import visits
from wagtail_ma.tracking.models import PageView


def estimate(visit_ids: Collection[int], *, first: datetime, last: datetime) -> None:
    """Estimate anew what views that came between ``first`` and ``last`` have changed.

    Measured views are left alone. May be repeated; two statements or so.

    :param visit_ids: the visits that got these views.
    """
    # Within a visit no pause is longer: whatever is further away is not a neighbour.
    reach = visits.timeout()
    rows = PageView.objects.filter(
        visit_id__in=visit_ids, at__gte=first - reach, at__lte=last + reach
    ).order_by("visit_id", "at", "pk")
    changed = []
    known = list(rows.only("visit_id", "at", "source", "engaged_seconds"))
    for view, following in zip_longest(known, known[1:]):
        if view.source == PageView.Source.SCRIPT or view.at > last:
            continue
        is_followed = following is not None and following.visit_id == view.visit_id
        seconds = _seconds(view, following) if is_followed else 0.0
        if view.engaged_seconds != seconds:
            view.engaged_seconds = view.visible_seconds = seconds
            changed.append(view)
    if changed:
        PageView.objects.bulk_update(changed, ["engaged_seconds", "visible_seconds"], batch_size=200)


def _seconds(view: PageView, following: PageView) -> float:
    pause = (following.at - view.at).total_seconds()
    return round(min(pause, conf.ENGAGED_CAP_SECONDS), 1)
