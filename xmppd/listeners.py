"""The ports: who is let in, by which protocol, and what happens where a port cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.application.strports import service as listening_service
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import ServerFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from xmppd.networks import plain_address
from xmppd.proxy_protocol import ProxiedFactory

#: Connections that the kernel holds until we accept them. Below 511, forty clients that connect
#: at once see some of their SYNs dropped and try again a second later.
BACKLOG = 1024


class Acceptor(ServerFactory):
    """Makes a protocol for each connection that is let in."""

    noisy = False

    def __init__(self, accept: Callable[[str], IProtocol | None]) -> None:
        self._accept = accept

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self._accept(plain_address(getattr(addr, "host", "")))


class TLSAcceptor(TLSMemoryBIOFactory):
    """The same with TLS from the first byte. Twisted's own wraps even what is not let in."""

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Any:
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)


class Listener(MultiService):
    """A port. Where it cannot be had the daemon ends, and says which one and why."""

    def __init__(self, description: str, service: IService) -> None:
        super().__init__()
        self._description = description
        service.setServiceParent(self)

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except CannotListenError as error:
            raise SystemExit(
                f"xmppd: cannot listen on {self._description}: {error.socketError}. `ss -ltnp` "
                "says who has the port; listen in xmppd.ini says which ones xmppd wants."
            ) from None


def listener(
    description: str,
    accept: Callable[[str], Any],
    reactor: Any,
    *,
    context: Any = None,
    proxies: Container[str] | None = None,
) -> Listener:
    """Answer the service that listens on the endpoint ``description``.

    ``accept`` answers the protocol for a connection from an address, or None. With ``context``,
    TLS begins with the first byte. Connections from ``proxies`` begin with a PROXY header.
    """
    wanted = description
    factory: Any = Acceptor(accept)
    if context is not None:
        factory = TLSAcceptor(context, isClient=False, wrappedFactory=factory)
    if proxies is not None:
        factory = ProxiedFactory(factory, proxies, wanted, reactor)
    if description.startswith("tcp") and ":backlog=" not in description:
        description += f":backlog={BACKLOG}"
    return Listener(wanted, listening_service(description, factory, reactor))
