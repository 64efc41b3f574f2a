"""What the slow, obvious evaluator knows of one person; each condition says there what it means."""

from __future__ import annotations

from collections.abc import Callable
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
    # When the lead became known; only of leads.
    known_at: datetime = datetime.max
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


Meaning = Callable[["Person", Any, datetime], bool]
# By the key of the condition.
CONDITIONS: dict[str, Meaning] = {}


def meaning(function: Meaning) -> Meaning:
    """Says what the condition of the function's name means."""
    CONDITIONS[function.__name__] = function
    return function


def since(days: int | None, now: datetime) -> datetime:
    return now - timedelta(days=days) if days is not None else now - timedelta(days=100_000)


def compare(comparison: str, count: int, number: int) -> bool:
    return {"at_least": count >= number, "at_most": count <= number, "exactly": count == number}[comparison]
