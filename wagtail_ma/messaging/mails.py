"""The mail with the link to one's own data."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import override

from wagtail_ma.messaging import transactional
from wagtail_ma.messaging.fill import Filled
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import Lead

OWN_DATA = "own_data"
LINK_HOURS = 24
# Nobody's mailbox is filled, whoever types its address.
MAILS_PER_DAY = 3


def send_own_data_link(
    lead: Lead, url: str, *, email: str, now: datetime, language: str = ""
) -> Delivery | None:
    """Plan the mail with the link, unless this address got enough of them today.

    :param url: the signed link, from the site's root.
    :returns: None when none is sent.
    """
    today = Delivery.objects.filter(builtin=OWN_DATA, email=email, created_at__gt=now - timedelta(days=1))
    if today.count() >= MAILS_PER_DAY:
        return None
    extra = {"url": transactional.absolute(url), "language": transactional.language_for(lead, language)}
    return transactional.plan(OWN_DATA, lead, now=now, occurrence="", extra=extra, email=email)


def _fill(delivery: Delivery) -> Filled:
    extra = delivery.extra
    with override(extra["language"]):
        return transactional.filled(
            delivery,
            "wagtail_ma/mail/own_data",
            subject=_("Your data"),
            language=extra["language"],
            context={"url": extra["url"], "hours": LINK_HOURS},
        )


transactional.builtins.register(OWN_DATA, _fill)
