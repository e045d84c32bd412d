"""The PROXY protocol, versions 1 and 2: a proxy's connection begins with who its client is.

https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container
from typing import Any

from proxyprotocol import ProxyProtocolIncompleteError
from proxyprotocol.detect import ProxyProtocolDetect
from proxyprotocol.result import ProxyResultIPv4, ProxyResultIPv6
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from daemonkit.tasks import cancel
from xmppd.events import PROXY_HEADER_MISSING

#: Bytes. The addresses of version 2 need 52; the rest is for what a proxy may add.
MAX_HEADER = 2048
#: Seconds from the connection to the end of the header. Proxies send it at once.
HEADER_TIMEOUT = 5.0

_PARSER = ProxyProtocolDetect()


class HeaderFault(Exception):
    """What came is no PROXY header."""


class Header:
    """Reads one header, however it is cut."""

    def __init__(self) -> None:
        self._buffer = b""
        self._wanted = 0

    def feed(self, data: bytes) -> tuple[IAddress | None, bytes] | None:
        """Answer the client's address and what follows the header, once all of the header is here.

        The address is None where the proxy speaks for itself (its health checks), or does not
        know. Raises HeaderFault.
        """
        self._buffer += data
        while len(self._buffer) >= self._wanted:
            try:
                result = _PARSER.unpack(self._buffer[: self._wanted])
            except ProxyProtocolIncompleteError as more:
                self._wanted = self._next(more.want_read.want_bytes)
            except (ValueError, struct.error) as error:
                raise HeaderFault(str(error) or "bad checksum") from None
            else:
                rest = self._buffer[self._wanted :]
                if isinstance(result, ProxyResultIPv4):
                    return IPv4Address("TCP", str(result.source[0]), result.source[1]), rest
                if isinstance(result, ProxyResultIPv6):
                    return IPv6Address("TCP", str(result.source[0]), result.source[1]), rest
                return None, rest
        return None

    def _next(self, more: int | None) -> int:
        """How many bytes to have before it is worth another try: ``more``, or a whole line."""
        if more is None:
            wanted = self._buffer.find(b"\n") + 1 or len(self._buffer) + 1
        else:
            wanted = self._wanted + more
        if wanted > MAX_HEADER:
            raise HeaderFault("too long")
        return wanted


class ProxiedFactory(ServerFactory):
    """Before ``factory`` gets a trusted proxy's connection, reads the header from it.

    Connections from elsewhere go straight to ``factory``: what they say is never taken for a
    header. ``port`` is for the log.
    """

    noisy = False

    def __init__(
        self,
        factory: Factory,
        proxies: Container[str],
        port: str,
        clock: IReactorTime,
    ) -> None:
        self.factory = factory
        self.port = port
        self.clock = clock
        self._proxies = proxies

    def doStart(self) -> None:
        super().doStart()
        self.factory.doStart()

    def doStop(self) -> None:
        self.factory.doStop()
        super().doStop()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if getattr(addr, "host", "") in self._proxies:
            return _HeaderReader(self, addr)
        return self.factory.buildProtocol(addr)


class _HeaderReader(Protocol):
    """Has a connection until its header is read, and then leaves it to the next protocol."""

    log = Logger()
    factory: ProxiedFactory
    transport: Any

    def __init__(self, factory: ProxiedFactory, proxy: IAddress | None) -> None:
        self.factory = factory
        self._proxy = proxy
        self._header = Header()
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        late: Callable[[str], None] = self._refuse
        self._timer = self.factory.clock.callLater(HEADER_TIMEOUT, late, "it is silent")

    def dataReceived(self, data: bytes) -> None:
        try:
            found = self._header.feed(data)
        except HeaderFault as fault:
            self._refuse(str(fault))
            return
        if found is None:
            return
        self._stop_timer()
        client, rest = found
        protocol = self.factory.factory.buildProtocol(client or self._proxy)
        if protocol is None:
            self.transport.abortConnection()
            return
        # As `startTLS` does it. A wrapper would cost memory for as long as the client stays.
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        if rest:
            protocol.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_timer()

    def _refuse(self, text: str) -> None:
        self._stop_timer()
        peer = getattr(self._proxy, "host", "")
        self.log.warn(PROXY_HEADER_MISSING, peer=peer, port=self.factory.port, text=text)
        self.transport.abortConnection()

    def _stop_timer(self) -> None:
        cancel(self._timer)
        self._timer = None
