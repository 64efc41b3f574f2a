"""What conditions about a person, their record and their segments mean."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from tests.rules.person import (
    LOWER,
    Person,
    meaning,
    since,
)


@meaning
def identified(person: Person, values: Any, now: datetime) -> bool:
    return (person.lead is not None) == (values["is"] == "yes")


@meaning
def lead_attribute(person: Person, values: Any, now: datetime) -> bool:
    if person.lead is None:
        return False
    text = values["text"].translate(LOWER)
    if values["attribute"] == "email_domain":
        has, text = person.lead["email"].partition("@")[2].translate(LOWER), text.lstrip("@")
    else:
        has = person.lead[values["attribute"]].translate(LOWER)
    return has == text if values["operator"] == "equals" else text in has


@meaning
def job_function(person: Person, values: Any, now: datetime) -> bool:
    return person.lead is not None and person.lead["job_function"] == values["function"]


@meaning
def buying_role(person: Person, values: Any, now: datetime) -> bool:
    return person.lead is not None and person.lead["buying_role"] == values["role"]


@meaning
def rank(person: Person, values: Any, now: datetime) -> bool:
    if person.lead is None or person.lead["rank"] is None:
        return False
    has, wanted = person.lead["rank"], int(values["rank"])
    return has == wanted or (values["comparison"] == "at_least" and has < wanted <= 9)


# Name and what it is to us.
COMPANIES = {
    "Acme KK": {"customer"},
    "株式会社ÉCOLE": {"competitor"},
    "Own": {"own"},
    "Plain acme": set[str](),
}


@meaning
def company(person: Person, values: Any, now: datetime) -> bool:
    if person.lead is None or person.company is None:
        return False
    fits = values["is"] == "any" or values["is"] in COMPANIES[person.company]
    wanted = (values["name"] or "").translate(LOWER)
    return fits and wanted in person.company.translate(LOWER)


FIELD_KINDS = {"budget": "number", "renewal": "date", "remark": "text", "fields": "several"}


@meaning
def lead_field(person: Person, values: Any, now: datetime) -> bool:
    name, operator, text = values["field"], values["operator"], values["text"]
    if person.lead is None or name not in person.attributes:
        return False
    has = person.attributes[name]
    if operator == "filled":
        return True
    if FIELD_KINDS[name] in ("text", "several"):
        texts = [
            one.translate(LOWER) for one in (has if isinstance(has, list) else [has]) if isinstance(one, str)
        ]
        wanted = text.translate(LOWER)
        return any(wanted == one or (operator == "contains" and wanted in one) for one in texts)
    if FIELD_KINDS[name] == "number":
        if isinstance(has, (str, list, bool)):
            return False
        wanted = float(text)
    else:
        has, wanted = day_of(has), date.fromisoformat(text)
        if has is None:
            return False
    return bool({"equals": has == wanted, "at_least": has >= wanted, "at_most": has <= wanted}[operator])


def day_of(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if len(value) == 10 else None
    except (TypeError, ValueError):
        return None


@meaning
def lead_date(person: Person, values: Any, now: datetime) -> bool:
    day = day_of(person.attributes.get(values["field"])) if person.lead is not None else None
    if day is None:
        return False
    today = (now.replace(tzinfo=None) + timedelta(hours=9)).date()
    first, last = (today + timedelta(days=sign * values["days"]) for sign in (-1, 1))
    if values["when"] == "yearly":
        coming = [today + timedelta(days=n) for n in range(values["days"] + 1)]
        return any(kept_on(day, one.year) == one for one in coming)
    return {
        "ahead": today <= day <= last,
        "behind": first <= day <= today,
        "beyond": day > last,
        "over": day < first,
    }[values["when"]]


def kept_on(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


@meaning
def known_since(person: Person, values: Any, now: datetime) -> bool:
    if person.lead is None:
        return False
    is_recent = person.known_at >= now - timedelta(days=values["days"])
    return is_recent if values["comparison"] == "within" else not is_recent


@meaning
def first_seen(person: Person, values: Any, now: datetime) -> bool:
    is_recent = person.first_seen_at >= now - timedelta(days=values["days"])
    return is_recent if values["comparison"] == "within" else not is_recent


@meaning
def random_share(person: Person, values: Any, now: datetime) -> bool:
    return person.bucket < values["percent"] * 100


@meaning
def in_segment(person: Person, values: Any, now: datetime) -> bool:
    return (values["segment"] in person.segments) == (values["is"] == "in")


@meaning
def left_segment(person: Person, values: Any, now: datetime) -> bool:
    return any(name == values["segment"] and at >= since(values["days"], now) for name, at in person.left)
