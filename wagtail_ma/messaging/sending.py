"""Send what is due. No mail is ever sent twice.

    ready → claimed → sending → sent / failed / back to ready / unknown

* **claim** (claiming.py): a guarded update under a name of our own; two senders never hold the same
  row, and no more are taken than the limits let go.
* **fence** (fence.py): the step to ``sending`` is committed before the first byte goes out, and asks in
  the same statement whether the address may be mailed. What is found there after a crash is *unknown*:
  it may have arrived, so nothing sends it again by itself.
* **settle** (settling.py): what the mail server answered.

Statements commit one by one; ``drain`` refuses to run inside a transaction, in which a fence would
be worth nothing.
"""

from __future__ import annotations

import itertools
import logging
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime, timedelta

from django.core.mail import EmailMessage
from django.db import connection, transaction

from wagtail_ma.conf import conf
from wagtail_ma.messaging import claiming, fence, instance, rates, settling, watching
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.messaging.models_of_sending import SendingRules
from wagtail_ma.messaging.pool import Pool
from wagtail_ma.messaging.preparing import Preparer
from wagtail_ma.messaging.transport import NoConnection

logger = logging.getLogger(__name__)

State = Delivery.State

BATCH = 50
# One call ends itself after this, well before the queue's time-out kills it.
DRAIN_SECONDS = 25
# What is being handed over when the time is up, or when we are told to stop, is waited for so long.
GRACE_SECONDS = 35
STOP_SECONDS = 2
# A sending to many is looked at after so many mails.
WATCH_EVERY = 25

reap = settling.reap
send_again = settling.send_again


