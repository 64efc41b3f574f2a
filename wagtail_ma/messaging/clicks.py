"""Somebody, or something, followed a link of a mail."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError

from wagtail_ma.core.tokens import read_mail_token
from wagtail_ma.messaging import fill
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import Identity
from wagtail_ma.tracking import activities
from wagtail_ma.tracking.bots import is_bot
from wagtail_ma.tracking.writing import Busy, write_facts

logger = logging.getLogger(__name__)

HUMAN = "mail_click"
# A kind of its own, so that no rule, score or scenario that asks for clicks can take a scanner's
# look for one.
MACHINE = "mail_scan"


@dataclass(frozen=True)
class RequestFacts:
    """What the request tells about who asks.

    :param is_prefetch: the browser says that nobody has looked yet (``Sec-Purpose``).
    """

    method: str = "GET"
    user_agent: str = ""
    is_prefetch: bool = False


@dataclass(frozen=True)
class Clicked:
    """:param target_url: from the mail's own version, or "" when it is gone (go to the site's home).
    :param is_machine: taken for a scanner or a prefetch."""

    target_url: str
    is_machine: bool
    delivery_id: int | None = None


def record_click(token: str, *, now: datetime, request_facts: RequestFacts) -> Clicked:
    """Find the target of a link and write the click down, once per link, person and kind.

    Written as an activity of the e-mail identity: ``mail_click`` with object ``("mail", id)`` and
    data ``{"delivery", "link", "url"}``; a machine's as ``mail_scan`` with ``"is_machine": true``.
    ``HEAD`` is answered and not written. A click that cannot be written still leads on.

    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    public_id, number = read_mail_token(fill.CLICK, token)
    is_machine = _is_machine(request_facts)
    delivery = (
        Delivery.objects.select_related("version")
        .defer("version__compiled", "extra")
        .filter(public_id=public_id)
        .first()
    )
    if delivery is None or delivery.version is None or number >= len(delivery.version.links):
        return Clicked("", is_machine)
    url = delivery.version.links[number]["url"]
    if request_facts.method != "HEAD":
        try:
            _write(delivery, number, url, is_machine, now=now)
        except (Busy, DatabaseError):
            logger.warning("a click could not be written; the reader is led on", exc_info=True)
    return Clicked(url, is_machine, delivery.pk)


def _is_machine(facts: RequestFacts) -> bool:
    return facts.method != "GET" or facts.is_prefetch or is_bot(facts.user_agent)


def _write(delivery: Delivery, number: int, url: str, is_machine: bool, *, now: datetime) -> None:
    data = {"delivery": delivery.pk, "link": number, "url": url[:500]}
    kind = MACHINE if is_machine else HUMAN
    with write_facts():
        # Locked, as every writer of facts does: a merge must not move the identity meanwhile.
        identity = (
            Identity.objects.select_for_update(no_key=True)
            .filter(kind=Identity.Kind.EMAIL, key=delivery.email)
            .first()
        )
        if identity is None:
            return
        activities.add(
            identity,
            kind=kind,
            now=now,
            source_key=f"{kind}:{delivery.pk}:{number}",
            object_kind="mail",
            object_key=str(delivery.mail_id or ""),
            data=data | {"is_machine": True} if is_machine else data,
        )
