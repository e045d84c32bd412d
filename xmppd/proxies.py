"""Reverse proxies that are trusted to say who their clients are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from daemonkit.networks import plain_address
from xmppd.networks import Networks

if TYPE_CHECKING:
    from xmppd.config_client import Client, ClientPort


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


class AnnouncingProxies:
    """The addresses whose connections to one kind of port begin with a PROXY header, now."""

    def __init__(self, client: Callable[[], Client], port: ClientPort) -> None:
        """``client`` answers ``[client]`` as it is in use, which may change."""
        self._client = client
        self._port = port

    def __contains__(self, host: object) -> bool:
        client = self._client()
        return self._port in client.proxy_protocol and host in Networks(client.trusted_proxies)
