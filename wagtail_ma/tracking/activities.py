"""Named acts: clicks and form steps told by the browser; downloads, forms and mail clicks by us."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from wagtail_ma.core.prepared import Insert
from wagtail_ma.people import news
from wagtail_ma.people.models import Identity
from wagtail_ma.tracking import offer_token
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import Activity, TrackedPage, Visit
from wagtail_ma.tracking.writing import Repeated

# The key in the data of a form's activity that names the form.
FORM_KEY = "form"

_insert_once = Insert(Activity, unique=("identity", "source_key"), tell=("at",))


def by_people(acts: QuerySet[Activity]) -> QuerySet[Activity]:
    """Those acts that neither bots nor scanners of mail have done."""
    # (Most say nothing of machines: that is not "no" in every database.)
    is_own = Q(data__is_machine__isnull=True) | Q(data__is_machine=False)
    is_visitor = Q(visit__isnull=True) | Q(visit__is_bot=False)
    return acts.filter(is_own, is_visitor)


def record(
    identity: Identity, hit: Hit, visit: Visit, page: TrackedPage, *, now: datetime
) -> Activity | None:
    """Write an act that the browser told, once.

    :param identity: locked by the caller, who also marks the news.
    :returns: the act, or None for a message without an event id.
    :raises Repeated: it is written already.
    """
    if hit.event_id is None:
        return None
    activity = told(identity, hit, visit, page, at=now)
    if not _insert_once.run(activity):
        raise Repeated
    return activity


def told(identity: Identity, hit: Hit, visit: Visit, page: TrackedPage, *, at: datetime) -> Activity:
    """The act of a hit, not saved."""
    object_kind, object_key = _object(hit)
    return Activity(
        identity_id=identity.pk,
        visitor_id=identity.visitor_id,
        kind=hit.name,
        at=at,
        visit=visit,
        tracked_page=page,
        object_kind=object_kind,
        object_key=object_key,
        data=hit.data,
        source_key=source_key(hit),
    )


def _object(hit: Hit) -> tuple[str, str]:
    """What an act was done to, as (kind, key)."""
    if hit.name in offer_token.ACTS:
        return "offer", str(hit.data[offer_token.VARIANT])
    if hit.name.startswith("form_") and FORM_KEY in hit.data:
        return "form", str(hit.data[FORM_KEY])[:100]
    return "", ""


def source_key(hit: Hit) -> str:
    """What makes an act that the browser told the same one."""
    return f"browser:{hit.event_id}"


def add(
    identity: Identity,
    *,
    kind: str,
    now: datetime,
    source_key: str,
    visit: Visit | None = None,
    tracked_page: TrackedPage | None = None,
    object_kind: str = "",
    object_key: str = "",
    value: float | None = None,
    data: Mapping[str, Any] | None = None,
) -> Activity:
    """Write an act that the server saw, once per (identity, ``source_key``), and mark the news.

    :param identity: locked by the caller (forms, downloads, mail clicks).
    :param source_key: names the occurrence, e.g. ``"submission:12"`` (at most 100 characters).
    :param object_kind: with ``object_key``, what it was done to: ``("document", "7")``.
    :returns: the act, or the one that is already there.
    """
    present = Activity.objects.filter(identity_id=identity.pk, source_key=source_key).first()
    if present is not None:
        return present
    activity = _insert(
        Activity(
            identity_id=identity.pk,
            visitor_id=identity.visitor_id,
            kind=kind,
            at=now,
            visit=visit,
            tracked_page=tracked_page,
            object_kind=object_kind,
            object_key=object_key,
            value=value,
            data=dict(data or {}),
            source_key=source_key,
        )
    )
    news.mark([identity.visitor_id], now=now)
    return activity


def _insert(activity: Activity) -> Activity:
    _insert_once.run(activity)
    return activity
