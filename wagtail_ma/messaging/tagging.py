"""A link in a mail tells this site who its reader is.

Never on the click itself: scanners click. The click leads over a page of ours whose script tells us,
from a browser that shows it, that somebody is there. A forwarded mail binds nobody else's browser
(people/identify.py), and no mail binds more than a few.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from wagtail_ma.core import tokens
from wagtail_ma.messaging.clicks import AROUND
from wagtail_ma.messaging.models_of_sending import LinkClick
from wagtail_ma.people import browsers
from wagtail_ma.people.identify import identify_browser
from wagtail_ma.people.models import Identity, IdentityLink
from wagtail_ma.tracking.writing import write_facts

logger = logging.getLogger(__name__)

PURPOSE = "mail tag"
TOKEN_SECONDS = 600
METHOD = "mail_link"
# A mail that somebody finds again, or hands round, tells nothing about its reader.
LATEST = timedelta(days=30)
MOST_BROWSERS = 3


def token_for(click_id: int, *, now: datetime) -> str:
    """What the page between hands back: names the click, for ten minutes."""
    return tokens.dumps(PURPOSE, (click_id,), now=now)


def bind(
    token: str, browser_key: str | None, *, now: datetime, is_key_fresh: bool = False
) -> Identity | None:
    """Tie the browser to the reader of the mail, once for each click.

    :param browser_key: of the cookie; None for a browser without one.
    :param is_key_fresh: the key need not be in the database yet (people/drawn_keys.py).
    :returns: the browser, which shall keep its key, or give it up if it is silent; None: nothing was tied.
    :raises wagtail_ma.core.tokens.BadToken: not ours, or too old.
    """
    payload = tokens.loads(PURPOSE, token, now=now, max_age_seconds=TOKEN_SECONDS)
    click = LinkClick.objects.select_related("delivery").filter(pk=payload[0]).first()
    if click is None or click.doubt or not _may_bind(click, now=now):
        return None
    with write_facts():
        # Single use, by guarded update.
        if not LinkClick.objects.filter(pk=click.pk, is_confirmed=False).update(is_confirmed=True):
            return None
        browser = browsers.recognise(browser_key, now=now, is_fresh=is_key_fresh)
        delivery = click.delivery
        evidence = {"mail": delivery.mail_id, "delivery": delivery.pk}
        found = identify_browser(browser, email=delivery.email, now=now, method=METHOD, evidence=evidence)
        if found.identity.pk != browser.pk and not found.is_silent:
            logger.info("delivery %s was opened in the browser of somebody else, which stays so", delivery.pk)
    return browser


def _may_bind(click: LinkClick, *, now: datetime) -> bool:
    delivery = click.delivery
    if delivery.sent_at is None or now - delivery.sent_at > LATEST or delivery.lead_id is None:
        return False
    near = LinkClick.objects.filter(delivery=delivery, link=LinkClick.HONEYPOT)
    if near.filter(at__range=(click.at - AROUND, click.at + AROUND)).exists():
        return False
    bound = IdentityLink.objects.filter(method=METHOD, evidence__delivery=delivery.pk)
    return bound.values("identity").distinct().count() < MOST_BROWSERS
