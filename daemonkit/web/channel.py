"""One HTTP connection: what it may cost is bounded, whoever its peer is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request as TwistedRequest

from daemonkit.tasks import cancel

if TYPE_CHECKING:
    from daemonkit.web.site import WebSite


#: Octets in the value of Content-Length.
_MAX_LENGTH_HEADER = 20


@dataclass(frozen=True)
class Limits:
    """What one connection may cost; those of a request's headers are the channel's own."""

    #: Seconds from the connection, TLS included, to the end of a request; and from one to the next.
    request_timeout: float = 10.0
    #: Bytes of a request's body.
    body: int = 4096
    #: Seconds that a connection may last, whatever it is for; None: as long as it likes.
    lifetime: float | None = None


class Request(TwistedRequest):
    """A request whose answer does not tell which software makes it, and cannot be misread."""

    def render(self, resrc: IResource) -> None:
        self.responseHeaders.removeHeader(b"server")
        self.setHeader(b"x-content-type-options", b"nosniff")
        super().render(resrc)


class Channel(HTTPChannel):
    """Holds a place of its site's door for ``host`` until it ends."""

    totalHeadersSize = 8192
    MAX_LENGTH = 8192
    maxHeaders = 64

    site: WebSite
    host: str
    transport: Any

    def __init__(self) -> None:
        super().__init__()
        self.has_place = True
        self._over = False
        self._last_call: IDelayedCall | None = None

    def stop(self) -> None:
        """Watch the time no more."""
        self.setTimeout(None)
        cancel(self._last_call)

    def leave(self) -> None:
        """Give the place back."""
        if self.has_place:
            self.has_place = False
            self.site.door.dismiss(self.host)

    # What Twisted calls

    def connectionMade(self) -> None:
        super().connectionMade()
        lifetime = self.site.limits.lifetime
        if lifetime is not None:
            # One request after the other is no way to keep a place, nor is not to read the answer.
            self._last_call = self.site.reactor.callLater(lifetime, self.timeoutConnection)

    def resetTimeout(self) -> None:
        """A byte now and then is no excuse: the time is for the whole request."""

    def timeoutConnection(self) -> None:
        self.stop()
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if not self._over:
            super().dataReceived(data)

    def rawDataReceived(self, data: bytes) -> None:
        if not self._over:
            super().rawDataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:
        said = f"The request line, or a header, has more than {self.MAX_LENGTH} bytes."
        self._refuse(b"431 Request Header Fields Too Large", said)

    def headerReceived(self, line: bytes) -> bool:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and len(value) > _MAX_LENGTH_HEADER:
            self._refuse_body()  # Python raises where a number is that long
            return False
        try:
            value.decode()
        except UnicodeDecodeError:  # ISO-8859-1 (RFC 9110 section 5.5), which Twisted cannot read
            line = name + b":" + value.decode("latin-1").encode()
        accepted: bool = super().headerReceived(line)
        return accepted

    def allHeadersReceived(self) -> None:
        if self.length is None:
            self._refuse(b"411 Length Required", "Say in Content-Length how long the body is.")
        elif self.length > self.site.limits.body:
            self._refuse_body()
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
            self.site.tls_failed(self.host, reason)
        self.leave()
        self.stop()
        super().connectionLost(reason)

    def loseConnection(self) -> None:
        if not self._over:  # what is still to come is not looked at
            self._over = True
            super().loseConnection()

    def _refuse_body(self) -> None:
        said = f"A body has at most {self.site.limits.body} bytes."
        self._refuse(b"413 Content Too Large", said)

    def _refuse(self, status: bytes, text: str) -> None:
        """Answer one sentence, and take nothing more."""
        body = text.encode() + b"\n"
        self.transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
            b"X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n%b"
            % (status, len(body), body)
        )
        self.loseConnection()
