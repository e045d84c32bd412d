"""The clients that are connected, logged in or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.words.xish.domish import Element

from bridgewire.stream import XmlStream
from daemonkit.quiet import Quiet
from xmppd.clients.stream import ClientStream
from xmppd.domain import Domain
from xmppd.sessions import Sessions
from xmppd.unauthenticated import Unauthenticated

#: Streams that have not logged in yet.
MAX_NOT_LOGGED_IN = 5000
TOO_MANY = (
    "a connection from {host} to a client port was closed, resource-limit: too many are open that "
    "have not logged in"
)


@dataclass
class Clients:
    """What all client streams share.

    ``domains``: those that are served, by name, the first one in front. ``tls_context`` answers
    the context for STARTTLS.
    """

    clock: IReactorTime
    domains: Mapping[str, Domain]
    login_timeout: float
    sessions: Sessions
    route: Callable[[Element], None]
    tls_context: Callable[[], Any]

    def __post_init__(self) -> None:
        self.open: set[ClientStream] = set()
        self.quiet = Quiet(self.clock)
        self.unauthenticated = Unauthenticated(MAX_NOT_LOGGED_IN)

    def accept(self, host: str) -> XmlStream | None:
        """Answer the protocol for a connection from ``host``; None when too many must log in."""
        if not self.unauthenticated.enter(host):
            self.quiet.warn(ClientStream.log, ("full", host), TOO_MANY, host=host)
            return None
        return ClientStream(self, host).stream

    def close(self) -> None:
        """Close all streams: the server stops."""
        for stream in list(self.open):
            stream.machine.refused("system-shutdown", "xmppd is shutting down")
