"""An HTTP connection of the WebSocket port, which may become a WebSocket's."""

from __future__ import annotations

from twisted.internet.interfaces import IProtocol

from daemonkit.web.channel import Channel


class UpgradableChannel(Channel):
    """Can hand its connection over, with the place that it holds."""

    def __init__(self) -> None:
        super().__init__()
        self._successor: IProtocol | None = None
        self._since = 0.0

    @property
    def age(self) -> float:
        """How many seconds ago it was connected."""
        return self.site.reactor.seconds() - self._since

    def move_place(self, host: str) -> bool:
        """Count this connection as one from ``host``, for which a proxy has made it."""
        if host == self.host:
            return True
        self.leave()
        self.has_place = self.site.door.admit(host)
        self.host = host
        return self.has_place

    def hand_over(self, protocol: IProtocol, first: bytes) -> None:
        """Send ``first``, and let ``protocol`` have the connection, and the place, from now on."""
        self.has_place = False
        self._successor = protocol
        self.stop()
        self.transport.unregisterProducer()
        self.transport.write(first)
        # This channel, its request and all they hold are garbage from now on.
        self.transport.wrappedProtocol = protocol
        protocol.makeConnection(self.transport)

    # What Twisted calls

    def connectionMade(self) -> None:
        super().connectionMade()
        self._since = self.site.reactor.seconds()

    def rawDataReceived(self, data: bytes) -> None:
        if self._successor is not None:  # it came in one piece with the request
            self._successor.dataReceived(data)
        else:
            super().rawDataReceived(data)
