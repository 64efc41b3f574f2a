"""Somebody, or something, followed a link of a mail.

Scanners follow links within seconds, all of them, for many people, and some look like browsers. So a
click is only written down at first. A minute later, when it is known what else happened around it, it
is told apart: a person's becomes the activity ``mail_click``, a machine's ``mail_scan``, a kind of its
own, so that no rule, score or scenario that asks for clicks can take a scanner's look for one.

A scanner that gives itself away only later (it finds the hidden link, or sweeps all links, minutes after
its first look) takes its earlier looks with it: those from its network in the ten minutes before are told
apart anew, and what had counted counts no longer.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError

from wagtail_ma.core.tokens import BadToken, keyed_hash, read_mail_token
from wagtail_ma.messaging import fill, opens
from wagtail_ma.messaging.models import Delivery, MailVersion
from wagtail_ma.messaging.models_of_sending import LinkClick
from wagtail_ma.people import news, unrecorded
from wagtail_ma.people.models import Identity
from wagtail_ma.tracking import activities
from wagtail_ma.tracking.bots import is_bot
from wagtail_ma.tracking.models import Activity, PageView
from wagtail_ma.tracking.writing import Busy, write_facts

logger = logging.getLogger(__name__)

PREFETCH = "prefetch"
HUMAN = "mail_click"
MACHINE = "mail_scan"

SETTLE = timedelta(seconds=60)
PER_CALL = 1_000
# What tells a scanner: so soon after the mail left …
TOO_SOON = timedelta(seconds=5)
# … so many different links within this time, or nearly all of them within a longer one …
AT_ONCE, AT_ONCE_LINKS = timedelta(seconds=2), 3
SWEEP, SWEEP_SHARE = timedelta(seconds=10), 0.8
# … the hidden link, or one machine in the mails of so many people.
AROUND = timedelta(seconds=60)
CROWD = 5
# What gives a machine away tells for its looks at this mail so long before.
LATE = timedelta(minutes=10)
# What was noticed is kept for so long.
KEEP = timedelta(days=30)


@dataclass(frozen=True)
class RequestFacts:
    """What the request tells about who asks.

    :param is_prefetch: the browser says that nobody has looked yet (``Sec-Purpose``).
    :param address: network address of the other side; only its keyed hash is kept, for a month.
    """

    method: str = "GET"
    user_agent: str = ""
    is_prefetch: bool = False
    address: str = ""


@dataclass(frozen=True)
class Clicked:
    """:param target_url: from the mail's own version, or "" when it is gone (go to the site's home).
    :param is_machine: certainly a scanner or a prefetch.
    :param click_id: of the click, where it was written down and may tell who the reader is."""

    target_url: str
    is_machine: bool
    delivery_id: int | None = None
    click_id: int | None = None


def record_click(token: str, *, now: datetime, request_facts: RequestFacts) -> Clicked:
    """Find the target of a link and write the click down (:func:`settle` tells what it was).

    ``HEAD`` is answered and not written, nor are clicks of people who are not recorded. A click that
    cannot be written still leads on.

    :raises wagtail_ma.core.tokens.BadToken: the link is not ours.
    """
    doubt = _doubt(request_facts)
    try:
        public_id, number = read_mail_token(fill.CLICK, token)
    except BadToken:
        return _counted(token, request_facts, is_machine=bool(doubt))
    delivery = (
        Delivery.objects.select_related("version", "mail")
        .defer("version__compiled", "extra", "mail__body")
        .filter(public_id=public_id)
        .first()
    )
    links = delivery.version.links if delivery is not None and delivery.version is not None else []
    if delivery is None or (number >= len(links) and number != LinkClick.HONEYPOT):
        return Clicked("", bool(doubt))
    url = links[number]["url"] if number != LinkClick.HONEYPOT else ""
    if request_facts.method == "HEAD":
        return Clicked(url, is_machine=True, delivery_id=delivery.pk)
    if unrecorded.has_address(delivery.email):
        return Clicked(url, bool(doubt), delivery.pk)
    click = LinkClick(
        delivery=delivery, link=number, at=now, doubt=doubt, network=_network(request_facts.address)
    )
    try:
        with write_facts():
            click.save()
    except (Busy, DatabaseError):
        logger.warning("a click could not be written; the reader is led on", exc_info=True)
        return Clicked(url, bool(doubt), delivery.pk)
    tells = not doubt and url and delivery.mail is not None and delivery.mail.is_tagging
    return Clicked(url, bool(doubt), delivery.pk, click.pk if tells else None)


def settle(*, now: datetime) -> int:
    """Tell people from machines among the clicks that are a minute old, and write the activities.

    Written as activities of the e-mail identity, once per link, person and kind, dated when they
    happened: object ``("mail", id)``, data ``{"delivery", "link", "url"}``, of a machine also
    ``"is_machine": true``.

    :returns: how many clicks were told apart.
    """
    LinkClick.objects.filter(settled_at__lt=now - KEEP).delete()
    due = LinkClick.objects.filter(settled_at__isnull=True, at__lte=now - SETTLE)
    ids = list(due.order_by("at").values_list("delivery_id", flat=True)[:PER_CALL])
    if not ids:
        return 0
    around: dict[int, list[LinkClick]] = defaultdict(list)
    for click in LinkClick.objects.filter(delivery__in=ids).order_by("at", "pk"):
        around[click.delivery_id].append(click)
    deliveries = Delivery.objects.select_related("version").defer("version__compiled").in_bulk(set(ids))
    settled = 0
    for delivery_id, clicks in around.items():
        pending = [click for click in clicks if click.settled_at is None and click.at <= now - SETTLE]
        settled += _settle(deliveries[delivery_id], clicks, pending, now=now)
    return settled


def _settle(
    delivery: Delivery, clicks: Sequence[LinkClick], pending: Sequence[LinkClick], *, now: datetime
) -> int:
    links = delivery.version.links if delivery.version is not None else []
    with write_facts(wait_ms=5_000):
        # Guarded: of two workers one writes.
        mine = LinkClick.objects.filter(pk__in=[click.pk for click in pending], settled_at__isnull=True)
        if mine.update(settled_at=now) != len(pending):
            LinkClick.objects.filter(pk__in=[c.pk for c in pending], settled_at=now).update(settled_at=None)
            return 0
        # (Nobody, where they are not recorded since.)
        identity = (
            Identity.objects.select_for_update(of=("self",), no_key=True)
            .filter(kind=Identity.Kind.EMAIL, key=delivery.email, visitor__unrecorded_at=None)
            .first()
        )
        for click in pending:
            if identity is None or click.link >= len(links):
                continue
            is_machine = looks_like_machine(click, clicks, delivery, link_count=len(links))
            _write(identity, delivery, click, links[click.link]["url"], is_machine=is_machine)
        if identity is not None:
            _tell_anew(identity, delivery, clicks, pending, now=now)
    return len(pending)


def _tell_anew(
    identity: Identity,
    delivery: Delivery,
    clicks: Sequence[LinkClick],
    pending: Sequence[LinkClick],
    *,
    now: datetime,
) -> None:
    """Take back earlier clicks of a machine that has given itself away only now."""
    links = delivery.version.links if delivery.version is not None else []
    count = len(links)
    earlier = [c for c in clicks if c.settled_at is not None and c not in pending and c.link < count]
    if not earlier:
        return
    giveaways = [c for c in pending if c.network and _gives_away(c, clicks, link_count=count)]
    for click in earlier:
        is_late = any(
            g.network == click.network and timedelta(0) <= g.at - click.at <= LATE for g in giveaways
        )
        if is_late and not click.is_confirmed and not _page_was_seen(click, delivery):
            _take_back(identity, delivery, click, links[click.link]["url"], now=now)


def _gives_away(click: LinkClick, clicks: Collection[LinkClick], *, link_count: int) -> bool:
    """Whether no person does this, whatever else is known."""
    if click.link == LinkClick.HONEYPOT:
        return True
    # (A browser that fetches ahead is a person's.)
    return (
        click.doubt not in ("", PREFETCH) or _is_sweep(click, clicks, link_count) or _people_of(click) > CROWD
    )


def _take_back(identity: Identity, delivery: Delivery, click: LinkClick, url: str, *, now: datetime) -> None:
    counted = Activity.objects.filter(
        identity=identity, source_key=f"{HUMAN}:{delivery.pk}:{click.link}", at=click.at
    )
    if counted.delete()[0]:
        _write(identity, delivery, click, url, is_machine=True)
        # Scores and segments are to be looked at again.
        news.mark([identity.visitor_id], now=now)


def looks_like_machine(
    click: LinkClick, clicks: Collection[LinkClick], delivery: Delivery, *, link_count: int
) -> bool:
    """The verdict on one click, from what happened around it.

    :param clicks: all clicks of this delivery, this one among them.
    """
    if click.doubt:
        return True
    if any(c.link == LinkClick.HONEYPOT and abs(c.at - click.at) <= AROUND for c in clicks):
        return True
    if click.is_confirmed or _page_was_seen(click, delivery):
        return False
    if delivery.sent_at is not None and click.at - delivery.sent_at < TOO_SOON:
        return True
    if _is_sweep(click, clicks, link_count):
        return True
    return bool(click.network) and _people_of(click) > CROWD


def _is_sweep(click: LinkClick, clicks: Collection[LinkClick], link_count: int) -> bool:
    """So many links at once, or nearly all of them soon after each other."""
    if _links_near(click, clicks, AT_ONCE) >= AT_ONCE_LINKS:
        return True
    return link_count >= AT_ONCE_LINKS and _links_near(click, clicks, SWEEP) >= SWEEP_SHARE * link_count


def _links_near(click: LinkClick, clicks: Collection[LinkClick], within: timedelta) -> int:
    """The most different links followed in any stretch of this length around the click."""
    near = [c for c in clicks if abs(c.at - click.at) <= within]
    return max(len({c.link for c in near if first.at <= c.at <= first.at + within}) for first in near)


def _people_of(click: LinkClick) -> int:
    near = LinkClick.objects.filter(network=click.network, at__range=(click.at - AROUND, click.at + AROUND))
    return near.values("delivery").distinct().count()


def _page_was_seen(click: LinkClick, delivery: Delivery) -> bool:
    """A browser that is known as the reader's, and runs scripts, came to the site just then."""
    if delivery.visitor_id is None:
        return False
    views = PageView.objects.filter(
        visitor=delivery.visitor_id, at__range=(click.at, click.at + AROUND), visit__is_bot=False
    )
    return views.exists()


