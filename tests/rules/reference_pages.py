"""What conditions about page views mean."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.rules.person import (
    Person,
    View,
    compare,
    meaning,
    since,
)

# Which pages of the test site a condition about a page means: (alone, with the pages below it).
MEANT = {
    "product": ({"product", "product-ja"}, {"product", "product-ja", "detail", "detail-ja"}),
    "detail": ({"detail"}, {"detail"}),
    "pricing": ({"pricing"}, {"pricing"}),
}


# Classes and topics of the tracked pages.
CLASSES = {"product": {"product", "product-ja"}, "pricing": {"pricing"}}


TYPES = {
    "testapp.contentpage": {"product", "product-ja", "detail", "detail-ja"},
    "testapp.otherpage": {"pricing"},
}


TOPICS = {"speed": {"product", "pricing"}, "price": {"pricing"}}


def views(person: Person, page: str | None, subtree: bool, days: int | None, now: datetime) -> list[View]:
    pages = None if page is None else MEANT[page][1 if subtree else 0]
    return [v for v in person.views if (pages is None or v.page in pages) and v.at >= since(days, now)]


@meaning
def page_viewed(person: Person, values: Any, now: datetime) -> bool:
    found = views(person, values["page"], values["subtree"], values["days"], now)
    if values["seconds"] is not None:
        found = [v for v in found if v.seconds >= values["seconds"]]
    return how_many(found, values)


@meaning
def time_on_page(person: Person, values: Any, now: datetime) -> bool:
    found = views(person, values["page"], values["subtree"], values["days"], now)
    return bool(found) and sum(v.seconds for v in found) >= values["seconds"]


@meaning
def viewed_in_order(person: Person, values: Any, now: datetime) -> bool:
    first = views(person, values["first"], values["first_subtree"], values["days"], now)
    second = views(person, values["second"], values["second_subtree"], values["days"], now)
    never = (
        views(person, values["without"], values["without_subtree"], None, now) if values["without"] else []
    )
    return any(a.at < b.at and not any(a.at < c.at < b.at for c in never) for a in first for b in second)


def labelled(person: Person, pages: set[str], days: int | None, now: datetime) -> list[View]:
    return [v for v in views(person, None, False, days, now) if v.page in pages]


def how_many(found: list[View], values: Any) -> bool:
    count = len({v.visit for v in found}) if values["count"] == "visits" else len(found)
    return compare(values["comparison"], count, values["number"])


@meaning
def page_class_viewed(person: Person, values: Any, now: datetime) -> bool:
    return how_many(labelled(person, CLASSES[values["page_class"]], values["days"], now), values)


@meaning
def page_type_viewed(person: Person, values: Any, now: datetime) -> bool:
    pages = TYPES.get(values["page_type"], set())
    return how_many(labelled(person, pages, values["days"], now), values)


@meaning
def topic_viewed(person: Person, values: Any, now: datetime) -> bool:
    return how_many(labelled(person, TOPICS[values["topic"]], values["days"], now), values)


@meaning
def time_on_topic(person: Person, values: Any, now: datetime) -> bool:
    found = labelled(person, TOPICS[values["topic"]], values["days"], now)
    return bool(found) and sum(v.seconds for v in found) >= values["seconds"]


@meaning
def page_class_share(person: Person, values: Any, now: datetime) -> bool:
    every = views(person, None, False, values["days"], now)
    found = labelled(person, CLASSES[values["page_class"]], values["days"], now)
    return len(every) >= values["number"] and 100 * len(found) >= values["percent"] * len(every)
