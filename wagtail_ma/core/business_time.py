"""When a company is at work: opening hours, weekends, public holidays, quiet hours.

All in wall time of a zone, so that nine o'clock stays nine o'clock when clocks are changed; results are
in UTC. A time that a change of clocks leaves out becomes the first one after it; of one that comes
twice, the first is meant.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

# Nobody is closed for longer: beyond it the hours themselves are wrong.
MOST_DAYS = 60
ONE_DAY = timedelta(days=1)


class NeverOpen(ValueError):
    """These hours have no open moment (no weekday, or closed for two months)."""


@dataclass(frozen=True)
class Hours:
    """When a company is at work.

    :param weekdays: Monday is 0.
    :param country: whose public holidays are kept, as ISO 3166 (``"JP"``); "" for none.
    :param closed: other days on which nobody works.
    """

    opens: time = time(9)
    closes: time = time(18)
    weekdays: Collection[int] = field(default=(0, 1, 2, 3, 4))
    country: str = "JP"
    closed: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        """:raises ValueError: they close before they open."""
        if self.closes <= self.opens:
            raise ValueError("the hours must end after they begin")


def countries() -> list[str]:
    """The countries whose public holidays are known (ISO 3166, sorted)."""
    return sorted(code for code in holidays.list_supported_countries() if len(code) == 2)


def holiday_name(day: date, country: str) -> str:
    """The name of a public holiday in its country's language, or "" on any other day.

    Japanese substitute holidays (振替休日) and days between two holidays (国民の休日) count.
    Source: the package ``holidays``.

    :param country: ISO 3166; "" or an unknown one has no holidays.
    """
    return _of_year(country, day.year).get(day, "") if country else ""


def is_business_day(day: date, hours: Hours) -> bool:
    """Whether somebody works on this day."""
    return (
        day.weekday() in hours.weekdays and day not in hours.closed and not holiday_name(day, hours.country)
    )


def is_open(moment: datetime, hours: Hours, zone: ZoneInfo) -> bool:
    """Whether somebody is at work at this moment (the opening minute is, the closing one is not)."""
    local = moment.astimezone(zone)
    return is_business_day(local.date(), hours) and hours.opens <= local.time() < hours.closes


def next_open(moment: datetime, hours: Hours, zone: ZoneInfo) -> datetime:
    """This moment if somebody is at work, else the next opening (UTC).

    :raises NeverOpen: there is none.
    """
    if is_open(moment, hours, zone):
        return moment.astimezone(UTC)
    day = moment.astimezone(zone).date()
    for _number in range(MOST_DAYS):
        opening = at_wall_time(day, hours.opens, zone)
        if opening > moment and is_business_day(day, hours):
            return opening
        day += ONE_DAY
    raise NeverOpen("no open day within two months")


def add_open_time(moment: datetime, duration: timedelta, hours: Hours, zone: ZoneInfo) -> datetime:
    """The moment by which somebody has been at work for so long, e.g. four working hours on (UTC).

    :raises NeverOpen: there is no such moment.
    """
    left = duration
    while True:
        moment = next_open(moment, hours, zone)
        closing = at_wall_time(moment.astimezone(zone).date(), hours.closes, zone)
        if left <= closing - moment:
            return moment + left
        left -= closing - moment
        moment = closing


def add_business_days(moment: datetime, days: int, hours: Hours, zone: ZoneInfo) -> datetime:
    """The same wall time so many business days later (UTC); 0 is the next business day at all, which
    may be this one.

    :raises NeverOpen: there is no business day.
    """
    local = moment.astimezone(zone)
    day, left = local.date(), days
    since_open = 0
    while left > 0 or not is_business_day(day, hours):
        day += ONE_DAY
        since_open += 1
        if is_business_day(day, hours):
            left, since_open = left - 1, 0
        if since_open > MOST_DAYS:
            raise NeverOpen("no open day within two months")
    return at_wall_time(day, local.time(), zone)


def after_quiet(moment: datetime, quiet_from: time, quiet_until: time, zone: ZoneInfo) -> datetime:
    """This moment, or the end of the quiet hours it falls into (UTC).

    :param quiet_from: the hours may go over midnight (21:00 to 8:00); equal times mean none.
    """
    local = moment.astimezone(zone)
    over_midnight = quiet_until <= quiet_from
    late = local.time() >= quiet_from
    early = local.time() < quiet_until
    if quiet_from == quiet_until or not ((late or early) if over_midnight else (late and early)):
        return moment.astimezone(UTC)
    day = local.date() + ONE_DAY if over_midnight and late else local.date()
    return max(at_wall_time(day, quiet_until, zone), moment.astimezone(UTC))


def next_at(moment: datetime, wall_time: time, zone: ZoneInfo) -> datetime:
    """The next time that clocks in this zone show ``wall_time``, this moment included (UTC)."""
    day = moment.astimezone(zone).date()
    today = at_wall_time(day, wall_time, zone)
    return today if today >= moment else at_wall_time(day + ONE_DAY, wall_time, zone)


def at_wall_time(day: date, wall_time: time, zone: ZoneInfo) -> datetime:
    """When clocks in this zone show this time on this day (UTC).

    PEP 495: for a time that is left out, the offset before the change gives a moment as long after
    it as the time lies within the gap; we want its end, the first valid moment.
    """
    naive = datetime.combine(day, wall_time.replace(tzinfo=None, fold=0))
    moment = naive.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == naive:
        return moment
    before = naive.replace(tzinfo=zone).utcoffset() or timedelta()
    after = naive.replace(tzinfo=zone, fold=1).utcoffset() or timedelta()
    low, high = moment - 2 * abs(before - after), moment
    # The change itself lies between: found by halving, to the minute (no zone changes within one).
    while high - low > timedelta(minutes=1):
        middle = low + timedelta(minutes=(high - low) // timedelta(minutes=2))
        if middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset():
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=64)
def _of_year(country: str, year: int) -> dict[date, str]:
    try:
        # Not the language of this computer's user.
        language = holidays.country_holidays(country).default_language
        return dict(holidays.country_holidays(country, years=year, language=language))
    except NotImplementedError:
        return {}
