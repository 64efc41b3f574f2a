"""What conditions about the request mean."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.rules.person import (
    LOWER,
    Person,
    meaning,
)


@meaning
def query_parameter(person: Person, values: Any, now: datetime) -> bool:
    if values["name"] not in person.request.query:
        return False
    if values["operator"] == "present":
        return True
    wanted = (values["text"] or "").translate(LOWER)
    for text in person.request.query[values["name"]]:
        text = text.strip().translate(LOWER)
        if text == wanted or (values["operator"] == "contains" and wanted and wanted in text):
            return True
    return False


@meaning
def referrer_now(person: Person, values: Any, now: datetime) -> bool:
    referrer = person.request.referrer
    if values["operator"] == "none":
        return referrer == ""
    if not values["text"]:
        return False
    wanted = values["text"].translate(LOWER)
    if values["operator"] == "contains":
        return wanted in referrer.translate(LOWER)
    host = referrer.split("://")[-1].split("/")[0].split(":")[0].translate(LOWER)
    return ("." + host).endswith("." + wanted)


@meaning
def device_now(person: Person, values: Any, now: datetime) -> bool:
    devices = {"iphone": "mobile", "windows": "desktop", "ipad": "tablet", "": "other"}
    return devices[person.request.user_agent] == values["device"]


@meaning
def language_now(person: Person, values: Any, now: datetime) -> bool:
    code, wanted = person.request.language.translate(LOWER), values["language"].translate(LOWER)
    return code == wanted or code.startswith(wanted + "-")


@meaning
def logged_in(person: Person, values: Any, now: datetime) -> bool:
    return person.request.is_logged_in is (values["is"] == "yes")


OFFSETS = {None: 9, "Asia/Tokyo": 9, "UTC": 0, "Pacific/Kiritimati": 14}


DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


@meaning
def local_time(person: Person, values: Any, now: datetime) -> bool:
    local = now.replace(tzinfo=None) + timedelta(hours=OFFSETS[values["zone"]])
    start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (values["start"], values["end"]))
    minutes = local.hour * 60 + local.minute + local.second / 60
    today, yesterday = values[DAYS[local.weekday()]], values[DAYS[local.weekday() - 1]]
    if start == end:
        return today
    if start < end:
        return today and start <= minutes <= end
    return (today and minutes >= start) or (yesterday and minutes <= end)


@meaning
def country_now(person: Person, values: Any, now: datetime) -> bool:
    listed = [code.strip().upper() for code in values["countries"].split(",")]
    return person.request.country != "" and person.request.country in listed
