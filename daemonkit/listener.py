"""A port: who is let in, by which protocol, and what happens where the port cannot be had."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.application.strports import service as listening_service
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from daemonkit import unusable
from daemonkit.networks import plain_address

#: Connections that the kernel holds until we accept them. Below 511, forty clients that connect
#: at once see some of their SYNs dropped and try again a second later.
BACKLOG = 1024

#: What to do about a port that this user may not have; ``{port}`` and ``{program}`` are filled in.
NOT_ALLOWED = "Choose one from 1024 on in {program}.ini."


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

    def __init__(
        self,
        program: str,
        description: str,
        services: Iterable[IService],
        not_allowed: str = NOT_ALLOWED,
    ) -> None:
        """``not_allowed``: as `NOT_ALLOWED`."""
        super().__init__()
        self._program = program
        self._description = description
        self._not_allowed = not_allowed
        for service in services:
            service.setServiceParent(self)

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except CannotListenError as error:
            program, where = self._program, f"cannot listen on {self._description}"
            if error.socketError.errno in (errno.EACCES, errno.EPERM):
                remedy = self._not_allowed.format(port=error.port, program=program)
                text = f"{where}: this user may not have port {error.port}. {remedy}"
                unusable.end(program, text)
            raise SystemExit(
                f"{program}: {where}: {error.socketError}. `ss -ltnp` says who has the port; "
                f"listen in {program}.ini says which ones {program} wants."
            ) from None


def listener(
    description: str,
    accept: Callable[[str], Any],
    reactor: Any,
    *,
    program: str,
    context: Any = None,
    around: Callable[[ServerFactory], ServerFactory] | None = None,
    places: Iterable[str] = (),
    not_allowed: str = NOT_ALLOWED,
) -> Listener:
    """Answer the service that listens on the endpoint ``description``, or, in its place, on the
    endpoints ``places``.

    ``accept`` answers the protocol for a connection from an address, or None. With ``context``
    (IOpenSSLServerConnectionCreator), TLS begins with the first byte. ``around`` puts something
    before the factory, TLS included. ``program``: the daemon's name.
    """
    factory: Any = Acceptor(accept)
    if context is not None:
        factory = TLSAcceptor(context, isClient=False, wrappedFactory=factory)
    if around is not None:
        factory = around(factory)
    return Listener(
        program,
        description,
        [
            listening_service(_with_backlog(one), factory, reactor)
            for one in places or (description,)
        ],
        not_allowed,
    )


def _with_backlog(endpoint: str) -> str:
    given = not endpoint.startswith("tcp") or ":backlog=" in endpoint
    return endpoint if given else f"{endpoint}:backlog={BACKLOG}"
