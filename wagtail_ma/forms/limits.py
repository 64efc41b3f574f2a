"""How many submissions are taken from one network and for one address within an hour.

Counted in the table of submissions itself: right with any number of processes and without a
cache. Of the network only a keyed hash is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from datetime import datetime, timedelta

from wagtail_ma.conf import conf
from wagtail_ma.forms.models import Submission
from wagtail_ma.people.models import Identity

WINDOW = timedelta(hours=1)
# Generous: a whole firm, or the visitors of a trade fair, may share one network.
PER_NETWORK = 200
# Each submission may send a mail: nobody must be able to fill somebody else's mailbox.
PER_ADDRESS = 10

PREFIX_LENGTHS = {4: 24, 6: 48}


def network_of(remote_address: str, forwarded_for: str = "") -> str:
    """A keyed hash of the sender's network (/24 or /48); "" when it cannot be told.

    :param remote_address: the peer of the TCP connection.
    :param forwarded_for: ``X-Forwarded-For``. Believed only when the peer is in a private network,
        that is our own proxy, and then only its last entry, which that proxy wrote itself.
    """
    address = _address(remote_address)
    if address is not None and not address.is_global:
        address = _address(forwarded_for.rpartition(",")[2])
    if address is None or not address.is_global:
        return ""
    network = ipaddress.ip_network((address, PREFIX_LENGTHS[address.version]), strict=False)
    secret = conf.secrets()[0]
    return hmac.digest(secret, f"wagtail_ma.network:{network}".encode(), hashlib.sha256).hex()[:16]


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


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
