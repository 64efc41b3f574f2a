"""What conditions about scores, heat and exclusions mean."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.rules.person import (
    Person,
    meaning,
    since,
)

HALF_LIFE_DAYS = 7


@meaning
def score(person: Person, values: Any, now: datetime) -> bool:
    left = [p * 0.5 ** ((now - at) / timedelta(days=HALF_LIFE_DAYS)) for p, at in person.points or []]
    is_enough = person.points is not None and sum(left) >= values["number"] * (1 - 1e-9)
    return is_enough == (values["comparison"] == "at_least")


@meaning
def score_earned(person: Person, values: Any, now: datetime) -> bool:
    earned = [p for p, at in person.points or [] if at >= since(values["days"], now)]
    return bool(earned) and sum(earned) >= values["number"]


@meaning
def score_changed(person: Person, values: Any, now: datetime) -> bool:
    def worth(moment: datetime) -> float:
        mine = [
            p * 0.5 ** ((moment - at) / timedelta(days=7)) for p, at in person.points or [] if at <= moment
        ]
        return max(0.0, sum(mine))

    change = worth(now) - worth(since(values["days"], now))
    return bool(person.points) and (change if values["direction"] == "rose" else -change) >= values[
        "number"
    ] * (1 - 1e-9)


@meaning
def lifetime_points(person: Person, values: Any, now: datetime) -> bool:
    return person.points is not None and person.lifetime >= values["number"]


@meaning
def grade(person: Person, values: Any, now: datetime) -> bool:
    left = sum(p * 0.5 ** ((now - at) / timedelta(days=HALF_LIFE_DAYS)) for p, at in person.points or [])
    enough = {"1": 75, "2": 50, "3": 25, "4": float("-inf")}[values["engagement"]]
    return person.points is not None and person.fit_grade <= values["fit"] and left >= enough * (1 - 1e-9)


# What evidence as stored (forward-decayed from thirty days ago) is worth now.
FADED = 0.5 ** (30 / HALF_LIFE_DAYS)


@meaning
def interest(person: Person, values: Any, now: datetime) -> bool:
    evidence = person.interests.get(values["topic"], 0) * FADED
    return person.points is not None and 100 * evidence / (evidence + 12) >= values["weight"] * (1 - 1e-9)


@meaning
def temperature(person: Person, values: Any, now: datetime) -> bool:
    evidence = {"intent": person.intent, "research": person.research}[values["which"]] * FADED
    least = {"weak": 4, "strong": 15, "now": 40}[values["level"]]
    is_enough = person.points is not None and evidence >= least
    return is_enough == (values["comparison"] == "at_least")


@meaning
def top_ranked(person: Person, values: Any, now: datetime) -> bool:
    better = [rank for rank in person.crowd if rank > person.rank]
    return person.points is not None and not person.is_excluded and len(better) < values["number"]


@meaning
def hot(person: Person, values: Any, now: datetime) -> bool:
    lists = {name for name, is_over in person.heat if not is_over}
    return bool(lists) if values["list"] == "any" else values["list"] in lists


@meaning
def customer(person: Person, values: Any, now: datetime) -> bool:
    return person.is_customer


@meaning
def excluded(person: Person, values: Any, now: datetime) -> bool:
    return person.is_excluded
