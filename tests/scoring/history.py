"""Facts written directly, for tests of what is derived from them."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.tracking.models import Activity, PageView, TrackedPage, Visit


def a_visitor(now: datetime, **fields: Any) -> Visitor:
    return Visitor.objects.create(first_seen_at=now, **fields)


def a_browser(visitor: Visitor, now: datetime) -> Identity:
    return Identity.objects.create(kind="browser", key=uuid.uuid4().hex, visitor=visitor, created_at=now)


def a_page(now: datetime, key: str = "url:/", **fields: Any) -> TrackedPage:
    return TrackedPage.objects.get_or_create(key=key, defaults={"url": key, "first_seen_at": now, **fields})[
        0
    ]


def a_visit(identity: Identity, at: datetime, *, minutes: int = 5, is_bot: bool = False) -> Visit:
    return Visit.objects.create(
        identity=identity,
        visitor_id=identity.visitor_id,
        started_at=at,
        last_at=at + timedelta(minutes=minutes),
        medium="direct",
        is_bot=is_bot,
    )


def a_view(visit: Visit, at: datetime, *, page: TrackedPage | None = None, seconds: float = 0) -> PageView:
    return PageView.objects.create(
        visit=visit,
        visitor_id=visit.visitor_id,
        tracked_page=page or a_page(at),
        view_id=uuid.uuid4(),
        at=at,
        engaged_seconds=seconds,
    )


def an_activity(identity: Identity, at: datetime, *, kind: str = "download", **fields: Any) -> Activity:
    return Activity.objects.create(
        identity=identity,
        visitor_id=identity.visitor_id,
        kind=kind,
        at=at,
        source_key=uuid.uuid4().hex,
        **fields,
    )


def move(identity: Identity, visitor: Visitor) -> None:
    """Give the facts of an identity to somebody else."""
    for table in (Visit, Activity):
        table.objects.filter(identity=identity).update(visitor=visitor)
    PageView.objects.filter(visit__identity=identity).update(visitor=visitor)
