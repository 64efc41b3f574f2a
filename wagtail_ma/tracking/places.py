"""Where a request comes from: country, region and network, guessed before its address is forgotten.

The address is read here and nowhere else, and leaves this module only as a guess. Who sent it is what
the connection says; what ``X-Forwarded-For`` says is believed only as far as our own proxies wrote it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from typing import Any

from wagtail_ma.conf import conf
from wagtail_ma.tracking import networks, regions
from wagtail_ma.tracking.networks import Address

logger = logging.getLogger(__name__)

# In TRUSTED_PROXIES: the server is reached by a socket of this machine, which has no address.
UNIX = "unix"
# What proxies say for "not known" and for the Tor network.
_NO_COUNTRY = frozenset({"XX", "T1", "ZZ"})
MAX_HEADER_LENGTH = 2_000


@dataclass(frozen=True)
class Place:
    """A guess. Everything may be unknown.

    :param country: ISO 3166-1, two capitals.
    :param region: ISO 3166-2 where it is known ("JP-13"), else a name.
    :param network_id: of the network that editors know.
    """

    country: str = ""
    region: str = ""
    network_id: int | None = None


NOWHERE = Place()


def of_request(meta: Mapping[str, Any]) -> Place:
    """Where a request comes from, as far as it can be told; never raises for what visitors may send.

    :param meta: ``request.META``.
    """
    told = _told_by_proxy(meta)
    if told is None and not conf.GEOIP_DATABASE and not networks.are_known():
        # Nothing to compare an address with: it is not even read.
        return NOWHERE
    address = client_address(meta)
    if told is None:
        return of_address(address)
    country, region = told
    if not region and country:
        # A proxy that tells the country alone, and a database that knows more of it.
        known = _looked_up(address)
        region = known[1] if known[0] == country else ""
    return Place(country, region, networks.find(address))


def of_address(address: Address | None) -> Place:
    """Where an address is, by the local database and the networks that editors know."""
    if address is None:
        return NOWHERE
    country, region = _looked_up(address)
    return Place(country, region, networks.find(address))


def client_address(meta: Mapping[str, Any]) -> Address | None:
    """The address of whoever sent the request, None if it cannot be told.

    Without ``TRUSTED_PROXIES`` it is the other end of the connection. With it, ``X-Forwarded-For`` is
    read from its end as long as trusted proxies wrote it: what stands further in front was written by
    the visitor, and may be anything.
    """
    peer = str(meta.get("REMOTE_ADDR") or "")
    address = networks.parsed(peer)
    if not _is_trusted(peer, address):
        return address
    chain = str(meta.get("HTTP_X_FORWARDED_FOR") or "")[-MAX_HEADER_LENGTH:].split(",")
    for text in reversed(chain):
        text = _without_port(text.strip())
        found = networks.parsed(text)
        if found is None:
            # Nobody, or not an address: what is behind our proxies is not known.
            return None
        address = found
        if not _is_trusted(text, found):
            return found
    return address


def _told_by_proxy(meta: Mapping[str, Any]) -> tuple[str, str] | None:
    """Country and region as the proxy's headers say; None if they say nothing or cannot be believed."""
    if not (conf.COUNTRY_HEADER or conf.REGION_HEADER):
        return None
    peer = str(meta.get("REMOTE_ADDR") or "")
    # (Who names no proxies answers for the headers alone, as docs/settings.md says.)
    if conf.TRUSTED_PROXIES and not _is_trusted(peer, networks.parsed(peer)):
        return None
    country = _header(meta, conf.COUNTRY_HEADER).upper()
    country = country if regions.is_country(country) and country not in _NO_COUNTRY else ""
    region = _header(meta, conf.REGION_HEADER)
    if not country:
        return None
    return country, regions.code_of(country, region)


def country_of_request(meta: Mapping[str, Any]) -> str:
    """The country alone."""
    return of_request(meta).country


def _header(meta: Mapping[str, Any], name: str) -> str:
    if not name:
        return ""
    return str(meta.get(f"HTTP_{name.upper().replace('-', '_')}") or "").strip()


def _is_trusted(peer: str, address: Address | None) -> bool:
    trusted = conf.TRUSTED_PROXIES
    if not trusted:
        return False
    if address is None:
        return not peer and UNIX in trusted
    return any(address in network for network in _proxies(tuple(trusted)))


@lru_cache(maxsize=8)
def _proxies(trusted: tuple[str, ...]) -> tuple[networks.AnyNetwork, ...]:
    found = []
    for text in trusted:
        if text != UNIX:
            try:
                found.append(ip_network(text, strict=False))
            except ValueError:
                logger.exception("TRUSTED_PROXIES has an entry that is no network: %r", text)
    return tuple(found)


def _without_port(text: str) -> str:
    """``192.0.2.1:4711`` and ``[2001:db8::1]:4711`` without the port, as some proxies write it."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _looked_up(address: Address | None) -> tuple[str, str]:
    """Country and region from the local database."""
    path = conf.GEOIP_DATABASE
    if not path or address is None:
        return "", ""
    reader = _reader(path)
    if reader is None:
        return "", ""
    try:
        return _read(reader.get(str(address)))
    except Exception:
        # A damaged file, or one in which another process is writing.
        logger.warning("the database of places could not be read", exc_info=True)
        return "", ""


@lru_cache(maxsize=2)
def _reader(path: str) -> Any:
    try:
        # Here, not above: nobody else needs the package.
        import maxminddb

        return maxminddb.open_database(path)
    except Exception:
        logger.exception("the database of places could not be opened: %s", path)
        return None


def _read(row: Any) -> tuple[str, str]:
    """(country, region) of a row of MaxMind's, DB-IP's or IPinfo's databases."""
    if not isinstance(row, Mapping):
        return "", ""
    country = _code(row)
    if not country:
        return "", ""
    divisions = row.get("subdivisions")
    if isinstance(divisions, list) and divisions and isinstance(divisions[0], Mapping):
        first = divisions[0]
        names = first.get("names")
        name = names.get("en", "") if isinstance(names, Mapping) else ""
        return country, regions.code_of(country, str(first.get("iso_code") or name))
    return country, regions.code_of(country, str(row.get("region_code") or row.get("region") or ""))


def _code(row: Mapping[str, Any]) -> str:
    for name in ("country", "registered_country", "country_code"):
        value = row.get(name)
        code = value.get("iso_code") if isinstance(value, Mapping) else value
        if isinstance(code, str) and regions.is_country(code.upper()):
            return code.upper()
    return ""
