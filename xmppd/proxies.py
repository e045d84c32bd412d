"""Reverse proxies that are trusted to say who their clients are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from xmppd.networks import Networks, plain_address


@dataclass(frozen=True)
class TrustedProxies(Networks):
    """The networks of ``[client] trusted_proxies``."""

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
