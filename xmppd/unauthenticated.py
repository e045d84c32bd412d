"""Connections whose peer has not proved who it is: so many in all, and so many from one address."""

from __future__ import annotations

from collections import Counter

from daemonkit.networks import network_of


class Unauthenticated:
    """Counts them. A quarter of the places is the most that one address gets.

    For IPv6 an address is its /64: whoever has one address there has them all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count: Counter[str] = Counter()

    def enter(self, host: str) -> bool:
        """Take a place for a connection from ``host``; False where there is none left for it."""
        network = network_of(host)
        if self._count.total() >= self._limit or self._count[network] >= self._limit // 4:
            return False
        self._count[network] += 1
        return True

    def leave(self, host: str) -> None:
        """Give the place back: the peer has proved who it is, or has gone."""
        network = network_of(host)
        self._count[network] -= 1
        if not self._count[network]:
            del self._count[network]
