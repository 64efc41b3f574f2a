"""Many messages become facts in one transaction: the same rows as ``flow.record_hit`` makes of them one
by one, for a fraction of its statements.

For messages that were gathered (buffer.py, stream.py): each has the time at which it came, and other
processes may have written later ones meanwhile. A batch may be written again: nothing is doubled.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from wagtail_ma.people import browsers, drawn_keys, log_identities
from wagtail_ma.people.models import Identity
from wagtail_ma.tracking import batch_usual, networks, pages
from wagtail_ma.tracking.batch_facts import Facts
from wagtail_ma.tracking.hits import VIEW, Heard
from wagtail_ma.tracking.models import TrackedPage
from wagtail_ma.tracking.writing import Busy, write_facts

logger = logging.getLogger(__name__)

# Nobody waits for the answer (milliseconds).
WAIT_MS = 5_000


def write_all(batch: Sequence[Heard]) -> None:
    """Write a batch. If something in it cannot be written, all are written one by one, and what still
    fails is logged and lost alone.

    :raises Busy: the database cannot write now; the same batch may be given again.
    """
    for attempt in (1, 2):
        try:
            write(batch)
            return
        except Busy:
            raise
        except Exception:
            # A page or a network that this process remembered may have been deleted meanwhile.
            pages.forget()
            networks.forget()
            if attempt == 2:
                logger.warning("a batch of hits could not be written; one by one", exc_info=True)
    for heard in batch:
        try:
            write([heard])
        except Busy:
            raise
        except Exception:
            logger.exception("a hit could not be recorded")


def write(batch: Sequence[Heard]) -> None:
    """Write a batch, wholly or not at all.

    :param batch: in the order in which they came; none of them anonymous.
    :raises Busy: the database cannot write now.
    """
    # Pages are not undone with the rest: they are right in any case.
    pages_of = [pages.tracked_page_for(heard.hit, now=heard.at) for heard in batch]
    with write_facts(wait_ms=WAIT_MS):
        left = batch_usual.write(batch, pages_of)
        if left:
            _write_unusual([batch[n] for n in left], [pages_of[n] for n in left])


def _write_unusual(batch: Sequence[Heard], pages_of: Sequence[TrackedPage]) -> None:
    senders = _Senders(batch)
    hits = [heard.hit for heard in batch]
    begun = {hit.view_id for hit in hits if hit.kind == VIEW}
    facts = Facts({hit.view_id for hit in hits}, begun)
    senders.make(facts)
    facts.read(senders.all(), [(heard.hit, heard.at) for heard in batch])
    for heard, page in zip(batch, pages_of, strict=True):
        sender = senders.of(heard)
        # (Of somebody who is not recorded since the message came. Not counted either: a batch may be
        # written again.)
        if sender is None or not sender.is_silent:
            facts.add(heard.hit, page, sender, at=heard.at)
    facts.save()


class _Senders:
    """Who sent the messages of a batch. The identities are locked until the end of the transaction, before
    their visits are. (Two batches can wait for each other in rare cases; one of them is Busy then.)"""

    def __init__(self, batch: Sequence[Heard]) -> None:
        self._batch = batch
        hits = [heard.hit for heard in batch if not heard.hit.log_key]
        # (A key that was drawn for a first view is hardly ever there: what makes it would see that.)
        keys = {hit.browser_key for hit in hits if hit.browser_key is not None and not hit.is_first}
        # A key that is neither fresh nor known is not adopted (drawn_keys.py).
        keys |= {_drawn(heard) for heard in batch if not heard.hit.is_key_fresh}
        self._browsers = browsers.lock_all(keys)
        first_seen: dict[str, datetime] = {}
        for heard in batch:
            if heard.hit.log_key:
                known = first_seen.get(heard.hit.log_key, heard.at)
                first_seen[heard.hit.log_key] = min(known, heard.at)
        self._logs = log_identities.recognise_all(first_seen) if first_seen else {}

    def make(self, facts: Facts) -> None:
        """Make the identities that are missing and needed."""
        missing = self._missing(facts)
        # First messages that came twice: what they made may be silent by now.
        again = {
            key for key, heard in missing.items() if heard.hit.is_first and facts.knows(heard.hit.view_id)
        }
        if again:
            self._browsers |= browsers.lock_all(again)
            missing = {key: heard for key, heard in missing.items() if key not in self._browsers}
        if not missing:
            return
        # What came without a cookie, of a known view, belongs to whoever opened that.
        owners = {key: facts.owner_id(heard.hit, at=heard.at) for key, heard in missing.items()}
        locked = _lock({pk for pk in owners.values() if pk})
        known = {key: locked[pk] for key, pk in owners.items() if pk in locked}
        silent = {key for key, identity in known.items() if identity.is_silent}
        made = browsers.make_all(
            {key: heard.at for key, heard in missing.items() if key not in silent},
            {key: identity.visitor_id for key, identity in known.items() if key not in silent},
        )
        self._browsers |= made | known

    def _missing(self, facts: Facts) -> dict[str, Heard]:
        """Keys to be made, and who brings each first: those that browsers were given, and what is
        needed for others."""
        missing: dict[str, Heard] = {}
        begun = set()
        for heard in self._batch:
            hit, key = heard.hit, self._key(heard)
            is_known_view = hit.view_id in begun or facts.knows(hit.view_id)
            sender = self._browsers.get(key)
            if not hit.is_activity and (sender is None or not sender.is_silent):
                begun.add(hit.view_id)
            is_needed = hit.is_key_fresh or hit.is_activity or not is_known_view
            if is_needed and not hit.log_key and key not in self._browsers:
                missing.setdefault(key, heard)
        return missing

    def all(self) -> list[Identity]:
        """Everybody, once."""
        found = [*self._browsers.values(), *self._logs.values()]
        return list({identity.pk: identity for identity in found}.values())

    def of(self, heard: Heard) -> Identity | None:
        """Who sent this; None where it does not matter (it is about a known view)."""
        log_key = heard.hit.log_key
        return self._logs[log_key] if log_key else self._browsers.get(self._key(heard))

    def _key(self, heard: Heard) -> str:
        given = heard.hit.browser_key
        if given is not None and (heard.hit.is_key_fresh or given in self._browsers):
            return given
        return _drawn(heard)


def _drawn(heard: Heard) -> str:
    return drawn_keys.draw(heard.hit.view_id, now=heard.at)


def _lock(identity_ids: set[int]) -> dict[int, Identity]:
    if not identity_ids:
        return {}
    rows = Identity.objects.select_for_update(no_key=True).filter(pk__in=identity_ids)
    return {identity.pk: identity for identity in rows.order_by("pk")}
