"""Views of people who must not be recognised: a number per page and day, and nothing else."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from wagtail_ma.tracking import pages
from wagtail_ma.tracking.hits import VIEW, Hit
from wagtail_ma.tracking.models import PageCount
from wagtail_ma.tracking.writing import write_facts

# View ids that this process counted lately, so that a message sent twice counts once. They are
# kept nowhere else.
MAX_LATELY = 5_000
_lately: OrderedDict[UUID, None] = OrderedDict()


def count(hit: Hit, *, now: datetime) -> bool:
    """Count the view of an anonymous hit; other kinds of message, bots and repetitions count nothing.

    :returns: whether it was counted.
    :raises wagtail_ma.tracking.writing.Busy: the database cannot write now.
    """
    if hit.kind != VIEW or hit.is_bot or hit.view_id in _lately:
        return False
    page = pages.tracked_page_for(hit, now=now)
    day = timezone.localtime(now, timezone.get_default_timezone()).date()
    with write_facts():
        row = PageCount.objects.filter(tracked_page=page, day=day)
        if not row.update(views=F("views") + 1):
            PageCount.objects.bulk_create([PageCount(tracked_page=page, day=day)], ignore_conflicts=True)
            row.update(views=F("views") + 1)
    _lately[hit.view_id] = None
    while len(_lately) > MAX_LATELY:
        _lately.popitem(last=False)
    return True
