"""Whom an address is counted with: for IPv6 its /64, as who has one address there has them all."""

from __future__ import annotations

import ipaddress


def network_of(host: str) -> str:
    """Answer an IPv4 address as it is, an IPv6 one as its network: ``2001:db8::/64``.

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
