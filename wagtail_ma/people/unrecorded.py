"""People who have asked that what they do is not recorded.

Their visitor says since when, and their browsers have a kind of their own, ``Identity.Kind.SILENT``:
whoever looks up a browser to record what it does finds none, at no cost. Only where a key is unknown,
which is rare, it shows that it is one of these (``browsers.recognise``). Then nothing is written, no
visitor is made for it, and the browser gets the cookie of a refusal, so that from then on it brings no key.

What people do on purpose (send a form, consent, unsubscribe) is recorded; what we merely see (views, acts
told by the script, downloads, opened mails and followed links) is not.

Whoever becomes one with such a person is not recorded either, and stays so when the two are two again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from wagtail_ma.people import persons
from wagtail_ma.people.models import Identity, Visitor

_WISH = Q(unrecorded_at__isnull=False)


def start(visitor_id: int, *, now: datetime) -> None:
    """From now on, nothing is recorded of this person. Idempotent."""
    with transaction.atomic():
        # A message or an identification in flight is written before this, or finds the wish.
        _lock(Identity.objects.filter(visitor=visitor_id))
        _mute(_everybody(visitor_id, now=now), since=now)


def end(visitor_id: int, *, now: datetime) -> None:
    """They may be recorded again. A browser that has been told meanwhile keeps its own refusal."""
    with transaction.atomic():
        _lock(Identity.objects.filter(visitor=visitor_id))
        who = _everybody(visitor_id, now=now)
        Visitor.objects.filter(_WISH, pk__in=who).update(unrecorded_at=None)
        Identity.objects.filter(visitor__in=who, kind=Identity.Kind.SILENT).update(kind=Identity.Kind.BROWSER)


def spread(one_id: int, other_id: int) -> bool:
    """Where one of two who become or were one person is not recorded, neither is (one statement where
    both are recorded).

    :returns: whether they are not.
    """
    pair = (one_id, other_id)
    wishes = Visitor.objects.filter(_WISH, pk__in=pair).order_by("unrecorded_at")
    since = wishes.values_list("unrecorded_at", flat=True).first()
    if since is None:
        return False
    _mute(pair, since=since)
    return True


def is_unrecorded(visitor_id: int) -> bool:
    """Whether nothing is recorded of this visitor (one statement)."""
    return bool(among([visitor_id]))


def among(visitor_ids: Iterable[int]) -> set[int]:
    """Those of these visitors of whom nothing is recorded (one statement)."""
    return set(Visitor.objects.filter(_WISH, pk__in=set(visitor_ids)).values_list("pk", flat=True))


def has_address(email: str) -> bool:
    """Whether this is the address of somebody of whom nothing is recorded (one statement)."""
    mail = Identity.objects.filter(kind=Identity.Kind.EMAIL, key=email)
    return mail.filter(visitor__unrecorded_at__isnull=False).exists()


def heard() -> QuerySet[Identity]:
    """Browsers that would be recorded although their owners are not to be: there should be none."""
    return Identity.objects.filter(kind=Identity.Kind.BROWSER, visitor__unrecorded_at__isnull=False)


def repair() -> int:
    """Silence them.

    :returns: how many they were.
    """
    with transaction.atomic():
        return _silence(Identity.objects.filter(pk__in=list(heard().values_list("pk", flat=True))))


def _mute(visitor_ids: Iterable[int], *, since: datetime) -> None:
    Visitor.objects.filter(pk__in=visitor_ids, unrecorded_at=None).update(unrecorded_at=since)
    _silence(Identity.objects.filter(visitor__in=visitor_ids, kind=Identity.Kind.BROWSER))


def _silence(browsers: QuerySet[Identity]) -> int:
    ids = _lock(browsers)
    return Identity.objects.filter(pk__in=ids).update(kind=Identity.Kind.SILENT) if ids else 0


def _everybody(visitor_id: int, *, now: datetime) -> tuple[int, ...]:
    """The visitor, or whom it became meanwhile, with all who were merged into it."""
    living = persons.living(visitor_id)
    return persons.gather(living, now=now).visitor_ids if living else ()


def _lock(identities: QuerySet[Identity]) -> list[int]:
    """In one order, as everywhere, so that nobody waits for each other."""
    return list(identities.select_for_update().order_by("pk").values_list("pk", flat=True))
