"""Which parts make up the daemon, and how they are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.words.xish.domish import Element

from bridgewire import tls
from bridgewire.identity import Identity
from daemonkit.activation import passed, share
from daemonkit.control import ControlService
from daemonkit.credentials import in_words
from daemonkit.logging.events import WARNING
from daemonkit.logging.log import Log
from daemonkit.logging.service import LoggedService
from daemonkit.metrics.lag import ReactorLag
from daemonkit.metrics.pages import make_site as make_metrics_site
from daemonkit.notify import notify
from daemonkit.places import Places
from daemonkit.pulse import Pulse
from daemonkit.reload import Reload
from daemonkit.web.site import WebSite
from xmppd.clients.connected import Clients
from xmppd.components.admission import Admission, Refused
from xmppd.components.connected import Components
from xmppd.components.registry import Registry
from xmppd.components.rotation import secret_used
from xmppd.config import Config
from xmppd.config_client import ClientPort
from xmppd.control import commands
from xmppd.domain import Domain, load_contexts
from xmppd.ending import end_for_callbridge
from xmppd.events import READY
from xmppd.failed_logins import FailedLogins
from xmppd.listeners import listener, unused_listener
from xmppd.logins import Logins
from xmppd.metrics import PREFIX, make_metrics, not_ready
from xmppd.proxies import AnnouncingProxies, TrustedProxies
from xmppd.queries import ServerQueries
from xmppd.reload import apply, read, times, unlimited_networks
from xmppd.router import Domains, Router
from xmppd.sessions import Sessions
from xmppd.web.site import XmppSite, make_site


class Server:
    """The parts of a running server, without its listeners."""

    def __init__(self, reactor: Any, config: Config) -> None:
        """Raises CertificateFault for certificates that cannot be used."""
        self.config = config
        contexts = load_contexts(config)
        self.domains = {
            name: Domain(
                name,
                Logins(reactor, config.login.deadline, config.login.max_waiting),
                contexts[name],
            )
            for name in contexts
        }
        # A connection begins with the first domain's context, and gets another's by SNI.
        self.tls = next(iter(contexts.values()))
        #: What the metrics port shows; None: there is none, or it is without TLS.
        self.metrics_tls = tls.web_server(config.metrics.certificate, config.metrics.private_key)
        #: What `[client] websocket_listen` listens for, where there is such a port.
        self.site: XmppSite | None = None
        self.registry = Registry(config.xmppd.state_directory, config.xmppd.domain)
        self.admission = Admission(list(contexts), self.registry)
        self.sessions = Sessions(config.session.max_sessions_per_user)
        self.routing = Domains()
        self.components = Components(
            reactor,
            self.admission,
            times(config),
            route=self.routing.route,
            changed=lambda domain, bridge: self.domains[domain].logins.update(bridge),
            end_sessions=lambda domain, order: end_for_callbridge(self.sessions, domain, order),
            secret_used=partial(secret_used, self.registry),
        )
        self.queries: dict[str, ServerQueries] = {}
        for name in contexts:
            self.routing.routers[name] = self._router(name)
        client = config.client
        limits = config.limits
        unlimited = unlimited_networks(config)
        self.failed_logins = FailedLogins(reactor, config.failed_logins, unlimited)
        self.clients = Clients(
            clock=reactor,
            domains=self.domains,
            login_timeout=client.login_timeout,
            sessions=self.sessions,
            route=self.routing.route,
            tls_context=lambda domain: contexts[domain.name].client,
            failed_logins=self.failed_logins,
            resumption_timeout=config.session.resumption_timeout,
            connections=Places(
                limits.max_connections, limits.max_connections_per_address, unlimited
            ),
            unauthenticated=Places(
                limits.max_not_logged_in, limits.max_not_logged_in_per_address, unlimited
            ),
        )

    def _router(self, domain: str) -> Router:
        router = Router(
            domain,
            self.sessions,
            component=self.components.registered.get,
            known=lambda name: self._may_register(domain, name),
        )
        router.server = self.queries[domain] = ServerQueries(
            Answers(router),
            components=lambda: self.components.of(domain),
            sessions=self.sessions,
            external=self.config.external_services[domain],
        )
        return router

    @property
    def identities(self) -> list[Identity]:
        """The certificates that are shown, with their keys."""
        contexts = [one.contexts.link for one in self.domains.values() if one.contexts]
        shown = contexts if self.metrics_tls is None else [*contexts, self.metrics_tls]
        return [one.identity for one in shown]

    def status_line(self) -> str:
        """Answer what ``systemctl status`` shows."""
        bridges = ", ".join(sorted(self.components.registered)) or "no Call Bridge"
        return f"{bridges} connected; sessions: {len(self.sessions)}"

    def _may_register(self, domain: str, name: str) -> bool:
        try:
            return self.admission.known(domain, name)
        except Refused:  # the registry cannot be read: its link will say so; nobody knows till then
            return True


class Answers:
    """What the server itself says in a domain (`bridgewire.queries.Outlet`)."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def send(self, element: Element) -> None:
        """Send one stanza."""
        self._router.route(element)


