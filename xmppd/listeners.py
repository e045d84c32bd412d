"""The ports: who is let in, by which protocol, and what happens where a port cannot be had."""

from __future__ import annotations

import errno
from collections.abc import Callable, Container, Iterable
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.application.strports import service as listening_service
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from daemonkit import unusable
from daemonkit.activation import Passed
from daemonkit.logging.events import WARNING
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

    log = Logger()

    def __init__(self, description: str, services: Iterable[IService]) -> None:
        super().__init__()
        self._description = description
        for service in services:
            service.setServiceParent(self)

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except CannotListenError as error:
            if error.socketError.errno in (errno.EACCES, errno.EPERM):
                unusable.end("xmppd", _NOT_ALLOWED.format(self._description, error.port))
            raise SystemExit(
                f"xmppd: cannot listen on {self._description}: {error.socketError}. `ss -ltnp` "
                "says who has the port; listen in xmppd.ini says which ones xmppd wants."
            ) from None


_NOT_ALLOWED = (
    "cannot listen on {0}: this user may not have port {1}. systemd can open it: run `systemctl "
    "edit xmppd.socket`, write ListenStream={1} below [Socket], and run `systemctl restart "
    "xmppd.socket xmppd`."
)
_UNUSED = (
    "systemd listens on {0} for xmppd, and no listen setting in xmppd.ini is about it: whoever "
    "connects there is hung up on. Add a setting, or take it out of xmppd.socket (systemctl edit)."
)


def unused_listener(socket: Passed, reactor: Any) -> Listener:
    """Answer what hangs up on who connects to a socket of systemd's that no setting is about.

    Else they would wait for ever: systemd goes on listening, whether or not we accept anybody.
    """
    found = listener(str(socket), lambda _: None, reactor, places=[socket.endpoint])
    found.log.warn(WARNING, text=_UNUSED.format(socket))
    return found


def listener(
    description: str,
    accept: Callable[[str], Any],
    reactor: Any,
    *,
    context: Any = None,
    proxies: Container[str] | None = None,
    places: Iterable[str] = (),
) -> Listener:
    """Answer the service that listens on the endpoint ``description``, or, in its place, on the
    endpoints ``places``.

    ``accept`` answers the protocol for a connection from an address, or None. With ``context``,
    TLS begins with the first byte. Connections from ``proxies`` begin with a PROXY header.
    """
    factory: Any = Acceptor(accept)
    if context is not None:
        factory = TLSAcceptor(context, isClient=False, wrappedFactory=factory)
    if proxies is not None:
        factory = ProxiedFactory(factory, proxies, description, reactor)
    return Listener(
        description,
        [
            listening_service(_with_backlog(one), factory, reactor)
            for one in places or (description,)
        ],
    )


def _with_backlog(endpoint: str) -> str:
    given = not endpoint.startswith("tcp") or ":backlog=" in endpoint
    return endpoint if given else f"{endpoint}:backlog={BACKLOG}"
