"""One HTTPS request to an address that an editor typed: to the public internet and nowhere else.

The name is resolved once; if any of its addresses is private, of this machine or of the local
network, nothing is sent. The connection goes to the address that was checked, not to whatever the name
means a moment later (DNS rebinding); the certificate is still that of the name. Redirects are not
followed, proxies of the environment not used, and the answer is not read beyond its status.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from wagtail_ma.core.errors import MarketingError

# For each step of the way (seconds), and for all of it.
STEP_SECONDS = 5
WHOLE_SECONDS = 10
PORT = 443
# IPv6 networks in which an IPv4 address hides: a gateway would lead back inside.
_HIDING = [
    ipaddress.ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
]

Resolve = Callable[[str, int], list[str]]


class Refused(MarketingError):
    """An address that is never called, however often one asks."""


class Unreachable(MarketingError):
    """It did not work this time."""


def target_of(url: str) -> tuple[str, int, str]:
    """Host, port and path of a URL that may be called.

    :raises Refused: no https, a user name in it, no host, or an address instead of a name that is not
        public.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or PORT
    except ValueError as error:
        raise Refused("not an address") from error
    if parts.scheme != "https":
        raise Refused("only https addresses are called")
    if not host or parts.username is not None or parts.password is not None:
        raise Refused("not a plain address")
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise Refused("not a plain address")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        _check(host)
    path = parts.path or "/"
    try:
        ascii_host = host.encode("idna").decode("ascii") if ":" not in host else host
        (path + parts.query).encode("ascii")
    except UnicodeError as error:
        raise Refused("write the address in ASCII, as browsers send it") from error
    return ascii_host, port, f"{path}?{parts.query}" if parts.query else path


def _lookup(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def public_address(host: str, port: int, *, resolve: Resolve = _lookup) -> str:
    """The address to connect to.

    :raises Refused: one of the addresses of the name is not public.
    :raises Unreachable: the name is not known.
    """
    try:
        addresses = resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise Unreachable("the name is not known") from error
    for address in addresses:
        _check(address)
    if not addresses:
        raise Unreachable("the name has no address")
    return addresses[0]


def _check(text: str) -> None:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    is_public = mapped.is_global and not mapped.is_multicast and not mapped.is_reserved
    if not is_public or any(mapped.version == net.version and mapped in net for net in _HIDING):
        raise Refused("the address is not on the public internet")


class _Pinned(http.client.HTTPSConnection):
    """A connection to a fixed address, with the certificate of the name."""

    def __init__(self, host: str, port: int, *, address: str, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=STEP_SECONDS, context=context)
        self._address = address
        self._tls = context

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), timeout=STEP_SECONDS)
        self.sock = plain
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    resolve: Resolve = _lookup,
    context: ssl.SSLContext | None = None,
) -> int:
    """Send ``body``; a redirect is an answer like any other.

    :returns: the HTTP status.
    :raises Refused: the address is never called.
    :raises Unreachable: no answer in time, no connection, no valid certificate.
    """
    host, port, path = target_of(url)
    address = public_address(host, port, resolve=resolve)
    connection = _Pinned(host, port, address=address, context=context or ssl.create_default_context())
    # A server that sends a byte now and then would hold the time-out of each step off for ever.
    deadline = threading.Timer(WHOLE_SECONDS, _cut, [connection])
    deadline.daemon = True
    deadline.start()
    try:
        connection.request("POST", path, body=body, headers=dict(headers))
        return int(connection.getresponse().status)
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}"[:200]) from error
    finally:
        deadline.cancel()
        connection.close()


def _cut(connection: Any) -> None:
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
