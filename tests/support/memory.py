"""XML streams in memory: a peer that tests type for, over Twisted's string transport."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from bridgewire.stream import XmlStream

STREAMS = "http://etherx.jabber.org/streams"


class MemoryTransport(StringTransport):
    """Remembers what was done to it; a lost connection is told when the test says so."""

    aborted = False
    tls: Any = None

    def __init__(self) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.7", 40000))

    def abortConnection(self) -> None:
        self.aborted = True
        self.disconnecting = True

    def startTLS(self, context: Any, normal: bool = True) -> None:
        self.tls = context


class Peer:
    """The other end of a server's stream."""

    def __init__(self, stream: XmlStream, namespace: str) -> None:
        self.stream = stream
        self.namespace = namespace
        self.transport = MemoryTransport()
        stream.makeConnection(self.transport)

    def type(self, text: str) -> str:
        """Send ``text`` and answer what came back for it."""
        self.stream.dataReceived(text.encode())
        return self.read()

    def read(self) -> str:
        """Answer what came since the last time."""
        text = self.transport.value().decode()
        self.transport.clear()
        return text

    def open(self, to: str | None, **attributes: str) -> str:
        """Send a stream header."""
        if to is not None:
            attributes["to"] = to
        shown = "".join(f" {name}='{value}'" for name, value in attributes.items())
        return self.type(
            f"<?xml version='1.0'?><stream:stream xmlns='{self.namespace}' "
            f"xmlns:stream='{STREAMS}'{shown}>"
        )

    @property
    def hung_up(self) -> bool:
        """True once the server wants to be rid of us."""
        return self.transport.disconnecting

    def lose(self) -> None:
        """Drop the connection."""
        self.stream.connectionLost(Failure(ConnectionDone()))