def _write(identity: Identity, delivery: Delivery, click: LinkClick, url: str, *, is_machine: bool) -> None:
    kind = MACHINE if is_machine else HUMAN
    data = {"delivery": delivery.pk, "link": click.link, "url": url[:500]}
    activities.add(
        identity,
        kind=kind,
        now=click.at,
        source_key=f"{kind}:{delivery.pk}:{click.link}",
        object_kind="mail",
        object_key=str(delivery.mail_id or ""),
        data=data | {"is_machine": True} if is_machine else data,
    )


def _counted(token: str, facts: RequestFacts, *, is_machine: bool) -> Clicked:
    """A link that is the same for every reader: only counted."""
    version_id, number = read_mail_token(fill.COUNTED_CLICK, token)
    version = MailVersion.objects.defer("compiled").filter(pk=version_id).first()
    if version is None or number >= len(version.links):
        return Clicked("", is_machine)
    if facts.method != "HEAD":
        opens.count(version_id, number, is_machine=is_machine)
    return Clicked(version.links[number]["url"], is_machine)


def _doubt(facts: RequestFacts) -> str:
    if facts.method not in ("GET", "HEAD"):
        return "method"
    if facts.is_prefetch:
        return PREFETCH
    return "agent" if is_bot(facts.user_agent) else ""


def _network(address: str) -> str:
    return keyed_hash("mail network", address.encode())[:16].hex() if address else ""
