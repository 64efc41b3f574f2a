"""Re-point an identity to another visitor, carry along what belongs to it; and take it back.

Facts follow their identity. When a visitor has no identity left, its derived rows are thrown away
(``react`` rebuilds them for the other one), its decisions move and remember where they were born,
and the empty row stays as a tombstone (``merged_into``).

Locks, always in this order: identities (by id), derived rows of the emptied visitor in the order
in which ``react`` writes them, decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.db.models import F, Min
from django.db.models.functions import Coalesce

from wagtail_ma.core.belongings import Belonging, Role, belongings
from wagtail_ma.core.errors import MarketingError
from wagtail_ma.people import lead_values, news, persons, unrecorded
from wagtail_ma.people.causes import Cause
from wagtail_ma.people.models import Identity, IdentityLink, Lead, News, Visitor

# Facts re-set at once per table, inside the transaction of a request; the rest is for a job.
AT_ONCE = 2_000


class CannotUndo(MarketingError):
    """The step was undone already, or later steps stand on it."""


def lock(identity_ids: Iterable[int]) -> dict[int, Identity]:
    """These identities, locked against every writer of facts, read anew.

    :raises django.db.transaction.TransactionManagementError: outside of a transaction.
    """
    rows = Identity.objects.select_for_update().filter(pk__in=list(identity_ids)).order_by("pk")
    return {identity.pk: identity for identity in rows}


def repoint(
    identity: Identity,
    visitor_id: int,
    *,
    now: datetime,
    method: str,
    strength: str = IdentityLink.Strength.CLAIMED,
    evidence: dict[str, Any] | None = None,
) -> IdentityLink:
    """Point a locked identity at another visitor, with its facts, and log the step.

    :param identity: as :func:`lock` returned it; must not point there already.
    :param evidence: what led to it (method, form, page …), kept in the log.
    """
    origin_id = identity.visitor_id
    Identity.objects.filter(pk=identity.pk).update(visitor_id=visitor_id)
    identity.visitor_id = visitor_id
    _spread_wish(identity, origin_id)
    is_settled = carry_facts(identity)
    if not Identity.objects.filter(visitor_id=origin_id).exists():
        _empty(origin_id, visitor_id, now=now)
    _date_first_seen(origin_id)
    _date_first_seen(visitor_id)
    link = IdentityLink.objects.create(
        identity=identity,
        from_visitor_id=origin_id,
        to_visitor_id=visitor_id,
        method=method,
        strength=strength,
        evidence=evidence or {},
        at=now,
        is_settled=is_settled,
    )
    news.mark([origin_id, visitor_id], now=now, cause=Cause.MERGE)
    return link


def carry_facts(identity: Identity, *, limit: int = AT_ONCE) -> bool:
    """Re-set ``visitor`` of the identity's facts, at most ``limit`` rows per table.

    :returns: whether all of them name the identity's visitor now.
    """
    is_complete = True
    for belonging in _belongings("fact"):
        model = apps.get_model(belonging.model)
        theirs = model._default_manager.filter(**{belonging.identity: identity})
        stale = theirs.exclude(visitor_id=identity.visitor_id)
        ids = list(stale.order_by("pk").values_list("pk", flat=True)[: limit + 1])
        is_complete = is_complete and len(ids) <= limit
        if ids:
            model._default_manager.filter(pk__in=ids[:limit]).update(visitor_id=identity.visitor_id)
    return is_complete


def settle(*, now: datetime, limit: int = AT_ONCE) -> int:
    """Job: carry along facts that a merge left for later, one chunk per table and unsettled step.

    :param limit: rows per table in one transaction.
    :returns: the number of steps looked at; 0 when there is nothing to do.
    """
    waiting = list(IdentityLink.objects.filter(is_settled=False).order_by("pk")[:10])
    for link in waiting:
        with transaction.atomic():
            identity = lock([link.identity_id]).get(link.identity_id)
            if identity is None:
                continue
            if carry_facts(identity, limit=limit):
                IdentityLink.objects.filter(pk=link.pk).update(is_settled=True)
            cause = Cause.UNDO if link.undone_at else Cause.MERGE
            news.mark({link.to_visitor_id, identity.visitor_id}, now=now, cause=cause)
    return len(waiting)


def undo(link: IdentityLink, *, now: datetime) -> None:
    """Take a re-pointing back: the identity returns with all its facts, those made meanwhile too;
    decisions go back to the visitor they were born with; field values that the step wrote into
    the lead revert, unless they were changed since.

    :raises CannotUndo: it was undone, did not move anything, or the identity moved on since.
    """
    with transaction.atomic():
        identity = lock([link.identity_id])[link.identity_id]
        link.refresh_from_db()
        origin_id, visitor_id = link.from_visitor_id, link.to_visitor_id
        if (
            link.undone_at
            or origin_id is None
            or identity.visitor_id != visitor_id
            or origin_id == visitor_id
        ):
            raise CannotUndo("this step cannot be undone")
        was_emptied = Visitor.objects.filter(pk=origin_id, merged_into__isnull=False).update(merged_into=None)
        Identity.objects.filter(pk=identity.pk).update(visitor_id=origin_id)
        identity.visitor_id = origin_id
        _spread_wish(identity, visitor_id)
        link.is_settled = carry_facts(identity)
        # Whoever had been merged into them before comes along.
        born = persons.gather(origin_id, now=now).visitor_ids
        for belonging in _belongings("decision"):
            model = apps.get_model(belonging.model)
            model._default_manager.filter(visitor_id=visitor_id, born_visitor_id__in=born).update(
                visitor_id=origin_id
            )
            if was_emptied and belonging.after_undo:
                belonging.after_undo(origin_id, link.at, now)
        if lead := Lead.objects.filter(visitor_id=visitor_id).first():
            lead_values.revert(lead, link, now=now)
        if "excluded_reason" in link.evidence:
            Visitor.objects.filter(pk=visitor_id, excluded_reason=link.evidence["excluded_reason"]).update(
                excluded_reason=""
            )
        _date_first_seen(origin_id)
        _date_first_seen(visitor_id)
        link.undone_at = now
        link.save(update_fields=["undone_at", "is_settled"])
        news.mark([origin_id, visitor_id], now=now, cause=Cause.UNDO)


def _spread_wish(identity: Identity, former_id: int) -> None:
    """Who became one with somebody who is not recorded is not recorded either, and stays so."""
    is_browser = identity.kind == Identity.Kind.BROWSER
    if unrecorded.spread(former_id, identity.visitor_id) and is_browser:
        identity.kind = Identity.Kind.SILENT


def bury(visitor_ids: list[int]) -> list[int]:
    """Throw away the derived rows of those who were merged or erased, and return the others.

    ``react`` starts with this: it may have been computing for a visitor at the very moment when
    its last identity was taken away; and of somebody who was being erased, news may have come late.
    """
    living = set(
        Visitor.objects.filter(pk__in=visitor_ids, merged_into__isnull=True).values_list("pk", flat=True)
    )
    if dead := set(visitor_ids) - living:
        _forget_derived(dead)
        News.objects.filter(visitor_id__in=dead).delete()
    return [pk for pk in visitor_ids if pk in living]


def _empty(origin_id: int, visitor_id: int, *, now: datetime) -> None:
    """Make a tombstone of a visitor without identities."""
    for belonging in _belongings("derived"):
        if belonging.before_merge:
            belonging.before_merge(origin_id, visitor_id, now)
    _forget_derived([origin_id])
    for belonging in _belongings("decision"):
        if belonging.before_merge:
            belonging.before_merge(origin_id, visitor_id, now)
        # Old values on the right: what had no birthplace yet was born here.
        apps.get_model(belonging.model)._default_manager.filter(visitor_id=origin_id).update(
            born_visitor_id=Coalesce(F("born_visitor_id"), F("visitor_id")), visitor_id=visitor_id
        )
    Visitor.objects.filter(pk=origin_id).update(merged_into_id=visitor_id)


def _forget_derived(visitor_ids: Iterable[int]) -> None:
    """Delete derived rows but news, in the order in which react locks them (scores first)."""
    by_domain = [list(group) for _, group in groupby(_models("derived"), key=lambda m: m.__module__)]
    for model in (model for group in reversed(by_domain) for model in group):
        if model is not News:
            model._default_manager.filter(visitor_id__in=visitor_ids).delete()


def _date_first_seen(visitor_id: int) -> None:
    """A visitor was first seen when the first of its identities was."""
    first = Identity.objects.filter(visitor_id=visitor_id).aggregate(at=Min("created_at"))["at"]
    if first is not None:
        Visitor.objects.filter(pk=visitor_id).update(first_seen_at=first)


def _belongings(role: Role) -> Iterator[Belonging]:
    return (belonging for belonging in belongings if belonging.role == role)


def _models(role: Role) -> Iterator[type[models.Model]]:
    return (apps.get_model(belonging.model) for belonging in _belongings(role))
