"""Addresses as they are logged, and whom they are counted with."""

from __future__ import annotations

import ipaddress


def plain_address(host: str) -> str:
    """Answer an address as it is counted and logged: an IPv4 one that came over IPv6 is IPv4.

    What is no address, like the nothing that a UNIX socket has, stays as it is.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def network_of(host: str) -> str:
    """Answer an IPv4 address as it is, an IPv6 one as its network: ``2001:db8::/64``.

    Who has one address there has them all.

    IPv4 that came over IPv6 is IPv4. What is no address, like the nothing that a UNIX socket has,
    stays as it is.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
