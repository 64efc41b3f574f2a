"""Browsers: recognise one by its key, or meet a new one."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import QuerySet

from wagtail_ma.core import planned
from wagtail_ma.core.many_rows import InsertRows
from wagtail_ma.core.prepared import Insert, Select, Slot, new_row
from wagtail_ma.people.models import Identity, IdentityLink, Visitor

KEY_BYTES = 16

_insert_visitor = Insert(Visitor)
_insert_identity = Insert(Identity)
_insert_visitors = InsertRows(Visitor)
_insert_identities = InsertRows(Identity, is_repeatable=True)
# Of those who are recorded, and of those who are not (unrecorded.py).
KINDS = (Identity.Kind.BROWSER, Identity.Kind.SILENT)
_lock_browser = Select(
    lambda: (
        Identity.objects.select_for_update(no_key=True)
        .filter(kind__in=KINDS, key=Slot("key", Identity._meta.get_field("key")))
        .values_list("pk", "kind", "visitor_id", "created_at")
    )
)


def recognise(browser_key: str | None, *, now: datetime, is_fresh: bool = False) -> Identity:
    """The identity of a browser, locked until the end of the transaction.

    The lock makes two hits of one browser wait for each other (so that they share a visit) and
    keeps a merge from moving the identity while its facts are being written. It does not stand in
    the way of rows that merely refer to the identity. SQLite has one writer anyway.

    An unknown key is never adopted: whoever brings one gets a new identity with a fresh key.

    The caller writes nothing for a browser that is not to be recorded (``is_silent``).

    :param browser_key: from the signed cookie, or None.
    :param is_fresh: the key need not be in the database yet (drawn_keys.py): if it is not, the new
        identity gets it.
    :raises django.db.transaction.TransactionManagementError: outside of a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("a browser is recognised inside of a transaction")
    if browser_key:
        row = _lock_browser.first(key=browser_key)
        if row is not None:
            # In the order of the model's fields.
            names = ["id", "kind", "key", "visitor_id", "created_at"]
            pk, kind, *rest = row
            return Identity.from_db(DEFAULT_DB_ALIAS, names, [pk, kind, browser_key, *rest])
    visitor = Visitor(first_seen_at=now)
    _insert_visitor.run(visitor)
    return new_browser(visitor, now=now, key=browser_key if is_fresh else None)


def new_browser(visitor: Visitor, *, now: datetime, key: str | None = None) -> Identity:
    """A new browser identity of this visitor, with a fresh random key (or the one that was drawn)."""
    kind = Identity.Kind.SILENT if visitor.is_unrecorded else Identity.Kind.BROWSER
    identity = Identity(kind=kind, key=key or draw_key(), visitor=visitor, created_at=now)
    _insert_identity.run(identity)
    identity.is_new = True
    return identity


def draw_key() -> str:
    """A key for a browser: random, and useless for anything else."""
    return secrets.token_urlsafe(KEY_BYTES)


def kind_of(key: str) -> str | None:
    """Of which of :data:`KINDS` the browser with this key is; None: it is unknown (one statement)."""
    return Identity.objects.filter(kind__in=KINDS, key=key).values_list("kind", flat=True).first()


def lock_all(keys: Collection[str]) -> dict[str, Identity]:
    """Those of these browsers that are known, by key, locked until the end of the transaction. As with
    :func:`recognise`, some may be silent."""
    rows = Identity.objects.select_for_update(no_key=True).filter(kind__in=KINDS, key__in=keys)
    # In one order, so that two of these never wait for each other.
    return {identity.key: identity for identity in rows.order_by("pk")}


def lock_ids(keys: Collection[str]) -> dict[str, tuple[int, int]]:
    """The same in a fraction of the time, for PostgreSQL: their ids and those of their visitors, by key."""
    if not keys:
        return {}
    rows = planned.run(_lock_ids_sql(), [json.dumps(list(keys))]).rows
    # (The kind may have changed while we waited for the lock.)
    return {key: (pk, visitor_id) for key, pk, visitor_id, kind in rows if kind == Identity.Kind.BROWSER}


@cache
def _lock_ids_sql() -> str:
    identity = connections[DEFAULT_DB_ALIAS].ops.quote_name(Identity._meta.db_table)
    # (One by one, which LIMIT tells the planner: where it does not know yet how many browsers there are, it
    # would go through all of them. Locked in one order, as above.)
    return f"""
        WITH known AS MATERIALIZED (
            SELECT browser.id FROM json_array_elements_text(%s) AS given (key), LATERAL (
                SELECT id FROM {identity}
                WHERE kind = '{Identity.Kind.BROWSER.value}' AND key = given.key LIMIT 1
            ) browser
        )
        SELECT key, id, visitor_id, kind FROM {identity} WHERE id IN (SELECT id FROM known)
        ORDER BY id FOR NO KEY UPDATE
    """  # noqa: S608


def make_all(first_seen: Mapping[str, datetime], owners: Mapping[str, int]) -> dict[str, Identity]:
    """Identities under keys that we drew ourselves, locked; another process may make them too.

    :param first_seen: when each was seen first.
    :param owners: visitor ids of those who are known already under another key; the others are new
        visitors.
    """
    keys = sorted(first_seen)
    strangers = [key for key in keys if key not in owners]
    visitors = [new_row(Visitor, {"first_seen_at": first_seen[key]}) for key in strangers]
    _insert_visitors.run_with_keys(visitors)
    own = dict(zip(strangers, (visitor.pk for visitor in visitors), strict=True))
    visitor_ids = {**owners, **own}
    browser = Identity.Kind.BROWSER.value
    made = [
        new_row(
            Identity,
            {"kind": browser, "key": key, "visitor_id": visitor_ids[key], "created_at": first_seen[key]},
        )
        for key in keys
    ]
    all_new = _insert_identities.run_with_keys(made)
    stored = {identity.key: identity for identity in made} if all_new else lock_all(keys)
    for key, identity in stored.items():
        identity.is_new = identity.visitor_id == own.get(key)
    needless = [pk for key, pk in own.items() if not stored[key].is_new]
    if needless:
        Visitor.objects.filter(pk__in=needless).delete()
    return stored


def proofs(identity_id: int, visitor_id: int) -> QuerySet[IdentityLink]:
    """The steps by which the owner of a browser has proven, in it, to own the address."""
    steps = IdentityLink.objects.filter(identity=identity_id, to_visitor=visitor_id, undone_at=None)
    # What somebody else's mail did in it proves nothing about its owner.
    return steps.filter(strength=IdentityLink.Strength.VERIFIED, evidence__forwarded_from__isnull=True)
