"""Who is behind the lines of a server's log, where there is no cookie.

A keyed hash of address and user agent stands for somebody. The address itself is never stored. It
is a guess: people in one office with the same browser are one, and somebody whose address changes
becomes another. A change of the installation's secret begins anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from wagtail_ma.core import tokens
from wagtail_ma.people.models import Identity, Visitor

PURPOSE = "log identity"


def key_of(place: str, address: str, user_agent: str) -> str:
    """The key of an identity: 64 hexadecimal digits.

    :param place: which log, or which part of the site: the same person has another key elsewhere.
    :param address: network address; "" where the user agent alone is to count.
    """
    parts = "\0".join((place, address, user_agent))
    return tokens.keyed_hash(PURPOSE, parts.encode("utf-8", "replace")).hex()


def recognise(key: str, *, now: datetime) -> Identity:
    """One identity, locked until the end of the transaction; made if it is new."""
    return recognise_all({key: now})[key]


def recognise_all(first_seen: Mapping[str, datetime]) -> dict[str, Identity]:
    """The identities of these keys, locked until the end of the transaction; those that are new
    are made, each with a visitor. One to three statements.

    :param first_seen: when each was seen (first). Logs come in any order: an earlier time than the
        known one replaces it.
    :raises django.db.transaction.TransactionManagementError: outside of a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("identities are recognised inside of a transaction")
    # In one order, so that two of these never wait for each other.
    rows = Identity.objects.select_for_update(no_key=True).filter(kind=Identity.Kind.LOG, key__in=first_seen)
    known = {identity.key: identity for identity in rows.order_by("pk")}
    for key, identity in known.items():
        if first_seen[key] < identity.created_at:
            _date_back(identity, first_seen[key])
    new = [key for key in first_seen if key not in known]
    visitors = Visitor.objects.bulk_create([Visitor(first_seen_at=first_seen[key]) for key in new])
    made = [
        Identity(kind=Identity.Kind.LOG, key=key, visitor=visitor, created_at=first_seen[key])
        for key, visitor in zip(new, visitors, strict=True)
    ]
    for identity in Identity.objects.bulk_create(made):
        known[identity.key] = identity
    return known


def _date_back(identity: Identity, at: datetime) -> None:
    identity.created_at = at
    Identity.objects.filter(pk=identity.pk).update(created_at=at)
    Visitor.objects.filter(pk=identity.visitor_id, first_seen_at__gt=at).update(first_seen_at=at)