class Goodbye(Service):
    """Starts last and stops first: tells systemd, and closes the streams before the listeners."""

    log = Logger()

    def __init__(self, server: Server, reactor: Any) -> None:
        self._server = server
        self._reactor = reactor

    def startService(self) -> None:
        super().startService()
        config = self._server.config
        warnings = [warning for one in self._server.identities for warning in one.warnings]
        for warning in dict.fromkeys((*config.warnings, *warnings)):
            self.log.warn(WARNING, text=in_words(warning))
        names = [domain.name for domain in config.domains]
        self.log.info(
            READY,
            served=f"domain{'s' if len(names) > 1 else ''} {', '.join(names)}",
            components=", ".join(config.component.listen),
            clients=", ".join(
                (
                    *config.client.listen,
                    *config.client.direct_tls_listen,
                    *(f"{one} (WebSocket)" for one in config.client.websocket_listen),
                )
            ),
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


def _ports(server: Server, reactor: Any, metrics: WebSite) -> Iterator[IService]:
    config = server.config
    client = config.client
    listening, unused = share(config.endpoints, passed())

    def port(endpoint: str, accept: Callable[[str], Any], **more: Any) -> IService:
        return listener(endpoint, accept, reactor, places=listening[endpoint], **more)

    def proxies(port: ClientPort) -> AnnouncingProxies:
        return AnnouncingProxies(lambda: server.config.client, port)

    for endpoint in server.config.component.listen:
        yield port(endpoint, server.components.accept, context=server.tls.link)
    accept = server.clients.accept
    for endpoint in client.listen:
        yield port(endpoint, accept, proxies=proxies("listen"))
    for endpoint in client.direct_tls_listen:
        yield port(
            endpoint, accept, context=server.tls.client, proxies=proxies("direct_tls_listen")
        )
    if client.websocket_listen:
        trusted, hostname = TrustedProxies(client.trusted_proxies), server.config.xmppd.hostname
        server.site = site = make_site(server.clients, trusted, client, hostname)
        for endpoint in client.websocket_listen:
            yield port(
                endpoint,
                site.accept,
                context=server.tls.websocket,
                proxies=proxies("websocket_listen"),
            )
    for endpoint in config.metrics.listen:
        yield port(endpoint, metrics.accept, context=server.metrics_tls)
    for one in unused:
        yield unused_listener(one, reactor)


def make_service(
    reactor: Any, config: Config, load: Callable[[], Config], log: Log | None = None
) -> MultiService:
    """Answer the daemon as one service. ``load`` reads the configuration again.

    ``log`` None: it is none of ours.

    Raises:
        CertificateFault: for certificates that cannot be used.
    """
    server = Server(reactor, config)
    daemon = LoggedService(log)
    reload = Reload(
        reactor,
        partial(deferToThreadPool, reactor, reactor.getThreadPool()),
        lambda: read(load, server, log),
        lambda fresh: apply(fresh, server),
    )
    reload.setServiceParent(daemon)
    goodbye = Goodbye(server, reactor)
    registry = make_metrics(reactor, server, reload)
    site = make_metrics_site(reactor, registry, lambda: not_ready(server, bool(goodbye.running)))
    ReactorLag(reactor, PREFIX, registry).setServiceParent(daemon)
    for port in _ports(server, reactor, site):
        port.setServiceParent(daemon)
    ControlService(reactor, config.xmppd.control_socket, commands(server, reload)).setServiceParent(
        daemon
    )
    Pulse(reactor, lambda: server.status_line() + reload.warning).setServiceParent(daemon)
    goodbye.setServiceParent(daemon)
    return daemon