def drain(*, now: datetime, limit: int = 500, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Send what is due, at most ``limit`` deliveries, for at most half a minute.

    Bounded and repeatable: any number of processes may do it at once, and any of them may be
    killed at any time.

    :param should_stop: asked between mails; nothing new is begun once it says yes.
    :returns: how many deliveries were settled one way or the other.
    :raises RuntimeError: called inside a transaction.
    """
    if connection.in_atomic_block:
        with transaction.atomic(durable=True):
            pass  # raises, but in the test cases that wrap everything in a transaction
    settling.reap(now=now)
    settling.expire(now=now)
    rules = rates.rules_now()
    if not is_sending(rules) or settling.is_pausing(now=now):
        return 0
    # Only once there is something: the first question writes.
    if not claiming.is_any_due(now=now) or not instance.is_ours(rules):
        return 0
    return _Round(rules, now=now, limit=limit, should_stop=should_stop).run()


def is_sending(rules: SendingRules) -> bool:
    """Whether mail may leave at all (the switches in the settings and in the admin)."""
    return conf.MAIL_SENDING and not rules.is_stopped


class _Round:
    """One call of :func:`drain`: claims, prepares, fences, hands over, settles."""

    def __init__(
        self, rules: SendingRules, *, now: datetime, limit: int, should_stop: Callable[[], bool]
    ) -> None:
        self.rules, self.limit, self.should_stop = rules, limit, should_stop
        self.owner = uuid.uuid4().hex
        self.began_at, self.began = now, time.monotonic()
        self.waiting: deque[Delivery] = deque()
        self.preparer = Preparer(rules)
        self.pool = Pool(conf.MAIL_CONNECTIONS)
        self.made: dict[int, EmailMessage | None] = {}
        self.settled = 0
        self.since_watch: Counter[int] = Counter()

    @property
    def now(self) -> datetime:
        return self.began_at + timedelta(seconds=self.elapsed)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def run(self) -> int:
        """Until nothing is due, the time is up, or we are told to stop."""
        try:
            # First of all: whoever dies while connecting or compiling holds nothing.
            self.pool.open()
            self.preparer.load(claiming.peek(now=self.began_at, limit=BATCH))
            self._work()
        except NoConnection as error:
            logger.warning("the mail server cannot be reached: %s", error)
            if not self.waiting and not self.pool.in_flight:
                self._claim()
            settling.pause_all(self.waiting, self.owner, str(error), now=self.began_at)
            self.waiting.clear()
            self._collect(GRACE_SECONDS)
        except BaseException:
            # Time-outs of the queue and shut-downs strike anywhere, also in the middle of a mail. Where
            # the database was lost, it may be back already.
            if not connection.in_atomic_block and not connection.is_usable():
                connection.close()
            self._collect(STOP_SECONDS)
            settling.abandon(self.pool.in_flight, self.owner)
            raise
        finally:
            settling.give_back(self.waiting, self.owner)
            self.pool.close()
        settling.abandon(self.pool.in_flight, self.owner)
        return self.settled

    def _work(self) -> None:
        while True:
            is_over = self.elapsed > DRAIN_SECONDS or self.should_stop()
            if not is_over and not self.waiting and self._taken < self.limit:
                self._claim()
            while self.waiting and self.pool.room and not is_over:
                self._begin(self.waiting[0])
                is_over = self.elapsed > DRAIN_SECONDS or self.should_stop()
            if not self.pool.in_flight:
                if is_over or not self.waiting:
                    return
                continue
            if not is_over:
                self._look_ahead()
            if self._collect_some(GRACE_SECONDS) == 0:
                return

    @property
    def _taken(self) -> int:
        return self.settled + len(self.pool.in_flight)

    def _look_ahead(self) -> None:
        """Make the next messages while the lines are busy (their fences are for later)."""
        for delivery in itertools.islice(self.waiting, self.pool.size):
            if delivery.pk not in self.made:
                self.made[delivery.pk] = self._make(delivery)

    def _make(self, delivery: Delivery) -> EmailMessage | None:
        return self.preparer.message(delivery, speaks_smtp=self.pool.speaks_smtp)

    def _claim(self) -> None:
        """Take what is due and may leave under the limits."""
        if not is_sending(rates.rules_now()):
            return
        limits = rates.limits_of(self.rules, now=self.now)
        wanted = min(BATCH, self.limit - self._taken)
        granted = rates.take(limits, wanted, now=self.now) if limits else wanted
        batch = claiming.claim(self.owner, now=self.began_at, limit=granted) if granted else []
        batch = claiming.within_domains(batch, self.owner, self.rules, now=self.now)
        if limits:
            rates.give_back(limits, granted - len(batch), now=self.now)
        self.preparer.load(batch)
        self.preparer.look_up(batch)
        self.waiting.extend(batch)

    def _begin(self, delivery: Delivery) -> None:
        """One delivery, from claimed to handed over (or settled without)."""
        # Raises while the delivery is still among those that wait.
        self.pool.open()
        self.waiting.popleft()
        mail = self.preparer.mail_of(delivery)
        if settling.wait_for_better_hour(delivery, mail, self.rules, now=self.began_at):
            self.settled += 1
            return
        message = self.made.pop(delivery.pk) if delivery.pk in self.made else self._make(delivery)
        if message is None:
            self.settled += 1
            return
        if not fence.close_behind(
            delivery,
            self.owner,
            mail=mail,
            rules=self.rules,
            now=self.began_at,
            has_pace=self.preparer.has_pace(delivery),
        ):
            reason = fence.why_not(delivery, mail=mail, rules=self.rules, now=self.began_at)
            self.settled += settling.stay_out(delivery, self.owner, reason)
            return
        self.pool.submit(delivery, message)

    def _collect_some(self, timeout: float) -> int:
        """Settle what is finished; waits for the first."""
        results = self.pool.collect(timeout)
        settling.settle([(result.key, result.outcome) for result in results], self.owner, now=self.began_at)
        self.settled += len(results)
        for result in results:
            dispatch_id = result.key.dispatch_id
            if dispatch_id is not None:
                self._watch(dispatch_id)
        return len(results)

    def _collect(self, timeout: float) -> None:
        until = time.monotonic() + timeout
        while self.pool.in_flight and self._collect_some(until - time.monotonic()):
            pass

    def _watch(self, dispatch_id: int) -> None:
        self.since_watch[dispatch_id] += 1
        if self.since_watch[dispatch_id] < WATCH_EVERY:
            return
        self.since_watch[dispatch_id] = 0
        if watching.watch(dispatch_id, now=self.began_at):
            logger.warning("sending %s was paused: too much of it fails", dispatch_id)
