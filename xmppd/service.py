"""Which parts make up the daemon, and how they are joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.application.strports import service as listening_service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.words.xish.domish import Element

from bridgewire import tls
from bridgewire.identity import load_authorities, load_identity
from daemonkit.control import ControlService
from daemonkit.notify import notify
from xmppd.clients.connected import Clients
from xmppd.components.admission import Admission
from xmppd.components.connected import Components
from xmppd.components.registry import Registry, RegistryFault
from xmppd.components.stream import Times
from xmppd.config import Config
from xmppd.control import commands
from xmppd.domain import Domain
from xmppd.login import Logins
from xmppd.queries import ServerQueries
from xmppd.router import Router
from xmppd.sessions import Sessions

#: Connections that the kernel holds until we accept them. Below 511, forty clients that connect
#: at once see some of their SYNs dropped and try again a second later.
BACKLOG = 1024


class Server:
    """The parts of a running server, without its listeners."""

    def __init__(self, reactor: Any, config: Config) -> None:
        """Raises CertificateFault for certificates that cannot be used."""
        self.config = config
        self.identity = load_identity(config.tls.certificate, config.tls.private_key)
        self.link_tls = tls.link_server(
            self.identity,
            load_authorities(config.tls.callbridge_ca),
            config.tls.callbridge_certificate,
        )
        self.client_tls = tls.client_server(self.identity)
        self.registry = Registry(config.xmppd.state_directory)
        self.sessions = Sessions()
        self.logins = Logins(reactor, config.login.deadline, config.login.max_waiting)
        domain = config.xmppd.domain
        self.components = Components(
            reactor,
            Admission(domain, self.registry.secret),
            Times(
                registration_timeout=config.component.registration_timeout,
                ping_interval=config.component.ping_interval,
                ping_timeout=config.component.ping_timeout,
            ),
            route=self.route,
            changed=self.logins.update,
        )
        self.router = Router(
            domain,
            self.sessions,
            component=self.components.registered.get,
            known=self._may_register,
        )
        self.router.server = ServerQueries(self, self._component_addresses)
        self.clients = Clients(
            clock=reactor,
            domains={domain: Domain(domain, self.logins)},
            login_timeout=config.client.login_timeout,
            sessions=self.sessions,
            route=self.route,
            tls_context=lambda _: self.client_tls,
        )

    def route(self, stanza: Element) -> None:
        """Deliver a stanza whose sender was checked."""
        self.router.route(stanza)

    def send(self, element: Element) -> None:
        """Send what the server itself says (`bridgewire.queries.Outlet`)."""
        self.router.route(element)

    def _may_register(self, name: str) -> bool:
        try:
            return self.registry.secret(name) is not None
        except RegistryFault:  # its link will say so; until then nobody knows
            return True

    def _component_addresses(self) -> list[str]:
        return [stream.host for stream in self.components.registered.values()]


class _Acceptor(ServerFactory):
    """Makes a protocol for each connection that is let in."""

    noisy = False

    def __init__(self, accept: Callable[[str], IProtocol | None]) -> None:
        self._accept = accept

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self._accept(getattr(addr, "host", ""))


class _TLSAcceptor(TLSMemoryBIOFactory):
    """The same with TLS from the first byte. Twisted's own wraps even what is not let in."""

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Any:
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)


class Goodbye(Service):
    """Starts last and stops first: tells systemd, and closes the streams before the listeners."""

    log = Logger()

    def __init__(self, server: Server, reactor: Any) -> None:
        self._server = server
        self._reactor = reactor

    def startService(self) -> None:
        super().startService()
        config = self._server.config
        for warning in (*config.warnings, *self._server.identity.warnings):
            self.log.warn("{warning}", warning=warning)
        self.log.info(
            "ready: XMPP domain {domain}, components on {components}, clients on {clients}",
            domain=config.xmppd.domain,
            components=", ".join(config.component.listen),
            clients=", ".join((*config.client.listen, *config.client.direct_tls_listen)),
        )
        notify("READY=1")

    async def _wait_until_closed(self) -> None:
        server = self._server
        for _ in range(60):  # at most six seconds: a stream that does not close is cut after five
            if not server.clients.open and not server.components.open:
                return
            pause: Deferred[None] = Deferred()
            self._reactor.callLater(0.1, pause.callback, None)
            await pause

    def stopService(self) -> Deferred[None]:
        super().stopService()
        notify("STOPPING=1")
        self._server.clients.close()
        self._server.components.close()
        return Deferred.fromCoroutine(self._wait_until_closed())


class _Listener(MultiService):
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


def _listen(
    description: str, accept: Callable[[str], Any], reactor: Any, context: Any = None
) -> Any:
    wanted = description
    factory: Any = _Acceptor(accept)
    if context is not None:
        factory = _TLSAcceptor(context, isClient=False, wrappedFactory=factory)
    if description.startswith("tcp") and ":backlog=" not in description:
        description += f":backlog={BACKLOG}"
    return _Listener(wanted, listening_service(description, factory, reactor))


def make_service(reactor: Any, config: Config) -> MultiService:
    """Answer the daemon as one service. Raises CertificateFault."""
    server = Server(reactor, config)
    daemon = MultiService()
    for description in config.component.listen:
        accept = server.components.accept
        _listen(description, accept, reactor, server.link_tls).setServiceParent(daemon)
    for description in config.client.listen:
        _listen(description, server.clients.accept, reactor).setServiceParent(daemon)
    for description in config.client.direct_tls_listen:
        accept_client = server.clients.accept
        _listen(description, accept_client, reactor, server.client_tls).setServiceParent(daemon)
    ControlService(reactor, config.xmppd.control_socket, commands(server)).setServiceParent(daemon)
    Goodbye(server, reactor).setServiceParent(daemon)
    return daemon
