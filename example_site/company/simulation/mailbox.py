"""The simulated people read their mail: some click, later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from wagtail_ma.core.tokens import mail_token
from wagtail_ma.messaging import clicks, fill
from wagtail_ma.messaging.models import Delivery

from .characters import Look, Outing

if TYPE_CHECKING:
    from .acts import Browser
    from .clock import Clock


NIGHT = timedelta(hours=8)


class Mailbox:
    """Watches what is sent and plans the clicks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._browsers: dict[str, Browser] = {}
        self._random = Random(11)
        self._seen = 0

    def know(self, browser: Browser) -> None:
        """Remember whose address it is."""
        self._browsers[browser.person.email] = browser

    def read(self, now: datetime) -> None:
        """Look at what was sent since the last time; called after each round of the worker."""
        sent = Delivery.objects.filter(pk__gt=self._seen, mail__isnull=False).order_by("pk")
        for delivery in sent.select_related("version"):
            self._seen = delivery.pk
            browser = self._browsers.get(delivery.email)
            if browser and delivery.version and self._random.random() < browser.person.clicks:
                later = timedelta(hours=self._random.uniform(0.5, 40))
                self._clock.at(now + later, self._click(delivery.pk, browser))

    def _click(self, delivery_id: int, browser: Browser) -> Callable[[datetime], None]:
        def act(now: datetime) -> None:
            delivery = Delivery.objects.select_related("version").get(pk=delivery_id)
            if delivery.state in (Delivery.State.READY, Delivery.State.CLAIMED):
                # It waits for the morning.
                self._clock.at(now + NIGHT, self._click(delivery_id, browser))
            if delivery.state != Delivery.State.SENT:
                return
            token = mail_token(fill.CLICK, delivery.public_id, 0)
            facts = clicks.RequestFacts(user_agent=browser.person.user_agent)
            clicks.record_click(token, now=now, request_facts=facts)
            look = Look(path="case-studies", seconds=40)
            outing = Outing(day=0, looks=(look,), query="utm_source=mail&utm_medium=email")
            browser.opens(look, outing)(now + timedelta(seconds=2))
            self._clock.at(now + timedelta(seconds=45), browser.leaves(look))

        return act
