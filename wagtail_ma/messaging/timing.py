"""When a mail may leave: quiet hours, business hours, the hour of each reader."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from wagtail_ma.core import business_time
from wagtail_ma.core.business_time import Hours
from wagtail_ma.messaging.models import Mail
from wagtail_ma.messaging.models_of_sending import SendingRules
from wagtail_ma.people.models import Lead
from wagtail_ma.tracking.models import Visit

# The best hour is that of most visits in these days; of fewer visits nothing is concluded.
LOOK_BACK = timedelta(days=90)
FEWEST_VISITS = 3


def zone_of(lead: Lead | None) -> ZoneInfo:
    """The lead's time zone, else the site's; what is no zone is the site's."""
    return zone_named(lead.time_zone if lead is not None else "")


def zone_named(name: str) -> ZoneInfo:
    """The zone of this name; the site's for "" and for what is no zone."""
    if name:
        try:
            return ZoneInfo(name)
        except (KeyError, OSError, ValueError):
            pass
    return ZoneInfo(timezone.get_default_timezone_name())


def hours_of(rules: SendingRules) -> Hours:
    """The business hours of this installation."""
    try:
        return Hours(opens=rules.opens, closes=rules.closes, country=rules.holidays.upper())
    except ValueError:
        return Hours(country=rules.holidays.upper())


def earliest(timing: str, rules: SendingRules, zone: ZoneInfo, at: datetime) -> datetime:
    """This moment, or the next at which such a mail may leave (UTC).

    :param timing: one of ``Mail.Timing``.
    """
    if timing == Mail.Timing.ANY:
        return at
    if timing == Mail.Timing.BUSINESS:
        return business_time.next_open(at, hours_of(rules), zone)
    return business_time.after_quiet(at, rules.quiet_from, rules.quiet_until, zone)


def best_hours(visitor_ids: Collection[int], *, now: datetime) -> dict[int, int]:
    """The UTC hour (0–23) at which each of these visitors begins most visits; absent when too little
    is known. Of equally good ones the earliest after the latest visit does not matter: the lowest."""
    hours: dict[int, Counter[int]] = defaultdict(Counter)
    rows = Visit.objects.filter(visitor_id__in=visitor_ids, started_at__gte=now - LOOK_BACK, is_bot=False)
    for visitor_id, started_at in rows.values_list("visitor_id", "started_at"):
        hours[visitor_id][started_at.hour] += 1
    return {
        visitor_id: min(counts, key=lambda hour: (-counts[hour], hour))
        for visitor_id, counts in hours.items()
        if counts.total() >= FEWEST_VISITS
    }


def at_best_hour(at: datetime, hour: int | None) -> datetime:
    """This moment or the next time that it is this hour (UTC); now, when none is known."""
    return at if hour is None else business_time.next_at(at, time(hour), ZoneInfo("UTC"))
