"""Tests of xmppd.web.urls: settings about WebSocket and proxies."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from xmppd.networks import parse_network
from xmppd.web.urls import (
    default_origins,
    default_websocket_url,
    parse_origin,
    parse_websocket_url,
)


class UrlTests(SynchronousTestCase):
    """How they are written."""

    def test_origins(self) -> None:
        """Origins are compared in one spelling."""
        for text, origin in {
            "https://Meet.Example.com": "https://meet.example.com",
            "https://meet.example.com:443": "https://meet.example.com",
            "https://meet.example.com:8443": "https://meet.example.com:8443",
            "http://localhost:8080": "http://localhost:8080",
            "https://bücher.example": "https://xn--bcher-kva.example",
            "https://192.0.2.1": "https://192.0.2.1",
            "https://[2001:db8::1]:444": "https://[2001:db8::1]:444",
            "capacitor://localhost": "capacitor://localhost",
            "*": "*",
        }.items():
            self.assertEqual(parse_origin(text), origin)

    def test_no_origins(self) -> None:
        """What is none is refused."""
        for text in (
            "meet.example.com", "https://", "https://example.com/", "https://example.com/x",
            "https://a@example.com", "https://example.com?x", "https://*.example.com", "null", "",
            "https://example.com:99999", "https://[::1", "https://exa mple.com",
        ):  # fmt: skip
            self.assertRaises(ValueError, parse_origin, text)

    def test_default_origins(self) -> None:
        """Pages of our own names, as browsers spell them."""
        self.assertEqual(
            default_origins(["bücher.example"], "xmpp1.example.com"),
            ("https://xn--bcher-kva.example", "https://xmpp1.example.com"),
        )

    def test_urls(self) -> None:
        """Only what is under TLS is announced."""
        for text in ("wss://example.com/x", "wss://{domain}:5443/xmpp-websocket"):
            self.assertEqual(parse_websocket_url(text), text)
        for text in (
            "ws://example.com/", "https://example.com/", "wss:///x", "wss://a/'b", "x",
            "wss://me@example.com/", "wss://a;b/", "wss://a,b/", "wss://*.example.com/",
        ):  # fmt: skip
            self.assertRaises(ValueError, parse_websocket_url, text)

    def test_default_url(self) -> None:
        """The hostname, and the port if it is not the usual one of HTTPS."""
        for listen, url in {
            "tcp:5443": "wss://h.example:5443/xmpp-websocket",
            "tcp:port=5443:interface=192.0.2.1": "wss://h.example:5443/xmpp-websocket",
            "tcp6:443": "wss://h.example/xmpp-websocket",
            "systemd:domain=INET:index=0": None,
            "tcp:0": None,
        }.items():
            self.assertEqual(default_websocket_url("h.example", listen), url)

    def test_networks(self) -> None:
        """An address is a network of one; everybody is none that can be trusted."""
        self.assertEqual(str(parse_network("192.0.2.7")), "192.0.2.7/32")
        self.assertEqual(str(parse_network("2001:db8::/32")), "2001:db8::/32")
        for text in ("192.0.2.7/24", "0.0.0.0/0", "::/0", "proxy.example.com", ""):
            self.assertRaises(ValueError, parse_network, text)
