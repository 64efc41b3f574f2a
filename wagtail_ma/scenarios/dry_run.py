"""Whom a scenario would have let in during a past time, by what is stored of it. Reads only."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from wagtail_ma.people.models import Visitor
from wagtail_ma.rules.compile import everyone
from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.tree import Broken, is_live, parse
from wagtail_ma.scenarios import entry_dates
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.segments.models import Membership, PastMembership
from wagtail_ma.segments.queries import population
from wagtail_ma.tracking import activities
from wagtail_ma.tracking.models import Activity

# People who are named; beyond them only the number counts.
SHOWN = 20
# How often a past time is looked at, at most, for conditions.
LOOKS = 30
# Seconds after which no further look is begun: a reader waits, and web servers give up after some 30.
BUDGET_SECONDS = 8.0


@dataclass(frozen=True)
class Would:
    """Somebody who would have entered, first at this time."""

    visitor: Visitor
    at: datetime


@dataclass(frozen=True)
class DryRun:
    """What a past time says of a scenario.

    :param people: how many different people would have entered; None where the past does not tell.
    :param occasions: how often something would have let somebody in, if everybody may enter each time.
    :param first: the latest of them, at most :data:`SHOWN`.
    :param inside_now: how many are in the entry segment, or fulfil the conditions, today (they do not enter
        by themselves).
    :param since: how far back it was looked; None: as far as asked for.
    """

    people: int | None
    occasions: int = 0
    first: list[Would] = field(default_factory=list)
    inside_now: int | None = None
    since: datetime | None = None


def dry_run(
    scenario: Scenario, *, since: datetime, until: datetime, clock: Callable[[], float] = time.monotonic
) -> DryRun:
    """Whom this scenario would have let in between two moments (a few statements).

    As if nobody had been in it before, and as the facts are now: of segments, who entered or left them
    then; of conditions, who came to fulfil them from one day to the next (up to :data:`LOOKS` + 1 statements
    over everybody, as far back as :data:`BUDGET_SECONDS` let it); of dates, whose day it was. Those merged
    away, excluded, and machines are not counted, as at a real entry.

    :param clock: seconds that pass, from any beginning.
    """
    if scenario.entry == Scenario.Entry.ACTIVITY:
        return _of_activities(scenario.activity_kind, since, until)
    if scenario.entry == Scenario.Entry.SEGMENT:
        memberships = Membership.objects.filter(segment=scenario.segment_id or 0)
        told = [
            (memberships, "entered_at"),
            (PastMembership.objects.filter(segment=scenario.segment_id or 0), "entered_at"),
        ]
        return _of_segments(told, since, until, inside_now=_welcome(memberships).count())
    if scenario.entry == Scenario.Entry.SEGMENT_LEFT:
        past = PastMembership.objects.filter(segment=scenario.segment_id or 0)
        return _of_segments([(past, "left_at")], since, until, inside_now=None)
    if scenario.entry == Scenario.Entry.RULE:
        return _of_rule(scenario, since, until, clock)
    if scenario.entry == Scenario.Entry.DATE:
        return _of_dates(scenario, since, until)
    return DryRun(people=None)


def _welcome(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Rows of people who may enter scenarios at all."""
    return rows.filter(visitor__merged_into__isnull=True, visitor__excluded_reason="")


def _of_activities(kind: str, since: datetime, until: datetime) -> DryRun:
    acts = Activity.objects.filter(kind=kind, at__gte=since, at__lt=until)
    human = _welcome(activities.by_people(acts))
    by_person = human.values("visitor_id").annotate(first_at=Min("at"))
    found = human.aggregate(people=Count("visitor", distinct=True), occasions=Count("pk"))
    rows = by_person.order_by("-first_at", "visitor_id").values_list("visitor_id", "first_at")[:SHOWN]
    return DryRun(found["people"], found["occasions"], _named(list(rows)))


def _of_segments(
    told: list[tuple[QuerySet[Any], str]], since: datetime, until: datetime, *, inside_now: int | None
) -> DryRun:
    """From memberships of now and of the past, each with the name of the moment that counts."""
    within = [
        (_welcome(rows).filter(**{f"{moment}__gte": since, f"{moment}__lt": until}), moment)
        for rows, moment in told
    ]
    people = within[0][0].values("visitor_id")
    for rows, _moment in within[1:]:
        people = people.union(rows.values("visitor_id"))
    count = people.count() if len(within) > 1 else people.distinct().count()
    firsts: dict[int, datetime] = {}
    for rows, moment in within:
        latest = rows.values("visitor_id").annotate(first_at=Min(moment)).order_by("-first_at", "visitor_id")
        for visitor_id, at in latest.values_list("visitor_id", "first_at")[:SHOWN]:
            firsts[visitor_id] = min(at, firsts.get(visitor_id, at))
    occasions = sum(rows.count() for rows, _moment in within)
    return DryRun(count, occasions, _named(_newest(firsts)), inside_now)


def _of_rule(scenario: Scenario, since: datetime, until: datetime, clock: Callable[[], float]) -> DryRun:
    """Whom the conditions let in from one look to the next, one or more days apart: as many statements
    over everybody as there are looks. Who fulfilled them only in between is not found.

    From the end backwards, as long as there is time: what is left out is what was longest ago. (One step is
    always made; a look cannot be broken off.)
    """
    tree = parse(scenario.match, stored(scenario.rule))
    if isinstance(tree, Broken) or is_live(stored(scenario.rule)):
        return DryRun(people=None)
    welcome = population().filter(excluded_reason="")

    def fulfilled(moment: datetime) -> set[int]:
        there = welcome.filter(first_seen_at__lte=moment)
        return set(everyone(tree, there, now=moment, until=moment).values_list("pk", flat=True))

    step = max(timedelta(days=1), (until - since) / LOOKS)
    began = clock()
    inside = inside_now = fulfilled(until)
    moment, occasions = until, 0
    firsts: dict[int, datetime] = {}
    while moment > since and (moment == until or clock() < began + BUDGET_SECONDS):
        earlier = max(moment - step, since)
        before = fulfilled(earlier)
        occasions += len(inside - before)
        # Further back each time: the first time stays.
        firsts.update(dict.fromkeys(inside - before, moment))
        inside, moment = before, earlier
    looked = moment if moment > since else None
    return DryRun(len(firsts), occasions, _named(_newest(firsts)), len(inside_now), looked)


def _of_dates(scenario: Scenario, since: datetime, until: datetime) -> DryRun:
    """Whose day it was, by the dates as they are now."""
    zone = timezone.get_default_timezone()
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    openings = {day: entry_dates.opening_of(day) for day in days}
    within = [day for day in days if since <= openings[day] < until]
    found = [(visitor_id, openings[day]) for day, visitor_id in entry_dates.of_days(scenario, within)]
    return DryRun(len(found), len(found), _named(found[:SHOWN]))


def _newest(firsts: dict[int, datetime]) -> list[tuple[int, datetime]]:
    """The latest of these people, as they are shown."""
    return sorted(firsts.items(), key=lambda item: (item[1], item[0]), reverse=True)[:SHOWN]


def _named(rows: list[tuple[int, datetime]]) -> list[Would]:
    visitors = Visitor.objects.select_related("lead").in_bulk([visitor_id for visitor_id, _at in rows])
    return [Would(visitors[visitor_id], at) for visitor_id, at in rows if visitor_id in visitors]
