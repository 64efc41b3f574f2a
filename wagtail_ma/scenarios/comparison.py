"""What a scenario brings: how many reach its goal, how soon, and how many of those who were held out do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, DurationField, ExpressionWrapper, F, OuterRef, Q

from wagtail_ma.personalisation import goals
from wagtail_ma.scenarios.models import Enrolment, Scenario

# Two-sided, 95 %.
Z = 1.959964
# Below this many people on a side, shares say nothing.
FEWEST = 20


@dataclass(frozen=True)
class Side:
    """One of the two groups that are compared."""

    people: int
    reached: int

    @property
    def percent(self) -> float:
        """How many of a hundred reached the goal."""
        return 100 * self.reached / self.people if self.people else 0.0

    def interval(self) -> tuple[float, float]:
        """Where the share may really lie, 0 to 1 (Wilson 1927, without continuity correction)."""
        if not self.people:
            return 0.0, 1.0
        n, share = self.people, self.reached / self.people
        centre = share + Z * Z / (2 * n)
        spread = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
        return (centre - spread) / (1 + Z * Z / n), (centre + spread) / (1 + Z * Z / n)


@dataclass(frozen=True)
class Comparison:
    """Those who entered beside those who were held out. The goal counts from the moment of entry on,
    whether or not they are still inside: nobody is left out of the count for leaving early."""

    entered: Side
    held_out: Side

    @property
    def difference(self) -> float:
        """Points by which the share of those who entered is higher."""
        return self.entered.percent - self.held_out.percent

    @property
    def interval(self) -> tuple[float, float]:
        """Between how many points the difference may really lie, 95 % (Newcombe 1998, method 10)."""
        one, two = self.entered.percent / 100, self.held_out.percent / 100
        (low1, high1), (low2, high2) = self.entered.interval(), self.held_out.interval()
        low = one - two - math.hypot(one - low1, high2 - two)
        high = one - two + math.hypot(high1 - one, two - low2)
        return 100 * low, 100 * high

    @property
    def is_enough(self) -> bool:
        """Whether both groups are large enough to be compared at all."""
        return min(self.entered.people, self.held_out.people) >= FEWEST

    @property
    def is_clear(self) -> bool:
        """Whether chance alone would hardly make such a difference."""
        low, high = self.interval
        return self.is_enough and (low > 0 or high < 0)


def compare(scenario: Scenario) -> Comparison | None:
    """Both groups (one statement). None without a goal, or where nobody was ever held out."""
    if scenario.goal is None:
        return None
    reached = goals.reached_since(scenario.goal, visitor=OuterRef("visitor"), since=OuterRef("entered_at"))
    held = Q(status=Enrolment.Status.HELD_OUT)
    hit = Q(has_reached=True)
    found = (
        Enrolment.objects.filter(scenario=scenario)
        .annotate(has_reached=reached)
        .aggregate(
            entered=Count("visitor", filter=~held, distinct=True),
            entered_hits=Count("visitor", filter=~held & hit, distinct=True),
            held=Count("visitor", filter=held, distinct=True),
            held_hits=Count("visitor", filter=held & hit, distinct=True),
        )
    )
    if not found["held"]:
        return None
    return Comparison(
        entered=Side(found["entered"], found["entered_hits"]),
        held_out=Side(found["held"], found["held_hits"]),
    )


def time_to_goal(scenario: Scenario) -> timedelta | None:
    """The median time from entering to the goal, of those who reached it inside; None: nobody did."""
    took = ExpressionWrapper(F("goal_at") - F("entered_at"), output_field=DurationField())
    rows = Enrolment.objects.filter(scenario=scenario, goal_at__isnull=False).annotate(took=took)
    count = rows.count()
    if not count:
        return None
    ordered = rows.order_by("took", "pk").values_list("took", flat=True)
    middle = list(ordered[(count - 1) // 2 : count // 2 + 1])
    return sum(middle, timedelta()) / len(middle)
