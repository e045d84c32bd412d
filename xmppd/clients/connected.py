"""The clients that are connected, logged in or not."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.words.xish.domish import Element

from bridgewire.limits import BEFORE_LOGIN, Limits
from bridgewire.namespaces import CLIENT
from bridgewire.stream import StreamOwner, XmlStream
from daemonkit.feed import Feed
from daemonkit.login_record import LoginRecord
from daemonkit.places import Places
from xmppd.clients.session import ClientSession
from xmppd.clients.stream import ClientStream
from xmppd.clients.stream_interface import Stream
from xmppd.domain import Domain
from xmppd.events import CLIENTS_FULL, NOT_LOGGED_IN_FULL
from xmppd.failed_logins import FailedLogins
from xmppd.sessions import Sessions

S = TypeVar("S", bound=Stream)


@dataclass
class Clients:
    """What all client streams share.

    ``domains``: those that are served, by name, the first one in front. ``tls_context`` answers
    the context for STARTTLS with a domain.
    """

    clock: IReactorTime
    domains: Mapping[str, Domain]
    login_timeout: float
    sessions: Sessions
    route: Callable[[Element], None]
    tls_context: Callable[[Domain], Any]
    failed_logins: FailedLogins
    #: Seconds that a session waits for its client to come back (XEP-0198); 0: none does.
    resumption_timeout: float = 0.0
    #: For all connections, and for those that have not logged in yet.
    connections: Places = field(default_factory=lambda: Places(0, 0))
    unauthenticated: Places = field(default_factory=lambda: Places(0, 0))
    #: Of logins that have ended.
    login_records: Feed[LoginRecord] = field(default_factory=Feed)

    def __post_init__(self) -> None:
        #: Sessions that can be resumed, by the id that their clients were given.
        self.resumable: dict[str, ClientSession] = {}
        #: Makes resources that are the same for the same installation of a client.
        self.resource_key = secrets.token_bytes(32)
        self.open: set[ClientStream] = set()
        #: How many of those there are over each transport; and of all, how many got a stream error.
        self.by_transport: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    def accept(self, host: str) -> XmlStream | None:
        """Answer the protocol for a connection from ``host``; None when there are too many."""
        return self.begin(host, _xml_stream) if self.admit(host) else None

    def admit(self, host: str) -> bool:
        """Take places for a connection from ``host``; False, and a log line, when all are taken.

        They are given back by the stream that begins there, or else by ``dismiss``.
        """
        if not self.connections.enter(host):
            ClientStream.log.warn(CLIENTS_FULL, peer=host)
            return False
        if not self.unauthenticated.enter(host):
            self.connections.leave(host)
            ClientStream.log.warn(NOT_LOGGED_IN_FULL, peer=host)
            return False
        return True

    def dismiss(self, host: str) -> None:
        """Give the places back of a connection that never became a stream."""
        self.connections.leave(host)
        self.unauthenticated.leave(host)

    def begin(
        self, host: str, make: Callable[[StreamOwner, Limits, IReactorTime], S], age: float = 0.0
    ) -> S:
        """Answer the stream that ``make`` makes for an admitted client from ``host``.

        ``age``: of its connection, in seconds; they count for the login timeout.
        """
        owner = ClientStream(self, host, max(0.0, self.login_timeout - age))
        owner.stream = stream = make(owner, BEFORE_LOGIN, self.clock)
        return stream

    def close(self) -> None:
        """Close all streams, and the sessions that wait for a client: the server stops."""
        for session in list(self.resumable.values()):
            if session.away:
                session.close()
        for stream in list(self.open):
            stream.machine.refused("system-shutdown", "xmppd is shutting down")


def _xml_stream(owner: StreamOwner, limits: Limits, clock: IReactorTime) -> XmlStream:
    return XmlStream(owner, CLIENT, initiating=False, limits=limits, clock=clock)
