"""Behind HAProxy and nginx, everybody hears of the client's address and not of the proxy's."""

from __future__ import annotations

import os
import shutil
import ssl
from pathlib import Path

from twisted.trial import unittest

from tests.support.nginx import nginx_template
from tests.support.processes import Process, free_port
from tests.support.rawstream import RawStream, client_header, plain
from tests.support.rawwebsocket import OPEN, RawWebSocket
from tests.support.shared import shared_site
from tests.support.site import Site, started_small_site

SERVER, PROXY = "127.0.0.2", "127.0.0.3"
CLIENT = "127.0.0.9"

HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen starttls
    bind {proxy}:{starttls}
    server xmpp1 {server}:{client_port} send-proxy-v2 source {proxy}
listen direct-tls
    bind {proxy}:{direct_tls}
    server xmpp1 {server}:{direct_port} send-proxy-v2 source {proxy}
listen version1
    bind {proxy}:{version1}
    server xmpp1 {server}:{client_port} send-proxy source {proxy}
listen no-header
    bind {proxy}:{no_header}
    server xmpp1 {server}:{client_port} source {proxy}
"""

NGINX = nginx_template(
    """
    server {{
        listen {proxy}:{nginx} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location /xmpp-websocket {{
            proxy_pass https://{server}:{websocket_port};
            proxy_bind {proxy};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
"""
)


class ProxyTests(unittest.SynchronousTestCase):
    """A proxy at 127.0.0.3 that xmppd trusts, clients at 127.0.0.9."""

    ports: dict[str, int]

    def setUp(self) -> None:
        self.site = shared_site(type(self), self.make)

    @classmethod
    def make(cls) -> Site:
        cls.ports = {name: free_port(SERVER) for name in ("direct_port", "websocket_port")}
        for name in ("starttls", "direct_tls", "version1", "no_header", "nginx"):
            cls.ports[name] = free_port(PROXY)
        return started_small_site(
            address=SERVER,
            settings={
                "client": {
                    "direct_tls_listen": f"tcp:{cls.ports['direct_port']}:interface={SERVER}",
                    "websocket_listen": f"tcp:{cls.ports['websocket_port']}:interface={SERVER}",
                    "trusted_proxies": PROXY,
                    "proxy_protocol": "listen, direct_tls_listen",
                }
            },
        )

    def proxy(self, program: str, *arguments: str, template: str) -> None:
        path = os.environ.get("PATH", "") + ":/usr/sbin"
        found = shutil.which(program, path=path)
        self.assertTrue(found, f"{program} is missing: apt-get install {program}")
        directory = self.site.directory / program
        directory.mkdir(exist_ok=True)
        certificate, key = self.site.ca.issue("proxy", dns=["xmpp1.example.com"])
        settings = directory / f"{program}.conf"
        settings.write_text(
            template.format(
                **self.ports,
                client_port=self.site.servers[0].client_port,
                server=SERVER,
                proxy=PROXY,
                certificate=certificate,
                key=key,
                directory=directory,
            )
        )
        process = Process(program, [str(found), *arguments, settings], directory / "log")
        process.start()
        self.addCleanup(process.kill)
        port = self.ports["nginx" if program == "nginx" else "starttls"]
        process.wait_while_running(f"{program} listens", lambda: _listens(PROXY, port))

    def assert_seen(self, since: tuple[int, int]) -> None:
        """Both daemons log the login as one from the client's address."""
        server, bridge = self.site.servers[0].process, self.site.bridges[0].process
        server.wait_for(rf"alice@example\.com from {CLIENT} is in by PLAIN", since[0])
        bridge.wait_for(rf"'alice' from {CLIENT} by PLAIN: success", since[1])
        self.assertNotIn(f"from {PROXY}", server.text(since[0]))

    def marks(self) -> tuple[int, int]:
        return self.site.servers[0].process.mark(), self.site.bridges[0].process.mark()

    def log_in(self, port: int, *, direct_tls: bool = False, address: str = PROXY) -> RawStream:
        stream = RawStream(address, port, source=CLIENT)
        self.addCleanup(stream.close)
        if not direct_tls:
            stream.send(client_header())
            stream.read_until("</stream:features>")
            stream.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            stream.read_until("<proceed[^>]*/>")
        stream.secure(self.site.ca.certificate_path, "example.com")
        stream.send(client_header())
        self.assertIn(b"-PLUS", stream.read_until("</stream:features>"))
        stream.send(plain("alice", "wonderland"))
        stream.read_until("<success")
        return stream

    def test_haproxy(self) -> None:
        """HAProxy with send-proxy-v2, to STARTTLS and to direct TLS; and with version 1."""
        self.proxy("haproxy", "-f", template=HAPROXY)
        for port, direct_tls in (("starttls", False), ("direct_tls", True), ("version1", False)):
            since = self.marks()
            self.log_in(self.ports[port], direct_tls=direct_tls)
            self.assert_seen(since)

    def test_no_header(self) -> None:
        """A trusted proxy that sends no header is closed, and the log says what to do."""
        self.proxy("haproxy", "-f", template=HAPROXY)
        since = self.marks()
        stream = RawStream(PROXY, self.ports["no_header"], source=CLIENT)
        self.addCleanup(stream.close)
        stream.send(client_header())
        self.assertEqual(stream.read_to_end(), b"")
        self.site.servers[0].process.wait_for(
            rf"from the proxy {PROXY} to tcp:.* was closed, protocol-error.*send-proxy-v2", since[0]
        )

    def test_past_the_proxy(self) -> None:
        """Who connects to the same port without the proxy needs no header, and can send none."""
        port = self.site.servers[0].client_port
        since = self.marks()
        self.log_in(port, address=SERVER)
        self.assert_seen(since)
        stream = RawStream(SERVER, port, source=CLIENT)
        self.addCleanup(stream.close)
        stream.send("PROXY TCP4 203.0.113.9 192.0.2.1 9 5222\r\n" + client_header())
        self.assertNotEqual(stream.stream_error(), None)
        self.assertNotIn("203.0.113.9", self.site.servers[0].process.text())

    def test_nginx(self) -> None:
        """nginx with X-Forwarded-For in front of WebSocket; no channel binding is offered there."""
        self.proxy("nginx", "-c", template=NGINX)
        since = self.marks()
        authority: Path = self.site.ca.certificate_path
        connection = RawWebSocket(
            PROXY,
            self.ports["nginx"],
            authority,
            source=CLIENT,
            headers=[("X-Forwarded-For", "203.0.113.9")],
        )
        self.addCleanup(connection.close)
        connection.send(OPEN)
        self.assertNotIn("-PLUS", connection.read_until("<stream:features"))
        connection.send(plain("alice", "wonderland"))
        connection.read_until("<success ")
        self.assert_seen(since)
        self.assertNotIn("203.0.113.9", self.site.servers[0].process.text())

    def test_forged(self) -> None:
        """Without a proxy X-Forwarded-For is not believed, and channel binding is offered."""
        since = self.marks()
        connection = RawWebSocket(
            SERVER,
            self.ports["websocket_port"],
            self.site.ca.certificate_path,
            source=CLIENT,
            headers=[("X-Forwarded-For", "203.0.113.9")],
        )
        self.addCleanup(connection.close)
        connection.send(OPEN)
        self.assertIn("-PLUS", connection.read_until("<stream:features"))
        connection.send(plain("alice", "wonderland"))
        connection.read_until("<success ")
        self.assert_seen(since)


def _listens(address: str, port: int) -> bool:
    try:
        RawStream(address, port).close()
    except (OSError, ssl.SSLError):
        return False
    return True
