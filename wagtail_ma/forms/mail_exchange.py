"""Optional: whether anybody takes mail for a domain (setting ``CHECK_MX``).

The one thing here that asks the outside world, and only where it is switched on: the name server of this
machine. Only a sure no counts; whoever has doubts lets the address through.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from typing import Any

logger = logging.getLogger(__name__)

# A person waits for the answer, and a web worker with them.
WAIT_SECONDS = 2.0
REMEMBER_SECONDS = 3600


def takes_mail(domain: str) -> bool:
    """False when the name server says that nobody takes mail for a domain: there is no such domain, it says
    so itself (null MX, RFC 7505), or it has neither mail exchanger nor address (RFC 5321, section 5.1).

    :param domain: in ASCII, as ``normalise_email`` makes it.
    """
    return _asked(domain, int(time.monotonic() // REMEMBER_SECONDS))


@lru_cache(maxsize=2_000)
def _asked(domain: str, hour: int) -> bool:
    try:
        return _ask(domain)
    except Exception:
        logger.warning("whether %s takes mail could not be asked", domain, exc_info=True)
        return True


def _ask(domain: str) -> bool:
    # Here, not above: nobody else needs the package.
    import dns.resolver

    resolver = _resolver()
    until = time.monotonic() + WAIT_SECONDS
    for kind in ("MX", "A", "AAAA"):
        try:
            left = max(until - time.monotonic(), 0.1)
            answer = resolver.resolve(domain, kind, search=False, lifetime=left)
        except dns.resolver.NXDOMAIN:
            return False
        except dns.resolver.NoAnswer:
            continue
        return kind != "MX" or any(str(row.exchange) != "." for row in answer)
    return False


def _resolver() -> Any:
    import dns.resolver

    return dns.resolver.Resolver()
