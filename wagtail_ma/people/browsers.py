"""Browsers: recognise one by its key, or meet a new one."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, transaction

from wagtail_ma.core.prepared import Insert, Select, Slot
from wagtail_ma.people.models import Identity, Visitor

KEY_BYTES = 16

_insert_visitor = Insert(Visitor)
_insert_identity = Insert(Identity)
_lock_browser = Select(
    lambda: (
        Identity.objects.select_for_update(no_key=True)
        .filter(kind=Identity.Kind.BROWSER, key=Slot("key", Identity._meta.get_field("key")))
        .values_list("pk", "visitor_id", "created_at")
    )
)


def recognise(browser_key: str | None, *, now: datetime) -> Identity:
    """The identity of a browser, locked until the end of the transaction.

    The lock makes two hits of one browser wait for each other (so that they share a visit) and
    keeps a merge from moving the identity while its facts are being written. It does not stand in
    the way of rows that merely refer to the identity. SQLite has one writer anyway.

    An unknown key is never adopted: whoever brings one gets a new identity with a fresh key.

    :param browser_key: from the signed cookie, or None.
    :raises django.db.transaction.TransactionManagementError: outside of a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("a browser is recognised inside of a transaction")
    if browser_key:
        row = _lock_browser.first(key=browser_key)
        if row is not None:
            # In the order of the model's fields.
            names = ["id", "kind", "key", "visitor_id", "created_at"]
            pk, *rest = row
            return Identity.from_db(
                DEFAULT_DB_ALIAS, names, [pk, Identity.Kind.BROWSER.value, browser_key, *rest]
            )
    visitor = Visitor(first_seen_at=now)
    _insert_visitor.run(visitor)
    return new_browser(visitor, now=now)


def new_browser(visitor: Visitor, *, now: datetime) -> Identity:
    """A new browser identity of this visitor, with a fresh random key."""
    identity = Identity(
        kind=Identity.Kind.BROWSER, key=secrets.token_urlsafe(KEY_BYTES), visitor=visitor, created_at=now
    )
    _insert_identity.run(identity)
    identity.is_new = True
    return identity
