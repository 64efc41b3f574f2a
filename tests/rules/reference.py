"""The slow, obvious evaluator: what a rule means, in Python, one person at a time.

The database's two shapes are compared with it. It knows nothing of querysets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@dataclass
class View:
    page: str
    at: datetime
    seconds: float
    visit: int


@dataclass
class VisitFact:
    started_at: datetime
    last_at: datetime
    medium: str
    campaign: str
    device: str
    language: str
    is_bot: bool
    referrer_host: str = ""
    source: str = ""
    country: str = ""
    region: str = ""
    network: str | None = None


@dataclass
class ActivityFact:
    kind: str
    at: datetime
    # What it was done to: the name of a mail, a form or a document.
    of: tuple[str, str] | None = None


@dataclass
class RequestFact:
    """What the browser sends with the page view."""

    query: dict[str, list[str]] = field(default_factory=dict)
    referrer: str = ""
    user_agent: str = ""
    language: str = ""
    country: str = ""
    is_logged_in: bool = False


@dataclass
class Person:
    first_seen_at: datetime
    bucket: int
    visits: list[VisitFact] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    activities: list[ActivityFact] = field(default_factory=list)
    lead: dict[str, Any] | None = None
    # (name, flags) of the company; only of leads.
    company: str | None = None
    # Values of the editor's own fields; only of leads.
    attributes: dict[str, Any] = field(default_factory=dict)
    segments: set[str] = field(default_factory=set)
    # (segment, left_at)
    left: list[tuple[str, datetime]] = field(default_factory=list)
    # (mail, state, sent_at)
    mails: list[tuple[str, str, datetime | None]] = field(default_factory=list)
    request: RequestFact = field(default_factory=RequestFact)
    # Points and when they were earned; None: not looked at by the scoring yet.
    points: list[tuple[float, datetime]] | None = None
    rank: float = 0
    fit_grade: str = "C"
    lifetime: float = 0
    # Forward from NOW − 30 days: topic → evidence; intent, research.
    interests: dict[str, float] = field(default_factory=dict)
    intent: float = 0
    research: float = 0
    # The ranks of everybody who is not left out.
    crowd: list[float] = field(default_factory=list)
    is_customer: bool = False
    is_excluded: bool = False
    # (list, whether it has ended)
    heat: list[tuple[str, bool]] = field(default_factory=list)


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


def fulfils(node: Any, person: Person, now: datetime) -> bool:
    """``node``: ("all" | "any" | "none", children) or (condition key, values)."""
    kind, content = node
    if kind in ("all", "any", "none"):
        verdicts = [fulfils(child, person, now) for child in content]
        return {"all": all(verdicts), "any": any(verdicts), "none": not any(verdicts)}[kind]
    return CONDITIONS[kind](person, content, now)


def since(days: int | None, now: datetime) -> datetime:
    return now - timedelta(days=days) if days is not None else now - timedelta(days=100_000)


def compare(comparison: str, count: int, number: int) -> bool:
    return {"at_least": count >= number, "at_most": count <= number, "exactly": count == number}[comparison]


def views(person: Person, page: str | None, subtree: bool, days: int | None, now: datetime) -> list[View]:
    pages = None if page is None else MEANT[page][1 if subtree else 0]
    return [v for v in person.views if (pages is None or v.page in pages) and v.at >= since(days, now)]


def page_viewed(person: Person, values: Any, now: datetime) -> bool:
    found = views(person, values["page"], values["subtree"], values["days"], now)
    if values["seconds"] is not None:
        found = [v for v in found if v.seconds >= values["seconds"]]
    return how_many(found, values)


def time_on_page(person: Person, values: Any, now: datetime) -> bool:
    found = views(person, values["page"], values["subtree"], values["days"], now)
    return bool(found) and sum(v.seconds for v in found) >= values["seconds"]


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


def page_class_viewed(person: Person, values: Any, now: datetime) -> bool:
    return how_many(labelled(person, CLASSES[values["page_class"]], values["days"], now), values)


def page_type_viewed(person: Person, values: Any, now: datetime) -> bool:
    pages = TYPES.get(values["page_type"], set())
    return how_many(labelled(person, pages, values["days"], now), values)


def topic_viewed(person: Person, values: Any, now: datetime) -> bool:
    return how_many(labelled(person, TOPICS[values["topic"]], values["days"], now), values)


def time_on_topic(person: Person, values: Any, now: datetime) -> bool:
    found = labelled(person, TOPICS[values["topic"]], values["days"], now)
    return bool(found) and sum(v.seconds for v in found) >= values["seconds"]


def page_class_share(person: Person, values: Any, now: datetime) -> bool:
    every = views(person, None, False, values["days"], now)
    found = labelled(person, CLASSES[values["page_class"]], values["days"], now)
    return len(every) >= values["number"] and 100 * len(found) >= values["percent"] * len(every)


def human(person: Person) -> list[VisitFact]:
    return [v for v in person.visits if not v.is_bot]


def visit_count(person: Person, values: Any, now: datetime) -> bool:
    found = [v for v in human(person) if v.started_at >= since(values["days"], now)]
    return compare(values["comparison"], len(found), values["number"])


def last_visit(person: Person, values: Any, now: datetime) -> bool:
    if not human(person):
        return False
    last = max(v.last_at for v in human(person))
    is_long_ago = last <= now - timedelta(days=values["days"])
    return is_long_ago if values["comparison"] == "at_least" else not is_long_ago


def chosen_visits(person: Person, which: str) -> list[VisitFact]:
    ordered = sorted(human(person), key=lambda v: v.started_at)
    return {"any": ordered, "first": ordered[:1], "last": ordered[-1:]}[which]


def channel(person: Person, values: Any, now: datetime) -> bool:
    return any(v.medium == values["medium"] for v in chosen_visits(person, values["visit"]))


def campaign(person: Person, values: Any, now: datetime) -> bool:
    wanted = values["campaign"].translate(LOWER)
    return any(v.campaign.translate(LOWER) == wanted for v in chosen_visits(person, values["visit"]))


def referrer(person: Person, values: Any, now: datetime) -> bool:
    wanted = "." + values["site"].translate(LOWER).strip(".")
    hosts = ["." + v.referrer_host.translate(LOWER) for v in chosen_visits(person, values["visit"])]
    return any(host.endswith(wanted) for host in hosts)


def source(person: Person, values: Any, now: datetime) -> bool:
    wanted = values["source"].translate(LOWER)
    return any(v.source.translate(LOWER) == wanted for v in chosen_visits(person, values["visit"]))


def device(person: Person, values: Any, now: datetime) -> bool:
    return any(v.device == values["device"] for v in chosen_visits(person, values["visit"]))


def language(person: Person, values: Any, now: datetime) -> bool:
    wanted = values["language"].translate(LOWER)
    spoken = [v.language.translate(LOWER) for v in chosen_visits(person, values["visit"])]
    return any(code == wanted or code.startswith(f"{wanted}-") for code in spoken)


def country(person: Person, values: Any, now: datetime) -> bool:
    wanted = [code.strip().upper() for code in values["countries"].split(",")]
    return any(v.country != "" and v.country in wanted for v in chosen_visits(person, values["visit"]))


def region(person: Person, values: Any, now: datetime) -> bool:
    wanted = values["region"].translate(LOWER)
    return any(v.region.translate(LOWER) == wanted for v in chosen_visits(person, values["visit"]))


NETWORKS = {"Acme": "company", "Rival": "competitor", "Provider": "provider"}


def network(person: Person, values: Any, now: datetime) -> bool:
    return any(
        v.network is not None
        and values["kind"] in ("any", NETWORKS[v.network])
        and values["network"] in (None, v.network)
        for v in chosen_visits(person, values["visit"])
    )


def activity(person: Person, values: Any, now: datetime) -> bool:
    kind = (values["name"] or "") if values["kind"] == "own" else values["kind"]
    found = [a for a in person.activities if a.kind == kind and a.at >= since(values["days"], now)]
    return compare(values["comparison"], len(found), values["number"])


def identified(person: Person, values: Any, now: datetime) -> bool:
    return (person.lead is not None) == (values["is"] == "yes")


def lead_attribute(person: Person, values: Any, now: datetime) -> bool:
    if person.lead is None:
        return False
    text = values["text"].translate(LOWER)
    if values["attribute"] == "email_domain":
        has, text = person.lead["email"].partition("@")[2].translate(LOWER), text.lstrip("@")
    else:
        has = person.lead[values["attribute"]].translate(LOWER)
    return has == text if values["operator"] == "equals" else text in has


def job_function(person: Person, values: Any, now: datetime) -> bool:
    return person.lead is not None and person.lead["job_function"] == values["function"]


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


def company(person: Person, values: Any, now: datetime) -> bool:
    if person.lead is None or person.company is None:
        return False
    fits = values["is"] == "any" or values["is"] in COMPANIES[person.company]
    wanted = (values["name"] or "").translate(LOWER)
    return fits and wanted in person.company.translate(LOWER)


FIELD_KINDS = {"budget": "number", "renewal": "date", "remark": "text"}


def lead_field(person: Person, values: Any, now: datetime) -> bool:
    name, operator, text = values["field"], values["operator"], values["text"]
    if person.lead is None or name not in person.attributes:
        return False
    has = person.attributes[name]
    if operator == "filled":
        return True
    if FIELD_KINDS[name] == "number":
        if isinstance(has, (str, list, bool)):
            return False
        wanted: Any = float(text)
    elif not isinstance(has, str):
        return False
    else:
        has, wanted = has.translate(LOWER), text.translate(LOWER)
        if FIELD_KINDS[name] == "date" and len(has) != 10:
            return False
    if operator == "contains":
        return wanted in has
    return bool({"equals": has == wanted, "at_least": has >= wanted, "at_most": has <= wanted}[operator])


def first_seen(person: Person, values: Any, now: datetime) -> bool:
    is_recent = person.first_seen_at >= now - timedelta(days=values["days"])
    return is_recent if values["comparison"] == "within" else not is_recent


def random_share(person: Person, values: Any, now: datetime) -> bool:
    return person.bucket < values["percent"] * 100


def in_segment(person: Person, values: Any, now: datetime) -> bool:
    return (values["segment"] in person.segments) == (values["is"] == "in")


def left_segment(person: Person, values: Any, now: datetime) -> bool:
    return any(name == values["segment"] and at >= since(values["days"], now) for name, at in person.left)


def mail_sent(person: Person, values: Any, now: datetime) -> bool:
    found = [
        1
        for mail, state, sent_at in person.mails
        if state == "sent" and values["mail"] in (None, mail) and sent_at >= since(values["days"], now)
    ]
    return bool(found) == (values["is"] == "sent")


def mail_clicked(person: Person, values: Any, now: datetime) -> bool:
    found = [
        a
        for a in person.activities
        if a.kind == "mail_click"
        and a.at >= since(values["days"], now)
        and (values["mail"] is None or a.of == ("mail", values["mail"]))
    ]
    return bool(found) == (values["is"] == "clicked")


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


def device_now(person: Person, values: Any, now: datetime) -> bool:
    devices = {"iphone": "mobile", "windows": "desktop", "ipad": "tablet", "": "other"}
    return devices[person.request.user_agent] == values["device"]


def language_now(person: Person, values: Any, now: datetime) -> bool:
    code, wanted = person.request.language.translate(LOWER), values["language"].translate(LOWER)
    return code == wanted or code.startswith(wanted + "-")


def logged_in(person: Person, values: Any, now: datetime) -> bool:
    return person.request.is_logged_in is (values["is"] == "yes")


OFFSETS = {None: 9, "Asia/Tokyo": 9, "UTC": 0, "Pacific/Kiritimati": 14}
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


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


def country_now(person: Person, values: Any, now: datetime) -> bool:
    listed = [code.strip().upper() for code in values["countries"].split(",")]
    return person.request.country != "" and person.request.country in listed


def surge(person: Person, values: Any, now: datetime) -> bool:
    began = now - timedelta(days=values["days"])
    silent = began - timedelta(days=values["silence"])
    starts = [v.started_at for v in human(person)]
    return (
        len([at for at in starts if at >= began]) >= values["number"]
        and not [at for at in starts if silent <= at < began]
        and any(at < silent for at in starts)
    )


def form_not_sent(person: Person, values: Any, now: datetime) -> bool:
    begun = [a for a in person.activities if a.kind == "form_start" and a.at >= since(values["days"], now)]
    sent = [a.at for a in person.activities if a.kind == "form_submit"]
    return any(not any(at >= a.at for at in sent) for a in begun)


def form(person: Person, values: Any, now: datetime) -> bool:
    of_form = [a for a in person.activities if a.of == ("form", values["form"])]
    kind = "form_start" if values["act"] == "abandoned" else values["act"]
    found = [a for a in of_form if a.kind == kind and a.at >= since(values["days"], now)]
    if values["act"] != "abandoned":
        return bool(found)
    sent = [a.at for a in of_form if a.kind == "form_submit"]
    return any(not any(at >= a.at for at in sent) for a in found)


def download(person: Person, values: Any, now: datetime) -> bool:
    wanted = ("download", ("document", values["document"]))
    found = [a for a in person.activities if (a.kind, a.of) == wanted and a.at >= since(values["days"], now)]
    return compare(values["comparison"], len(found), values["number"])


HALF_LIFE_DAYS = 7


def score(person: Person, values: Any, now: datetime) -> bool:
    left = [p * 0.5 ** ((now - at) / timedelta(days=HALF_LIFE_DAYS)) for p, at in person.points or []]
    is_enough = person.points is not None and sum(left) >= values["number"] * (1 - 1e-9)
    return is_enough == (values["comparison"] == "at_least")


def score_earned(person: Person, values: Any, now: datetime) -> bool:
    earned = [p for p, at in person.points or [] if at >= since(values["days"], now)]
    return bool(earned) and sum(earned) >= values["number"]


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


def lifetime_points(person: Person, values: Any, now: datetime) -> bool:
    return person.points is not None and person.lifetime >= values["number"]


def grade(person: Person, values: Any, now: datetime) -> bool:
    left = sum(p * 0.5 ** ((now - at) / timedelta(days=HALF_LIFE_DAYS)) for p, at in person.points or [])
    enough = {"1": 75, "2": 50, "3": 25, "4": float("-inf")}[values["engagement"]]
    return person.points is not None and person.fit_grade <= values["fit"] and left >= enough * (1 - 1e-9)


# What evidence as stored (forward-decayed from thirty days ago) is worth now.
FADED = 0.5 ** (30 / HALF_LIFE_DAYS)


def interest(person: Person, values: Any, now: datetime) -> bool:
    evidence = person.interests.get(values["topic"], 0) * FADED
    return person.points is not None and 100 * evidence / (evidence + 12) >= values["weight"] * (1 - 1e-9)


def temperature(person: Person, values: Any, now: datetime) -> bool:
    evidence = {"intent": person.intent, "research": person.research}[values["which"]] * FADED
    least = {"weak": 4, "strong": 15, "now": 40}[values["level"]]
    is_enough = person.points is not None and evidence >= least
    return is_enough == (values["comparison"] == "at_least")


def top_ranked(person: Person, values: Any, now: datetime) -> bool:
    better = [rank for rank in person.crowd if rank > person.rank]
    return person.points is not None and not person.is_excluded and len(better) < values["number"]


def hot(person: Person, values: Any, now: datetime) -> bool:
    lists = {name for name, is_over in person.heat if not is_over}
    return bool(lists) if values["list"] == "any" else values["list"] in lists


def customer(person: Person, values: Any, now: datetime) -> bool:
    return person.is_customer


def excluded(person: Person, values: Any, now: datetime) -> bool:
    return person.is_excluded


CONDITIONS = {
    "country": country,
    "region": region,
    "network": network,
    "job_function": job_function,
    "rank": rank,
    "company": company,
    "lead_field": lead_field,
    "page_type_viewed": page_type_viewed,
    "referrer": referrer,
    "source": source,
    "form": form,
    "download": download,
    "surge": surge,
    "form_not_sent": form_not_sent,
    "score": score,
    "score_earned": score_earned,
    "score_changed": score_changed,
    "lifetime_points": lifetime_points,
    "grade": grade,
    "interest": interest,
    "temperature": temperature,
    "top_ranked": top_ranked,
    "hot": hot,
    "customer": customer,
    "excluded": excluded,
    "query_parameter": query_parameter,
    "referrer_now": referrer_now,
    "device_now": device_now,
    "language_now": language_now,
    "logged_in": logged_in,
    "local_time": local_time,
    "country_now": country_now,
    "page_viewed": page_viewed,
    "time_on_page": time_on_page,
    "viewed_in_order": viewed_in_order,
    "page_class_viewed": page_class_viewed,
    "topic_viewed": topic_viewed,
    "time_on_topic": time_on_topic,
    "page_class_share": page_class_share,
    "visit_count": visit_count,
    "last_visit": last_visit,
    "channel": channel,
    "campaign": campaign,
    "device": device,
    "language": language,
    "activity": activity,
    "identified": identified,
    "lead_attribute": lead_attribute,
    "first_seen": first_seen,
    "random_share": random_share,
    "in_segment": in_segment,
    "left_segment": left_segment,
    "mail_sent": mail_sent,
    "mail_clicked": mail_clicked,
}
