"""Connections to a web hook's server, for Twisted's HTTP client: checked, and bounded.

Twisted's client has no limit for what a server sends, nor for how long closing takes. Both are put
right in the layer below it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from bridgewire import tls
from bridgewire.certificates import check_host_name
from bridgewire.steps import StepFailure
from bridgewire.tls_sides import Side
from callbridged.backends.addresses import Addresses
from callbridged.backends.http.failures import TooMuch
from callbridged.backends.http.settings import HookSettings
from callbridged.links.connect import connect
from daemonkit.hosts import is_address

#: Bytes of one response, status line, headers and framing included.
MAX_RESPONSE = 16 * 1024


@implementer(IHandshakeListener)
class Wire(ProtocolWrapper):
    """One connection, between TLS and HTTP.

    ``ready`` fires once the server's certificate is known to name ``host``; at once where there is
    no TLS (``host`` None). It fails as the connection does.
    """

    def __init__(self, factory: WrappingFactory[Wire], http: IProtocol, host: str | None) -> None:
        super().__init__(factory, http)
        self.http = http
        self.ready: Deferred[None] = Deferred(lambda _: self.abortConnection())
        self._host = host
        self._received = 0
        self._fault: Exception | None = None

    def makeConnection(self, transport: Any) -> None:
        super().makeConnection(transport)
        if self._host is None:
            self.ready.callback(None)

    def handshakeCompleted(self) -> None:
        certificate = tls.peer_certificate(self.transport)
        assert certificate is not None  # noqa: S101  it was verified
        assert self._host is not None  # noqa: S101  there is TLS
        try:
            remedy = "correct the host in url"
            check_host_name(certificate, self._host, "The web hook's", remedy)
        except StepFailure as fault:
            self._fail(fault)
        else:
            self.ready.callback(None)

    def write(self, data: bytes) -> None:
        self._received = 0  # a request; what comes now is the response to it
        super().write(data)

    def writeSequence(self, data: list[bytes]) -> None:
        self._received = 0
        super().writeSequence(data)

    def dataReceived(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MAX_RESPONSE:
            self._fail(TooMuch())
        else:
            super().dataReceived(data)

    def loseConnection(self) -> None:
        # The HTTP client does this when all is said. A server that is frozen would never confirm
        # the end of TLS, and such connections would pile up.
        self.disconnecting = 1
        self.abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        if self._fault is not None:
            reason = Failure(self._fault)
        super().connectionLost(reason)
        if not self.ready.called:
            self.ready.errback(reason)

    def _fail(self, fault: Exception) -> None:
        if self._fault is None:
            self._fault = fault
            self.abortConnection()


class WireFactory(WrappingFactory[Wire]):
    """Makes wires around the protocols of Twisted's HTTP client."""

    noisy = False

    def __init__(self, factory: IProtocolFactory, host: str | None) -> None:
        super().__init__(factory)
        self._host = host

    def buildProtocol(self, addr: IAddress | None) -> Wire:
        return Wire(self, self.wrappedFactory.buildProtocol(addr), self._host)


class Dialer:
    """Connects to the server of one hook."""

    def __init__(
        self, reactor: Any, settings: HookSettings, addresses: Addresses, side: Side
    ) -> None:
        """``side``: the ends of a TLS connection in words. Raises CertificateFault."""
        self._reactor = reactor
        self._settings = settings
        self._addresses = addresses
        self._side = side
        self._tls = None
        host = settings.url.host
        if settings.url.scheme == "https":
            name = None if is_address(host) else host
            self._tls = tls.web_client(settings.identity, settings.authorities, name)

    async def dial(self, factory: IProtocolFactory, say: Callable[[str], None]) -> IProtocol:
        """Answer a protocol of ``factory`` that is connected to the right server.

        ``say`` is told what is waited for. Raises StepFailure.
        """
        url = self._settings.url
        say(f"the address of {url.host}")
        addresses = await self._addresses.find()
        say(f"the connection to {url.host} port {url.port}")
        wires = WireFactory(factory, url.host if self._tls else None)
        outer: IProtocolFactory = wires
        if self._tls is not None:
            outer = TLSMemoryBIOFactory(self._tls, True, wires, clock=self._reactor)
            outer.noisy = False
        made: Any = await connect(self._reactor, addresses, url.port, outer, self._settings.timeout)
        wire: Wire = made.wrappedProtocol if self._tls else made
        say("the TLS handshake")
        try:
            await wire.ready
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 - whatever a connection ends with gets words
            raise tls.failure(Failure(), self._side) from None
        say("its answer")
        return wire.http


@implementer(IStreamClientEndpoint, IAgentEndpointFactory)
class Endpoint:
    """Of one request. ``fresh``: it got a connection of its own, and not one that was kept."""

    def __init__(self, dialer: Dialer, say: Callable[[str], None]) -> None:
        self.fresh = False
        self._dialer = dialer
        self._say = say

    def endpointForURI(self, uri: URI) -> Endpoint:
        return self

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        self.fresh = True
        return Deferred.fromCoroutine(self._dialer.dial(protocolFactory, self._say))
