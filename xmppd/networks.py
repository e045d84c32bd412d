"""Addresses and networks as they are configured."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from daemonkit.networks import plain_address

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Networks:
    """The addresses that are in one of some networks."""

    networks: tuple[Network, ...] = ()

    def __contains__(self, host: object) -> bool:
        try:
            address = ip_address(plain_address(str(host)).partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self.networks)


def parse_network(text: str) -> Network:
    """Answer an address, or a network like ``192.0.2.0/24``.

    Raises:
        ValueError: with a sentence that says what is wrong with it.
    """
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"{text[:80]!r} is no address or network ({error}). Write it like 192.0.2.7, "
            "2001:db8::7 or 192.0.2.0/24."
        ) from None
    if network.prefixlen == 0:
        raise ValueError(
            f"{text} is everybody, and nobody is meant to be all alike. Name those who are meant."
        )
    return network
