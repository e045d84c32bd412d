"""Places for connections: so many in all, and so many for one address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

from daemonkit.networks import network_of


class Places:
    """Counts them. For IPv6 an address is its /64: whoever has one address there has them all."""

    def __init__(self, limit: int, per_address: int, unlimited: Container[str] = ()) -> None:
        """As `set_limits`."""
        #: How many got none, since all were taken, or all of their address.
        self.refused = self.refused_by_address = 0
        self._count: Counter[str] = Counter()
        self._total = 0
        self.set_limits(limit, per_address, unlimited)

    def set_limits(self, limit: int, per_address: int, unlimited: Container[str] = ()) -> None:
        """0: no limit. Addresses that are ``unlimited`` are counted in all, and not by address.

        Who has a place keeps it, also where there are more than the new limits allow.
        """
        self._limit = limit
        self._per_address = per_address
        self._unlimited = unlimited

    def __len__(self) -> int:
        """How many are taken."""
        return self._total

    def enter(self, host: str) -> bool:
        """Take a place for a connection from ``host``; False where there is none left for it."""
        if 0 < self._limit <= self._total:
            self.refused += 1
            return False
        network = network_of(host)
        if 0 < self._per_address <= self._count[network] and host not in self._unlimited:
            self.refused_by_address += 1
            return False
        self._count[network] += 1
        self._total += 1
        return True

    def leave(self, host: str) -> None:
        """Give the place back."""
        network = network_of(host)
        self._total -= 1
        self._count[network] -= 1
        if not self._count[network]:
            del self._count[network]
