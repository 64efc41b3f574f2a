"""Conditions of a scenario's own, in place of a saved segment; and those who fulfil them already.

The conditions are kept as a segment that editors do not see, so that they are refreshed, cooled and
explained like all others; it follows the scenario at each publication.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from wagtail_ma.rules.fields import stored
from wagtail_ma.scenarios import entry
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.segments import refresh
from wagtail_ma.segments.models import Membership, Segment

Entry = Scenario.Entry
# People taken in per call and scenario, who had been there before.
AT_ONCE = 500


def keep(scenario: Scenario) -> Segment | None:
    """The segment of a scenario's own conditions, as they are now; None where it starts otherwise.

    Whoever fulfils new or changed conditions already is in it at once, without having entered.
    """
    if scenario.entry != Entry.RULE:
        return None
    segment = scenario.own_segment or Segment(is_internal=True)
    wanted = {"match": scenario.match, "rule": stored(scenario.rule)}
    if segment.pk and {"match": segment.match, "rule": stored(segment.rule)} == wanted:
        return segment
    segment.name = _("Start of scenario %(number)d") % {"number": scenario.pk}
    for name, value in wanted.items():
        setattr(segment, name, value)
    segment.save()
    refresh.rule_changed(segment)
    if scenario.own_segment_id != segment.pk:
        Scenario.objects.filter(pk=scenario.pk).update(own_segment=segment)
        scenario.own_segment = segment
    return segment


def take_in(*, now: datetime, limit: int = AT_ONCE) -> int:
    """Let in those who were in the segment before the scenario was published, where it asks for them: a
    portion of them for each scenario.

    :returns: how many entered.
    """
    waiting = Scenario.objects.filter(live=True, is_paused=False, existing_after__isnull=False)
    return sum(
        _take_in(scenario, now=now, limit=limit)
        for scenario in waiting.select_related("segment", "own_segment").order_by("pk")
    )


def _take_in(scenario: Scenario, *, now: datetime, limit: int) -> int:
    segment = scenario.watched
    if segment is not None and segment.refreshed_at is None and not segment.is_static:
        # Its members are not known yet.
        return 0
    with transaction.atomic():
        # By guarded update: two processes never take the same portion.
        after = scenario.existing_after or 0
        members = Membership.objects.filter(segment=segment, visitor_id__gt=after, entered_at__lte=now)
        ids = list(members.order_by("visitor_id").values_list("visitor_id", flat=True)[:limit])
        mine = Scenario.objects.filter(pk=scenario.pk, existing_after=scenario.existing_after)
        if not mine.update(existing_after=ids[-1] if ids else None) or not ids:
            return 0
        occasion = f"existing:{scenario.active_since:%Y-%m-%dT%H:%M:%S}"
        return entry.put_in(scenario, ids, reason=occasion, now=now)
