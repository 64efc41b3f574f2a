"""What conditions about visits mean."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.rules.person import (
    LOWER,
    Person,
    VisitFact,
    compare,
    meaning,
    since,
)


def human(person: Person) -> list[VisitFact]:
    return [v for v in person.visits if not v.is_bot]


@meaning
def visit_count(person: Person, values: Any, now: datetime) -> bool:
    found = [v for v in human(person) if v.started_at >= since(values["days"], now)]
    return compare(values["comparison"], len(found), values["number"])


@meaning
def last_visit(person: Person, values: Any, now: datetime) -> bool:
    if not human(person):
        return False
    last = max(v.last_at for v in human(person))
    is_long_ago = last <= now - timedelta(days=values["days"])
    return is_long_ago if values["comparison"] == "at_least" else not is_long_ago


@meaning
def surge(person: Person, values: Any, now: datetime) -> bool:
    began = now - timedelta(days=values["days"])
    silent = began - timedelta(days=values["silence"])
    starts = [v.started_at for v in human(person)]
    return (
        len([at for at in starts if at >= began]) >= values["number"]
        and not [at for at in starts if silent <= at < began]
        and any(at < silent for at in starts)
    )


def chosen_visits(person: Person, which: str) -> list[VisitFact]:
    ordered = sorted(human(person), key=lambda v: v.started_at)
    return {"any": ordered, "first": ordered[:1], "last": ordered[-1:]}[which]


@meaning
def channel(person: Person, values: Any, now: datetime) -> bool:
    return any(v.medium == values["medium"] for v in chosen_visits(person, values["visit"]))


@meaning
def campaign(person: Person, values: Any, now: datetime) -> bool:
    wanted = values["campaign"].translate(LOWER)
    return any(v.campaign.translate(LOWER) == wanted for v in chosen_visits(person, values["visit"]))


@meaning
def referrer(person: Person, values: Any, now: datetime) -> bool:
    wanted = "." + values["site"].translate(LOWER).strip(".")
    hosts = ["." + v.referrer_host.translate(LOWER) for v in chosen_visits(person, values["visit"])]
    return any(host.endswith(wanted) for host in hosts)


@meaning
def source(person: Person, values: Any, now: datetime) -> bool:
    wanted = values["source"].translate(LOWER)
    return any(v.source.translate(LOWER) == wanted for v in chosen_visits(person, values["visit"]))


@meaning
def device(person: Person, values: Any, now: datetime) -> bool:
    return any(v.device == values["device"] for v in chosen_visits(person, values["visit"]))


@meaning
def language(person: Person, values: Any, now: datetime) -> bool:
    wanted = values["language"].translate(LOWER)
    spoken = [v.language.translate(LOWER) for v in chosen_visits(person, values["visit"])]
    return any(code == wanted or code.startswith(f"{wanted}-") for code in spoken)


@meaning
def country(person: Person, values: Any, now: datetime) -> bool:
    wanted = [code.strip().upper() for code in values["countries"].split(",")]
    return any(v.country != "" and v.country in wanted for v in chosen_visits(person, values["visit"]))


@meaning
def region(person: Person, values: Any, now: datetime) -> bool:
    wanted = values["region"].translate(LOWER)
    return any(v.region.translate(LOWER) == wanted for v in chosen_visits(person, values["visit"]))


NETWORKS = {"Acme": "company", "Rival": "competitor", "Provider": "provider"}


@meaning
def network(person: Person, values: Any, now: datetime) -> bool:
    return any(
        v.network is not None
        and values["kind"] in ("any", NETWORKS[v.network])
        and values["network"] in (None, v.network)
        for v in chosen_visits(person, values["visit"])
    )
