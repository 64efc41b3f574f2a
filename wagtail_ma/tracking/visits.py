"""Which visit a hit belongs to."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.db import DEFAULT_DB_ALIAS

from wagtail_ma.conf import conf
from wagtail_ma.core.prepared import Insert, Select, Slot, Update, new_row
from wagtail_ma.people.models import Identity
from wagtail_ma.tracking import channel_rules, networks, sites
from wagtail_ma.tracking.channels import classify
from wagtail_ma.tracking.devices import device
from wagtail_ma.tracking.hits import VIEW, Hit
from wagtail_ma.tracking.models import TrackedPage, Visit

# Mediums of views that nobody sent here.
_NOT_ELSEWHERE = frozenset({"direct", "internal"})

_insert = Insert(Visit)
_select_open = Select(
    lambda: (
        Visit.objects.filter(
            identity_id=Slot("identity", Visit._meta.pk),
            last_at__gt=Slot("since", Visit._meta.get_field("last_at")),
        )
        # (There are several only with NEW_VISIT_BY_ORIGIN.)
        .order_by("-started_at")
        .values_list("pk", "started_at", "last_at", "medium", "source", "campaign")[:1]
    )
)
_set_end = Update(
    lambda: (
        Visit.objects.filter(
            pk=Slot("visit", Visit._meta.pk), last_at__lt=Slot("now", Visit._meta.get_field("last_at"))
        ),
        {"last_at": Slot("now", Visit._meta.get_field("last_at"))},
    )
)


def timeout() -> timedelta:
    """The idle time that ends a visit."""
    return timedelta(seconds=conf.VISIT_TIMEOUT_SECONDS)


def visit_for(identity: Identity, hit: Hit, page: TrackedPage, *, now: datetime) -> Visit:
    """The open visit of this browser, prolonged to ``now``, or a new one.

    A visit ends after 30 idle minutes. Midnight or a second tab do not split it, nor does another
    campaign unless a setting says so (:func:`begins_anew`).

    :param identity: locked by the caller, so that two first hits at once make one visit.
    """
    visit = None if identity.is_new else open_visit(identity, now=now)
    if visit is None or begins_anew(visit, hit):
        return _begin(identity, hit, page, now=now)
    prolong(visit, now=now)
    return visit


def comes_from_elsewhere(hit: Hit) -> bool:
    """Whether a view would begin a visit if another one from elsewhere was open (``NEW_VISIT_BY_ORIGIN``)."""
    return conf.NEW_VISIT_BY_ORIGIN and hit.kind == VIEW and origin(hit)["medium"] not in _NOT_ELSEWHERE


def begins_anew(visit: Visit, hit: Hit) -> bool:
    """Whether a view begins another visit although this one is open: by another campaign or site."""
    if not comes_from_elsewhere(hit):
        return False
    found = origin(hit)
    return any(getattr(visit, name) != found[name] for name in ("medium", "source", "campaign"))


def open_visit(identity: Identity, *, now: datetime) -> Visit | None:
    """The visit of this browser that is still going on, or None (one statement)."""
    row = _select_open.first(identity=identity.pk, since=now - timeout())
    if row is None:
        return None
    pk, *rest = row
    # In the order of the model's fields.
    names = ["id", "identity_id", "visitor_id", "started_at", "last_at", "medium", "source", "campaign"]
    return Visit.from_db(DEFAULT_DB_ALIAS, names, [pk, identity.pk, identity.visitor_id, *rest])


def prolong(visit: Visit, *, now: datetime) -> None:
    """Set the end of an open visit to ``now`` (at most one UPDATE).

    A visit that is over stays over: a message may arrive the next day, from a laptop that slept.
    """
    if visit.last_at < now < visit.last_at + timeout():
        _set_end.run(visit=visit.pk, now=now)
        visit.last_at = now


def _begin(identity: Identity, hit: Hit, page: TrackedPage, *, now: datetime) -> Visit:
    visit = begun(identity, hit, page, now=now)
    _insert.run(visit)
    return visit


def begun(identity: Identity, hit: Hit, page: TrackedPage, *, now: datetime) -> Visit:
    """A visit that begins with this hit, not saved."""
    owner = {"identity_id": identity.pk, "visitor_id": identity.visitor_id}
    return new_row(Visit, owner | fields_of_begun(hit, page, now=now))


def fields_of_begun(hit: Hit, page: TrackedPage, *, now: datetime) -> dict[str, Any]:
    """The same without its owner, by column of Visit."""
    return {
        "started_at": hit.began_at(now),
        "last_at": now,
        "landing_id": page.pk,
        "device": device(hit.user_agent),
        "language": hit.language[:12],
        "country": hit.country,
        "region": hit.region,
        "network_id": networks.existing(hit.network_id),
        "is_bot": hit.is_bot,
        **origin(hit),
    }


def origin(hit: Hit) -> dict[str, str]:
    """Where a visit came from, as fields of Visit: channel and referring host."""
    ours = sites.hosts()
    channel = channel_rules.apply(_classified(hit.url, hit.referrer, ours), hit.url, hit.referrer)
    return {
        "referrer_host": _host(hit.referrer),
        "medium": channel.medium,
        "source": channel.source[:100],
        "campaign": channel.campaign[:100],
    }


# Most visits begin at a few addresses, and come from few.
_classified = lru_cache(maxsize=1024)(classify)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()[:255]
    except ValueError:
        return ""
