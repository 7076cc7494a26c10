"""How far a page's addresses may lead: what a public index names must not be a machine behind our firewall.

A page, or a redirect, can name any address, and this process would ask it: the router, a service on
loopback, the metadata service of a cloud. So an address may lead to the host that named it, to public hosts,
and to hosts as near as that host itself: an index in a company's network to that network, one on loopback to
loopback.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from enum import IntEnum
from typing import Final
from urllib.parse import urlsplit

from variant_index.errors import UpstreamError, printable

__all__ = [
    "Reach",
    "RefusedAddressError",
    "address_reach",
    "allowed_addresses",
    "literal_reach",
    "reach_of",
    "refusal",
]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_SHARED: Final = ipaddress.ip_network("100.64.0.0/10")
# Metadata services of clouds that are not on a link-local address.
_METADATA: Final = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")))


class RefusedAddressError(UpstreamError):
    """A page or a redirect names a host that it must not lead to."""


class Reach(IntEnum):
    """How near a host is; what is nearer may lead farther away, not the other way round."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2
    NOWHERE = 3
    """Link-local, metadata services, multicast, reserved: only the user can name it."""

    def leads_to(self, other: Reach) -> bool:
        """Tell whether a host this near may send us to one that is `other`."""
        return other is not Reach.NOWHERE and other <= self


def address_reach(address: _Address) -> Reach:
    """Return how near an address is; an IPv4 address inside an IPv6 one counts as that."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return address_reach(inner)
    if address.is_loopback:
        return Reach.LOOPBACK
    nowhere = address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
    if nowhere or address in _METADATA:
        return Reach.NOWHERE
    if address.is_global:
        return Reach.PUBLIC
    if address.is_private or (address.version == 4 and address in _SHARED):
        return Reach.PRIVATE
    return Reach.NOWHERE


def literal_reach(host: str) -> Reach | None:
    """Return how near a host is as far as its name says it, None where only its addresses can."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return Reach.LOOPBACK
    try:
        return address_reach(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        pass
    try:
        # Forms such as 127.1 and 0x7f000001, which are names to us and addresses to the resolver.
        return address_reach(ipaddress.IPv4Address(socket.inet_aton(name)))
    except (OSError, UnicodeError, ValueError):
        return None


def reach_of(url: str) -> Reach:
    """Return how near the host of a page is, a host of several addresses as its farthest one.

    A page of this machine's files is as near as loopback; a name that only a proxy can resolve is public.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return Reach.LOOPBACK
    host = parts.hostname or ""
    if (known := literal_reach(host)) is not None:
        return known
    return min(map(address_reach, _resolved(host)), default=Reach.PUBLIC)


def allowed_addresses(host: str, reach: Reach) -> list[str]:
    """Resolve a host and return its addresses that may be connected to, as numbers.

    What is connected to is what was checked: a name that has another address a moment later gains nothing.

    Raises:
        RefusedAddressError: it has none of these.
    """
    found = _resolved(host)
    allowed = [str(address) for address in found if reach.leads_to(address_reach(address))]
    if found and not allowed:
        raise refusal(host, found[0])
    return allowed


def refusal(host: str, address: object = None) -> RefusedAddressError:
    """Return the error that names a host and why it is not asked."""
    shown = printable(host) if address is None or str(address) == host else f"{printable(host)} ({address})"
    return RefusedAddressError(
        f"{shown} is not asked: an index elsewhere named it, and it is on this machine or its network"
    )


def _resolved(host: str) -> list[_Address]:
    try:
        found: Iterable[str] = (
            str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        )
        return [ipaddress.ip_address(one.partition("%")[0]) for one in dict.fromkeys(found)]
    except (OSError, UnicodeError, ValueError):
        return []
