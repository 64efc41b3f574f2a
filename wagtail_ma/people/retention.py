"""Leads who have given no sign of life for long are erased (setting ``LEAD_RETENTION_MONTHS``).

What a sign of life is, each domain says itself (``active_at`` in its ``belongings.py``). Customers stay:
of them, more than marketing has to know.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from django.apps import apps
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from wagtail.log_actions import log

from wagtail_ma.conf import conf
from wagtail_ma.core.belongings import belongings
from wagtail_ma.core.durations import midnight_months_before
from wagtail_ma.people import erase, persons
from wagtail_ma.people.models import Lead

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
# Of one round of the background work: erasing one person may take a second.
LIMIT = 25
# The background work looks every so many minutes: it asks about each lead that is old enough.
EVERY_MINUTES = 15


def cutoff(*, now: datetime) -> datetime | None:
    """Who was last heard of before this moment is erased; None: nobody is."""
    months = conf.LEAD_RETENTION_MONTHS
    if not months:
        return None
    return midnight_months_before(now, months)


def inactive(*, now: datetime) -> QuerySet[Lead]:
    """The leads to be erased, longest known first.

    Each sign of life is asked for by the index on the visitor of its table.
    """
    before = cutoff(now=now)
    if before is None:
        return Lead.objects.none()
    found = Lead.objects.filter(
        created_at__lt=before, visitor__merged_into__isnull=True, visitor__is_customer=False
    )
    # To ask not to be recorded is a sign of life.
    found = found.exclude(visitor__unrecorded_at__gte=before)
    for belonging in belongings:
        if belonging.active_at:
            rows = apps.get_model(belonging.model)._default_manager.filter(visitor=OuterRef("visitor"))
            found = found.exclude(Exists(rows.filter(**{f"{belonging.active_at}__gte": before})))
    return found.order_by("created_at", "pk")


def erase_due(*, now: datetime, limit: int = LIMIT) -> int:
    """Erase some of those who are due: what ``flow.run_due`` calls.

    :param limit: at most so many.
    :returns: how many were erased.
    """
    if cutoff(now=now) is None or now.minute % EVERY_MINUTES:
        return 0
    return sum(_erase(pk, now=now) for pk in inactive(now=now).values_list("pk", flat=True)[:limit])


def purge(*, now: datetime, progress: Progress | None = None) -> int:
    """Erase all who are due.

    :param progress: called as ``progress(done, total)``.
    :returns: how many were erased.
    """
    due = list(inactive(now=now).values_list("pk", flat=True))
    erased = 0
    for number, pk in enumerate(due, 1):
        erased += _erase(pk, now=now)
        if progress:
            progress(number, len(due))
    return erased


def _erase(pk: int, *, now: datetime) -> bool:
    try:
        with transaction.atomic():
            # A form may just have been sent, or another process been faster.
            lead = inactive(now=now).select_for_update(of=("self",)).filter(pk=pk).first()
            if lead is None:
                return False
            visitor = lead.visitor
            erase.erase(persons.gather(visitor.pk, now=now))
            log(visitor, "wagtail_ma.erase", data={"by": "retention"})
    except Exception:
        # One who cannot be erased keeps nobody else.
        logger.exception("lead %s is due but could not be erased", pk)
        return False
    return True
