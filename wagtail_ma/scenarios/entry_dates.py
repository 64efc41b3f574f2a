"""Who enters because of a date: so many days before or after a date of the lead.

Days are those of the site's time zone, and begin with business. Once a day everybody is looked at; in
between only those with news, whose date somebody may just have filled in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Value
from django.utils import timezone

from wagtail_ma.core import business_time
from wagtail_ma.messaging import rates, timing
from wagtail_ma.people.attribute_values import AttributeText
from wagtail_ma.people.models import Lead
from wagtail_ma.scenarios.models import Scenario

# After a longer stop nobody wants the mails of those days.
CATCH_UP_DAYS = 7

# (visitor, trigger)
Found = tuple[int, str]


def due_today(scenario: Scenario, visitor_ids: Sequence[int]) -> list[Found]:
    """Those of these visitors whose day it is; nobody before business has begun."""
    if scenario.swept_on is None:
        return []
    return list(_found(scenario, [scenario.swept_on], Lead.objects.filter(visitor_id__in=visitor_ids)))


def due(*, now: datetime) -> Iterator[tuple[Scenario, list[Found], date]]:
    """The scenarios that start by a date and were not looked at today, each with those whose day has come
    since, and today. The caller lets them in and notes the day."""
    zone = timezone.get_default_timezone()
    local = now.astimezone(zone)
    today = local.date()
    waiting = Scenario.objects.filter(
        live=True, is_paused=False, entry=Scenario.Entry.DATE, active_since__isnull=False
    ).exclude(swept_on__gte=today)
    scenarios = list(waiting.select_related("date_field").order_by("pk"))
    if not scenarios or local.time() < timing.hours_of(rates.rules_now()).opens:
        return
    for scenario in scenarios:
        first = scenario.swept_on or today - timedelta(days=1)
        days = [today - timedelta(days=back) for back in range(min((today - first).days, CATCH_UP_DAYS))]
        yield scenario, list(_found(scenario, days, Lead.objects.all())), today


def on_day(scenario: Scenario, day: date) -> QuerySet[Any]:
    """The leads for whom this is the day, and who may enter scenarios at all."""
    wanted = _stored(scenario, [day])
    return _dated(scenario, _welcome()).filter(day__in=wanted).select_related("visitor")


def of_days(scenario: Scenario, days: Sequence[date]) -> list[tuple[date, int]]:
    """Who would have entered on these days by the dates as they are now: (day, visitor), the latest first."""
    wanted = _stored(scenario, days)
    rows = _dated(scenario, _welcome()).filter(day__in=wanted).values_list("day", "visitor_id")
    return sorted(((wanted[stored], visitor_id) for stored, visitor_id in rows), reverse=True)


def opening_of(day: date) -> datetime:
    """When business begins on a day: the moment at which dates let people in."""
    zone = timezone.get_default_timezone()
    return business_time.at_wall_time(day, timing.hours_of(rates.rules_now()).opens, zone)


def _welcome() -> QuerySet[Lead]:
    return Lead.objects.filter(visitor__merged_into__isnull=True, visitor__excluded_reason="")


def _stored(scenario: Scenario, days: Sequence[date]) -> dict[str, date]:
    """What is stored where one of these is the day, and which one."""
    is_after = scenario.date_side == Scenario.Side.AFTER
    away = timedelta(days=scenario.date_days if is_after else -scenario.date_days)
    return {(day - away).isoformat(): day for day in days}


def _dated(scenario: Scenario, leads: QuerySet[Lead]) -> QuerySet[Any]:
    """Leads with their ``day`` as text. (Reads all leads: values of own fields have no index.)"""
    field = scenario.date_field
    return leads.annotate(day=AttributeText(field.key)) if field else leads.none().annotate(day=Value(""))


def _found(scenario: Scenario, days: Sequence[date], leads: QuerySet[Lead]) -> Iterator[Found]:
    """Leads whose date makes one of these the day."""
    rows = _dated(scenario, leads).filter(day__in=_stored(scenario, days))
    for visitor_id, day in rows.order_by("visitor_id").values_list("visitor_id", "day"):
        yield visitor_id, f"date:{scenario.date_field_id}:{day}:{visitor_id}"
