"""Which of the networks that editors know an address belongs to.

Matched in the process and before the address is forgotten; nobody outside is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.core.remembered import Remembered
from wagtail_ma.tracking.models import Network

Address = IPv4Address | IPv6Address
AnyNetwork = IPv4Network | IPv6Network

# How long a process goes by the networks it has read (seconds of its own clock): asked with every hit.
REMEMBER_SECONDS = 60
# Wider than these is a typing error: whole countries would be one company.
WIDEST = {4: 8, 6: 16}


class BadRange(MarketingError):
    """A line is no address and no network, or far too wide a one. ``line``: as it was typed."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.line = line


@dataclass
class _Table:
    """Networks by version and length of prefix: a look-up asks once per length, the longest first."""

    by_length: dict[int, dict[int, dict[int, int]]] = field(default_factory=lambda: {4: {}, 6: {}})
    ids: frozenset[int] = frozenset()
    excluded: frozenset[int] = frozenset()

    def find(self, address: Address) -> int | None:
        bits, number = address.max_prefixlen, int(address)
        by_length = self.by_length[address.version]
        for length in by_length:
            found = by_length[length].get(number >> (bits - length))
            if found is not None:
                return found
        return None


def parsed(text: str) -> Address | None:
    """The address that a text is, None for anything else.

    An IPv4 address that is written as IPv6 (``::ffff:192.0.2.1``) is the IPv4 address; the zone of a
    local address is left out.
    """
    try:
        address = ip_address(text.strip().strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def normalised(text: str) -> str:
    """What an editor typed, one CIDR per line: sorted, without doubles. ``192.0.2.7/24`` is the
    network in which the address lies; ``192.0.2.10-192.0.2.20`` becomes the CIDRs that make it up.

    :raises BadRange: with the first line that is none.
    """
    found: set[AnyNetwork] = set()
    for line in text.replace(",", "\n").splitlines():
        # (What follows a "#" is a note.)
        if typed := line.partition("#")[0].strip():
            found.update(_networks(typed))
    ordered = sorted(found, key=lambda each: (each.version, int(each.network_address), each.prefixlen))
    return "\n".join(map(str, ordered))


def _networks(typed: str) -> list[AnyNetwork]:
    first, dash, last = (part.strip() for part in typed.partition("-"))
    try:
        networks: list[AnyNetwork]
        if dash:
            networks = _between(ip_address(first), ip_address(last))
        else:
            networks = [ip_network(typed, strict=False)]
    except (ValueError, TypeError) as error:
        raise BadRange(typed) from error
    if any(network.prefixlen < WIDEST[network.version] for network in networks):
        raise BadRange(typed)
    return networks


def _between(first: Address, last: Address) -> list[AnyNetwork]:
    """:raises ValueError, TypeError: in the wrong order, or of different versions."""
    if isinstance(first, IPv4Address) and isinstance(last, IPv4Address):
        return list(summarize_address_range(first, last))
    if isinstance(first, IPv6Address) and isinstance(last, IPv6Address):
        return list(summarize_address_range(first, last))
    raise TypeError("an IPv4 and an IPv6 address")


def find(address: Address | None) -> int | None:
    """The id of the network that an address lies in; of several the narrowest. None if there is none.

    Costs no statement when the networks were read within :data:`REMEMBER_SECONDS`.
    """
    return _remembered.get().find(address) if address is not None else None


def are_known() -> bool:
    """Whether editors have named any."""
    return bool(_remembered.get().ids)


def is_excluded(network_id: int | None) -> bool:
    """Whether visits from there are not to be recorded."""
    return network_id is not None and network_id in _remembered.get().excluded


def existing(network_id: int | None) -> int | None:
    """The same id as long as the network exists, else None: a message may have waited for a while."""
    return network_id if network_id is not None and network_id in _remembered.get().ids else None


def forget() -> None:
    """Read the networks again: an editor has changed them. Other processes follow within a minute."""
    _remembered.forget()


def _read() -> _Table:
    rows = list(Network.objects.values_list("pk", "ranges", "is_excluded").order_by("-pk"))
    table = _Table(
        ids=frozenset(pk for pk, _ranges, _is_excluded in rows),
        excluded=frozenset(pk for pk, _ranges, is_excluded in rows if is_excluded),
    )
    for pk, ranges, _is_excluded in rows:
        _fill(table, pk, ranges.splitlines())
    for version, by_length in table.by_length.items():
        table.by_length[version] = dict(sorted(by_length.items(), reverse=True))
    return table


def _fill(table: _Table, pk: int, ranges: Iterable[str]) -> None:
    for text in ranges:
        try:
            network = ip_network(text)
        except ValueError:
            # Nothing that a form let through.
            continue
        number = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
        # (Of two with the same range the older one counts: it is read last.)
        table.by_length[network.version].setdefault(network.prefixlen, {})[number] = pk


_remembered = Remembered(_read, seconds=REMEMBER_SECONDS)
