"""Durations as people read them."""

from __future__ import annotations

from datetime import date, datetime, time

from django.utils import timezone
from django.utils.translation import gettext as _


def spoken(seconds: float) -> str:
    """``75`` → ``"1 min 15 s"``; whole seconds, the two largest units.

    :param seconds: a duration in seconds, not negative.
    """
    whole = round(seconds)
    if whole < 60:
        return _("%(s)d s") % {"s": whole}
    if whole < 3600:
        return _("%(m)d min %(s)d s") % {"m": whole // 60, "s": whole % 60}
    return _("%(h)d h %(m)d min") % {"h": whole // 3600, "m": whole % 3600 // 60}


def midnight_months_before(now: datetime, months: int) -> datetime:
    """The beginning of the day so many months ago, in the site's time zone."""
    zone = timezone.get_default_timezone()
    return datetime.combine(months_before(now.astimezone(zone).date(), months), time.min, zone)


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier; the 28th for what does not exist everywhere."""
    count = day.year * 12 + day.month - 1 - months
    return day.replace(year=count // 12, month=count % 12 + 1, day=min(day.day, 28))
