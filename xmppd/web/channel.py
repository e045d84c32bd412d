"""One HTTP connection: bounded before its peer is known, and then a WebSocket's or gone."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IDelayedCall, IProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request as TwistedRequest

from bridgewire import tls
from xmppd.clients.connected import Clients
from xmppd.events import CLIENT_TLS_FAILED

#: Seconds from the connection, TLS included, to the end of a request; and from one to the next.
REQUEST_TIMEOUT = 10.0
#: Bytes of a request's body.
MAX_BODY = 4096


class Request(TwistedRequest):
    """A request whose answer does not tell which software makes it, and cannot be misread."""

    def render(self, resrc: IResource) -> None:
        self.responseHeaders.removeHeader(b"server")
        self.setHeader(b"x-content-type-options", b"nosniff")
        super().render(resrc)


class Channel(HTTPChannel):
    """Holds a place of ``clients`` for ``host`` until it hands its connection over, or ends."""

    totalHeadersSize = 8192
    MAX_LENGTH = 8192
    maxHeaders = 64

    log = Logger()
    clients: Clients
    host: str
    transport: Any

    def __init__(self) -> None:
        super().__init__()
        self._has_place = True
        self._refused = False
        self._successor: IProtocol | None = None
        self._since = 0.0
        self._last_call: IDelayedCall | None = None

    @property
    def age(self) -> float:
        """How many seconds ago it was connected."""
        return self.clients.clock.seconds() - self._since

    def move_place(self, host: str) -> bool:
        """Count this connection as one from ``host``, for which a proxy has made it."""
        if host == self.host:
            return True
        self._leave_place()
        self._has_place = self.clients.admit(host)
        self.host = host
        return self._has_place

    def hand_over(self, protocol: IProtocol, first: bytes) -> None:
        """Send ``first``, and let ``protocol`` have the connection, and the place, from now on."""
        self._has_place = False
        self._successor = protocol
        self._stop()
        self.transport.unregisterProducer()
        self.transport.write(first)
        # This channel, its request and all they hold are garbage from now on.
        self.transport.wrappedProtocol = protocol
        protocol.makeConnection(self.transport)

    def _stop(self) -> None:
        self.setTimeout(None)
        if self._last_call is not None and self._last_call.active():
            self._last_call.cancel()

    # What Twisted calls

    def connectionMade(self) -> None:
        super().connectionMade()
        clock = self.clients.clock
        self._since = clock.seconds()
        # One request after the other is no way to keep a place, nor is not to read the answer.
        self._last_call = clock.callLater(self.clients.login_timeout, self.timeoutConnection)

    def resetTimeout(self) -> None:
        """A byte now and then is no excuse: the time is for the whole request."""

    def timeoutConnection(self) -> None:
        self._stop()
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if not self._refused:
            super().dataReceived(data)

    def rawDataReceived(self, data: bytes) -> None:
        if self._successor is not None:  # it came in one piece with the request
            self._successor.dataReceived(data)
        elif not self._refused:
            super().rawDataReceived(data)

    def allHeadersReceived(self) -> None:
        if self.length is None:
            self._refuse(b"411 Length Required")
        elif self.length > MAX_BODY:
            self._refuse(b"413 Content Too Large")
        else:
            super().allHeadersReceived()

    def requestDone(self, request: TwistedRequest) -> None:
        # No browser asks again before it is answered. Who does could have us keep one answer after
        # the other without reading any.
        if self.clearLineBuffer() or any(self._dataBuffer):
            self._dataBuffer.clear()
            self.persistent = 0
        super().requestDone(request)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if reason.check(SSL.Error):
            failure = tls.failure(reason, tls.CLIENT_PORT)
            self.log.warn(CLIENT_TLS_FAILED, peer=self.host, **failure.log_fields())
        self._leave_place()
        self._stop()
        super().connectionLost(reason)

    def _refuse(self, status: bytes) -> None:
        self._refused = True
        self.transport.write(
            b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        self.loseConnection()

    def _leave_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self.clients.dismiss(self.host)
