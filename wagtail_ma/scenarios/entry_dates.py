"""Who enters because of a date: so many days before or after a date of the lead.

Days are those of the site's time zone, and begin with business. Once a day everybody is looked at; in
between only those with news, whose date somebody may just have filled in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

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


def how_many(scenario: Scenario, day: date) -> int:
    """For how many leads this is the day."""
    return sum(1 for _found_one in _found(scenario, [day], Lead.objects.all()))


def _found(scenario: Scenario, days: Sequence[date], leads: QuerySet[Lead]) -> Iterator[Found]:
    """Leads whose date makes one of these the day. (Reads all leads: values of own fields have no index.)"""
    field = scenario.date_field
    if field is None:
        return
    is_after = scenario.date_side == Scenario.Side.AFTER
    away = timedelta(days=scenario.date_days if is_after else -scenario.date_days)
    wanted = [(day - away).isoformat() for day in days]
    rows = leads.annotate(day=AttributeText(field.key)).filter(day__in=wanted)
    for visitor_id, day in rows.order_by("visitor_id").values_list("visitor_id", "day"):
        yield visitor_id, f"date:{field.pk}:{day}:{visitor_id}"
