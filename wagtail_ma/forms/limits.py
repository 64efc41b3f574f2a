"""How many submissions are taken from one network and for one address within an hour.

Counted in the table of submissions itself: right with any number of processes and without a
cache. Of the network only a keyed hash is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from wagtail_ma.conf import conf
from wagtail_ma.forms.models import Submission
from wagtail_ma.people.models import Identity
from wagtail_ma.tracking import places

logger = logging.getLogger(__name__)

WINDOW = timedelta(hours=1)
# Generous: a whole firm, or the visitors of a trade fair, may share one network.
PER_NETWORK = 200
# Each submission may send a mail: nobody must be able to fill somebody else's mailbox.
PER_ADDRESS = 10

PREFIX_LENGTHS = {4: 24, 6: 48}


def network_of(meta: Mapping[str, Any]) -> str:
    """A keyed hash of the sender's network (/24 or /48); "" when it cannot be told.

    :param meta: ``request.META``. ``X-Forwarded-For`` is believed as far as ``TRUSTED_PROXIES`` wrote it
        (``tracking.places.client_address``), so that nobody escapes the limit by a header of their own.
    """
    address = places.client_address(meta)
    if address is None or not address.is_global:
        if meta.get("HTTP_X_FORWARDED_FOR") and not conf.TRUSTED_PROXIES:
            _warn_of_proxy()
        return ""
    network = ipaddress.ip_network((address, PREFIX_LENGTHS[address.version]), strict=False)
    secret = conf.secrets()[0]
    return hmac.digest(secret, f"wagtail_ma.network:{network}".encode(), hashlib.sha256).hex()[:16]


@cache
def _warn_of_proxy() -> None:
    """Once per process: behind a proxy that nobody named, all visitors look alike."""
    logger.warning(
        "Forms are not limited by network: requests come through a proxy. Name it in "
        "WAGTAIL_MA['TRUSTED_PROXIES']."
    )


def is_exceeded(*, network: str, email: str, now: datetime) -> bool:
    """Whether the network or the address has had its share within the last hour.

    :param network: from :func:`network_of`; "" is not limited.
    :param email: normalised.
    """
    recent = Submission.objects.filter(at__gt=now - WINDOW)
    if network and recent.filter(network=network).count() >= PER_NETWORK:
        return True
    owners = Identity.objects.filter(kind=Identity.Kind.EMAIL, key=email).values("visitor_id")
    return recent.filter(visitor_id__in=owners, data__email=email).count() >= PER_ADDRESS
