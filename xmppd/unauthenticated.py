"""Connections whose peer has not proved who it is: so many in all, and so many from one address."""

from __future__ import annotations

import ipaddress
from collections import Counter


class Unauthenticated:
    """Counts them. A quarter of the places is the most that one address gets.

    For IPv6 an address is its /64: whoever has one address there has them all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count: Counter[str] = Counter()

    def enter(self, host: str) -> bool:
        """Take a place for a connection from ``host``; False where there is none left for it."""
        network = _network(host)
        if self._count.total() >= self._limit or self._count[network] >= self._limit // 4:
            return False
        self._count[network] += 1
        return True

    def leave(self, host: str) -> None:
        """Give the place back: the peer has proved who it is, or has gone."""
        network = _network(host)
        self._count[network] -= 1
        if not self._count[network]:
            del self._count[network]


def _network(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host  # a UNIX socket has no address
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host
