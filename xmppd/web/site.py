"""The pages of the WebSocket port, and the HTTP connections that they are asked for by."""

from __future__ import annotations

from typing import Any

from twisted.web.resource import IResource
from twisted.web.server import Site

from daemonkit.hosts import parse_name
from xmppd.clients.connected import Clients
from xmppd.config import Client
from xmppd.proxies import TrustedProxies
from xmppd.web.channel import REQUEST_TIMEOUT, Channel, Request
from xmppd.web.host_meta import HostMeta
from xmppd.web.pages import Page
from xmppd.web.sign_in import add_sign_in_page, page_origins
from xmppd.web.upgrade import XmppWebSocket
from xmppd.web.urls import PATH, default_origins, default_websocket_url


class WebSite(Site):
    """HTTP/1.1, without a log of requests: what matters about them is logged by the pages."""

    protocol = Channel  # type: ignore[assignment]  # Twisted's also knows HTTP/2
    requestFactory = Request
    noisy = False

    def __init__(self, root: IResource, clients: Clients) -> None:
        super().__init__(root, reactor=clients.clock, timeout=REQUEST_TIMEOUT)
        self._clients = clients

    def accept(self, host: str) -> Channel | None:
        """Answer the protocol for a connection from ``host``; None when too many must log in."""
        if not self._clients.admit(host):
            return None
        channel: Any = self.buildProtocol(None)
        assert isinstance(channel, Channel)  # noqa: S101  for mypy: it is `protocol`
        channel.clients = self._clients
        channel.host = host
        return channel

    def reconfigure(self, proxies: TrustedProxies, client: Client, hostname: str) -> None:
        """Serve what ``client`` says from now on; who is connected stays."""
        self.resource = make_root(self._clients, proxies, client, hostname)

    def log(self, request: Any) -> None:
        pass


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


def make_site(clients: Clients, proxies: TrustedProxies, client: Client, hostname: str) -> WebSite:
    """Answer what ``[client] websocket_listen`` listens for."""
    return WebSite(make_root(clients, proxies, client, hostname), clients)
