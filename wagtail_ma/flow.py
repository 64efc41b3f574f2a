"""The one main flow. Read this first; every line is one call into a domain.

    browser → record → react → act                      read path: choose
    hit       facts    derived    mail, scenario            page render

* :func:`record_hit`: a hit becomes facts: identity, visit, page view. In the request; or
  :func:`receive` puts it where hits are gathered, to be written with others a moment later.
* :func:`react`: for visitors with news: score → segments → hot list → scenario entry and wake-up.
  In a job.
* :func:`run_due`: what is due now: scenario steps, deliveries, cooling segments. In a job.
* ``personalisation.choose``: the only read in a page render (see ``personalisation/choose.py``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction

from wagtail_ma.conf import conf
from wagtail_ma.core.stages import Stages
from wagtail_ma.messaging import clicks, dispatches, sending, triggers
from wagtail_ma.people import browsers, drawn_keys, log_identities, merge, news
from wagtail_ma.people import retention as retention_of_leads
from wagtail_ma.people.models import Identity
from wagtail_ma.sales import defaults, exclusions, hot
from wagtail_ma.scenarios import band, entry, entry_rule, runner, webhooks
from wagtail_ma.scoring import award, fit, rescore
from wagtail_ma.scoring.carry import carry_forward
from wagtail_ma.segments import refresh
from wagtail_ma.tracking import (
    activities,
    counts,
    networks,
    page_classes,
    pages,
    retention,
    rollups,
    short_way,
    stream,
    views,
    visits,
)
from wagtail_ma.tracking.buffer import buffer
from wagtail_ma.tracking.hits import VIEW, Heard, Hit
from wagtail_ma.tracking.usual import Outcome
from wagtail_ma.tracking.writing import Busy, Repeated, write_facts

logger = logging.getLogger(__name__)

# Visitors per transaction of react. On SQLite, where every hit waits for it, each one stays below 100 ms;
# elsewhere hits wait for nothing that it locks, and larger ones share more of the work.
CHUNK = 50
CHUNK_BESIDE_OTHERS = 100


class Recorded(NamedTuple):
    """What the browser gets back: the key to keep in its cookie, or None (nothing to keep)."""

    browser_key: str | None
    # Drawn or looked up just now (people/drawn_keys.py).
    is_fresh: bool = False
    # It belongs to somebody who is not recorded (people/unrecorded.py): it must bring no key any more.
    is_silent: bool = False


@dataclass(frozen=True)
class Done:
    """How much :func:`run_due` did."""

    steps: int
    deliveries: int
    segments: int
    rescored: int
    clicks: int = 0
    # Of sendings to many, written down.
    recipients: int = 0


def receive(hit: Hit, *, now: datetime) -> Recorded:
    """Take a message from the web: record it, or have it recorded soon (setting ``RECORDING``).

    :param hit: as for :func:`record_hit`.
    :raises wagtail_ma.tracking.writing.Busy: it was not taken; the browser tries again.
    """
    # (Who must not be recognised is only counted, and a number added twice would be wrong.)
    if conf.RECORDING == "direct" or hit.is_anonymous:
        return record_hit(hit, now=now)
    recorded = Recorded(browser_key=None)
    if not hit.log_key and not hit.is_key_fresh:
        hit, recorded = _with_fresh_key(hit, now=now)
    if recorded.is_silent:
        return _only_counted(hit, now=now)
    if conf.RECORDING == "buffered":
        buffer.add(Heard(hit, now))
        return recorded
    try:
        stream.stream.add(Heard(hit, now))
    except stream.Unavailable:
        return record_hit(hit, now=now)._replace(is_fresh=True)
    return recorded


def _with_fresh_key(hit: Hit, *, now: datetime) -> tuple[Hit, Recorded]:
    """Once an hour: a key that the database knows; for whoever has none, one that it will know."""
    key = hit.browser_key
    kind = browsers.kind_of(key) if key else None
    if kind == Identity.Kind.SILENT:
        return hit, Recorded(browser_key=None, is_silent=True)
    is_drawn = key is None or kind is None
    if is_drawn:
        key = drawn_keys.draw(hit.view_id, now=now)
    is_first = is_drawn and hit.kind == VIEW
    fresh = hit._replace(browser_key=key, is_key_fresh=True, is_first=is_first)
    return fresh, Recorded(key, is_fresh=True)


def record_hit(hit: Hit, *, now: datetime) -> Recorded:
    """Turn one message of a browser into facts, in one short transaction.

    :param hit: a parsed and authenticated message (``tracking.hits.parse``).
    :param now: the server's time; browsers never date anything.
    :raises wagtail_ma.tracking.writing.Busy: the database is locked; the browser tries again.
    """
    if hit.is_anonymous:
        counts.count(hit, now=now)
        return Recorded(browser_key=None)
    try:
        try:
            return _record(hit, now=now)
        except IntegrityError:
            # A page or a network that this process remembered has been deleted meanwhile.
            pages.forget()
            networks.forget()
            return _record(hit, now=now)
    except Repeated as repetition:
        return _record_again(hit, repetition, now=now)


def _record_again(hit: Hit, repetition: Repeated, *, now: datetime) -> Recorded:
    """What remains to be done for a message whose view or act is stored already."""
    if not repetition.just_now:
        # The answer got lost, and perhaps the first cookie with it.
        return Recorded(None if hit.browser_key else views.browser_key_of(hit, now=now))
    try:
        # Two first messages of a view came at once: this one finds the view of the other.
        return _record(hit, now=now)
    except Repeated:
        return Recorded(browser_key=None)


def _record(hit: Hit, *, now: datetime) -> Recorded:
    page = pages.tracked_page_for(hit, now=now)
    told = short_way.record(hit, page, now=now)
    if told.outcome is Outcome.DONE:
        return Recorded(told.browser_key)
    with write_facts():
        if hit.is_engagement and told.outcome is not Outcome.UNKNOWN_VIEW and views.grow(hit, now=now):
            return Recorded(browser_key=None)
        identity = _recognise(hit, now=now)
        if identity.is_silent:
            return _only_counted(hit, now=now)
        visit = visits.visit_for(identity, hit, page, now=now)
        if hit.is_activity:
            activities.record(identity, hit, visit, page, now=now)
        else:
            views.record(identity, hit, visit, page, now=now)
        news.mark([identity.visitor_id], now=now)
    return Recorded(browser_key=None if hit.log_key else identity.key)


def _only_counted(hit: Hit, *, now: datetime) -> Recorded:
    """A message of somebody who is not recorded: all that is kept is one more view of the page."""
    counts.count(hit, now=now)
    return Recorded(browser_key=None, is_silent=True)


def _recognise(hit: Hit, *, now: datetime) -> Identity:
    if hit.log_key:
        return log_identities.recognise(hit.log_key, now=now)
    # Without a cookie yet, what is told of a known view belongs to whoever opened it.
    key = hit.browser_key or views.browser_key_of(hit, now=now)
    return browsers.recognise(key, now=now, is_fresh=hit.is_key_fresh)


def write_gathered(*, limit: int = 20_000) -> int:
    """Write messages that web processes have handed to Redis (setting ``RECORDING``).

    :param limit: stop after about so many.
    :returns: how many were written.
    """
    if conf.RECORDING != "redis":
        return 0
    done = 0
    try:
        writer = stream.Writer()
        while done < limit and (some := writer.work()):
            done += some
        writer.leave()
    except Busy:
        pass
    except Exception:
        logger.exception("messages in Redis could not be written")
    return done


def react(*, now: datetime, limit: int = 500) -> int:
    """Bring everything derived up to date for the visitors with news, oldest first.

    Short transactions; a visitor who fails is set aside with a back-off and stops nobody.

    :param limit: at most so many visitors in this call.
    :returns: how many visitors were looked at.
    """
    visitor_ids = news.due(now=now, limit=limit)
    size = CHUNK if connection.vendor == "sqlite" else CHUNK_BESIDE_OTHERS
    for start in range(0, len(visitor_ids), size):
        chunk = visitor_ids[start : start + size]
        try:
            _react_to(chunk, now=now)
        except Exception:
            logger.exception("react failed for a chunk; trying its visitors one by one")
            _react_one_by_one(chunk, now=now)
    return len(visitor_ids)


def _react_to(visitor_ids: list[int], *, now: datetime) -> None:
    with transaction.atomic():
        read = news.read(visitor_ids, now=now)
        visitor_ids = merge.bury(visitor_ids)
        award.award(visitor_ids, now=now)
        changes = refresh.refresh_visitors(visitor_ids, now=now, causes=read.causes)
        exclusions.decide(visitor_ids, now=now)
        hot.look_at(visitor_ids, now=now)
        triggers.plan(changes, now=now)
        entry.enter(visitor_ids, changes, now=now)
        runner.wake(visitor_ids, now=now)
        news.clear(read)


def _react_one_by_one(visitor_ids: list[int], *, now: datetime) -> None:
    for visitor_id in visitor_ids:
        try:
            _react_to([visitor_id], now=now)
        except Exception as error:
            logger.exception("react failed for visitor %s; set aside", visitor_id)
            news.set_aside(visitor_id, error, now=now)


def run_due(*, now: datetime, limit: int = 500) -> Done:
    """Do what is due: scenario steps, deliveries, segments whose time windows have moved on, facts
    that a big merge left behind, daily roll-ups, retention.

    Bounded and repeatable: overlapping, repeated or interrupted calls do nothing twice. A piece
    that fails keeps no other from being done.

    :param limit: at most so many steps and so many deliveries in this call.
    :raises ExceptionGroup: when all is done that could be, with what failed.
    """
    stages = Stages()
    stages.do(lambda: merge.settle(now=now))
    stages.do(lambda: page_classes.resolve_due(now=now))
    rescored = stages.do(lambda: rescore.rescore_due(now=now))
    stages.do(lambda: fit.sweep_due(now=now))
    segments = stages.do(lambda: refresh.refresh_due(now=now))
    stages.do(defaults.ensure)
    stages.do(lambda: exclusions.follow_companies(now=now))
    stages.do(lambda: exclusions.review(now=now))
    stages.do(lambda: hot.run_due(now=now))
    stages.do(lambda: entry_rule.take_in(now=now))
    stages.do(lambda: entry.enter_by_date(now=now))
    stages.do(lambda: band.wake_cooled(now=now))
    steps = stages.do(lambda: runner.run_due(now=now, limit=limit))
    settled = stages.do(lambda: clicks.settle(now=now))
    recipients = stages.do(lambda: dispatches.advance(now=now))
    deliveries = stages.do(lambda: sending.drain(now=now, limit=limit))
    stages.do(lambda: webhooks.drain(now=now))
    stages.do(lambda: rollups.roll_up(now=now))
    stages.do(lambda: retention.prune(now=now, carry=partial(carry_forward, now=now)))
    stages.do(lambda: retention_of_leads.erase_due(now=now))
    stages.finish()
    return Done(steps, deliveries, segments, rescored, clicks=settled, recipients=recipients)
