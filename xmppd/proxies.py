"""Reverse proxies that are trusted to say who their clients are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


def plain_address(host: str) -> str:
    """Answer an address as it is counted and logged: an IPv4 one that came over IPv6 is IPv4.

    What is no address, like the nothing that a UNIX socket has, stays as it is.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


@dataclass(frozen=True)
class TrustedProxies:
    """The networks of ``[client] trusted_proxies``."""

    networks: tuple[Network, ...] = ()

    def __contains__(self, host: object) -> bool:
        try:
            address = ip_address(plain_address(str(host)).partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self.networks)

    def client(self, forwarded: Iterable[str]) -> str | None:
        """Answer who the values of ``X-Forwarded-For`` say that a proxy's client is.

        That is the rightmost address that is no trusted proxy's: each proxy adds on the right whom
        it has seen, and what stands further left may have been made up. None where there is none,
        or something else in its place.
        """
        for item in reversed(",".join(forwarded).split(",")):
            try:
                host = plain_address(str(ip_address(item.strip())))
            except ValueError:
                return None
            if host not in self:
                return host
        return None
