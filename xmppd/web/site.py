"""The pages of the WebSocket port, and the HTTP connections that they are asked for by."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from bridgewire import tls
from daemonkit.hosts import parse_name
from daemonkit.web.channel import Limits
from daemonkit.web.pages import Page
from daemonkit.web.site import WebSite
from xmppd.clients.connected import Clients
from xmppd.config_client import Client
from xmppd.events import CLIENT_TLS_FAILED
from xmppd.proxies import TrustedProxies
from xmppd.web.channel import UpgradableChannel
from xmppd.web.host_meta import HostMeta
from xmppd.web.sign_in import add_sign_in_page, page_origins
from xmppd.web.upgrade import XmppWebSocket
from xmppd.web.urls import PATH, default_origins, default_websocket_url

log = Logger()


class XmppSite(WebSite):
    """The pages for ``clients``, whose places its connections take."""

    protocol = UpgradableChannel

    def __init__(self, root: IResource, clients: Clients) -> None:
        limits = Limits(lifetime=clients.login_timeout)
        super().__init__(root, clients.clock, clients, limits, _tls_failed)
        self._clients = clients

    def reconfigure(self, proxies: TrustedProxies, client: Client, hostname: str) -> None:
        """Serve what ``client`` says from now on; who is connected stays."""
        self.limits = Limits(lifetime=client.login_timeout)
        self.resource = make_root(self._clients, proxies, client, hostname)


def _tls_failed(host: str, reason: Failure) -> None:
    failure = tls.failure(reason, tls.CLIENT_PORT)
    log.warn(CLIENT_TLS_FAILED, peer=host, **failure.log_fields())


def make_root(clients: Clients, proxies: TrustedProxies, client: Client, hostname: str) -> Page:
    """Answer the pages: ``/xmpp-websocket``, host-meta in both forms, the sign-in page."""
    domains = list(clients.domains)
    origins = set(client.websocket_origins or default_origins(domains, hostname))
    url = client.websocket_url or default_websocket_url(hostname, client.websocket_listen[0]) or ""
    root, well_known = Page(), Page()
    if client.sign_in_page:
        urls = [url.replace("{domain}", parse_name(domain)) for domain in domains]
        origins |= page_origins((*domains, hostname), client.websocket_listen, urls)
        add_sign_in_page(root, url, domains)
    root.putChild(PATH.lstrip("/").encode(), XmppWebSocket(clients, origins, proxies))
    root.putChild(b".well-known", well_known)
    well_known.putChild(b"host-meta", HostMeta(url, domains, as_json=False))
    well_known.putChild(b"host-meta.json", HostMeta(url, domains, as_json=True))
    return root


def make_site(clients: Clients, proxies: TrustedProxies, client: Client, hostname: str) -> XmppSite:
    """Answer what ``[client] websocket_listen`` listens for."""
    return XmppSite(make_root(clients, proxies, client, hostname), clients)
