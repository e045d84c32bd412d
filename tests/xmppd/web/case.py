"""A server in memory with a WebSocket port, and browsers for it."""

from __future__ import annotations

from ipaddress import ip_network

from tests.support.websocket import Browser
from tests.xmppd.client_case import AUTH, BIND, ClientCase
from xmppd.config_client import Client
from xmppd.proxies import TrustedProxies
from xmppd.web.site import XmppSite, make_site

PROXY = "198.51.100.1"


class WebCase(ClientCase):
    """`ClientCase`, reached by WebSocket; ``settings`` of ``[client]`` for one test class."""

    origins: tuple[str, ...] = ()
    url = ""
    page = False

    def setUp(self) -> None:
        super().setUp()
        self.site = make(self)

    def browser(self, host: str = "192.0.2.7") -> Browser:
        channel = self.site.accept(host)
        assert channel is not None
        return Browser(channel)

    def upgraded(self) -> Browser:
        browser = self.browser()
        self.assertIn(b"101 Switching", browser.upgrade())
        return browser

    def opened(self) -> Browser:
        browser = self.upgraded()
        self.opening = browser.open()
        return browser

    def logged_in(self) -> Browser:
        """A browser whose resource is bound."""
        browser = self.opened()
        browser.say(AUTH)
        self.bridge.reply("success", "alice")
        browser.hear()
        browser.open()
        browser.say(BIND.replace("<iq", "<iq xmlns='jabber:client'").format(""))
        return browser

    @property
    def places(self) -> int:
        """How many connections count as not logged in."""
        return len(self.clients.unauthenticated)


def make(case: WebCase) -> XmppSite:
    """Answer the site for the clients, and with the settings, of ``case``."""
    client = Client(
        listen=(),
        direct_tls_listen=(),
        websocket_listen=("tcp:5443",),
        login_timeout=30.0,
        websocket_origins=case.origins,
        websocket_url=case.url,
        sign_in_page=case.page,
    )
    proxies = TrustedProxies((ip_network("198.51.100.0/28"),))
    return make_site(case.clients, proxies, client, "xmpp1.example.com")
