"""XMPP over WebSocket with clients that are not ours."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import urllib.request
from pathlib import Path
from typing import Any

from twisted.trial import unittest

from tests.support.processes import Process, free_port
from tests.support.rawstream import plain
from tests.support.rawwebsocket import OPEN, PATIENCE, RawWebSocket
from tests.support.shared import shared_site
from tests.support.site import Site, started_small_site

NODE = Path(__file__).parent / "node"
ADDRESS = "127.0.0.2"
CLOSE = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"


class WebSocketTests(unittest.SynchronousTestCase):
    """One xmppd with a WebSocket port, one Call Bridge."""

    port: int

    def setUp(self) -> None:
        self.site = shared_site(type(self), self.make)
        self.server = self.site.servers[0]

    @classmethod
    def make(cls) -> Site:
        cls.port = free_port(ADDRESS)
        return started_small_site(
            address=ADDRESS,
            certificate_ip=[ADDRESS],
            settings={"client": {"websocket_listen": f"tcp:{cls.port}:interface={ADDRESS}"}},
        )

    def connect(self, **more: Any) -> RawWebSocket:
        connection = RawWebSocket(ADDRESS, self.port, self.site.ca.certificate_path, **more)
        self.addCleanup(connection.close)
        return connection

    def log_in(self, connection: RawWebSocket) -> str:
        """Answer the address that was bound."""
        connection.send(OPEN)
        connection.read_until("<stream:features .*PLAIN")
        connection.send(plain("alice", "wonderland"))
        connection.read_until("<success ")
        connection.send(OPEN)
        connection.read_until("<stream:features .*<bind ")
        connection.send(
            "<iq xmlns='jabber:client' type='set' id='b'>"
            "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        )
        bound = connection.read_until("<jid>")
        return bound.partition("<jid>")[2].partition("</jid>")[0]

    def test_xmpp_js(self) -> None:
        """@xmpp/client logs in, hears itself, resumes its session after a loss, and leaves."""
        node = shutil.which("node")
        self.assertTrue(node, "node is missing: apt-get install nodejs npm")
        options = {
            "service": f"wss://{ADDRESS}:{self.port}/xmpp-websocket",
            "domain": "example.com",
            "username": "alice",
            "password": "wonderland",
        }
        script = Process(
            "the node client",
            [str(node), NODE / "websocket.mjs", json.dumps(options)],
            self.site.directory / "websocket.log",
            environment={"NODE_EXTRA_CA_CERTS": str(self.site.ca.certificate_path)},
        )
        self.addCleanup(script.kill)
        script.start()
        address = script.wait_for(r"^online (alice@example\.com/.+)")[1]
        script.wait_for(r"^heard hello 1")
        script.wait_for(rf"^resumed {re.escape(address)}")
        script.wait_for(r"^heard hello 2")
        script.wait_for(r"^stopped")

    def test_login(self) -> None:
        """websockets logs in, and closes both layers properly."""
        connection = self.connect()
        self.assertEqual(connection.subprotocol, "xmpp")
        self.assertIn("alice@example.com/", self.log_in(connection))
        connection.send(CLOSE)
        self.assertEqual(connection.read_to_end(), ([CLOSE], 1000))

    def test_fragments(self) -> None:
        """A message may come in as many fragments as it has letters."""
        connection = self.connect()
        address = self.log_in(connection)
        connection.send(*"<presence xmlns='jabber:client'/>")
        connection.send(*f"<message xmlns='jabber:client' to='{address}'><body>hé</body></message>")
        self.assertIn("xmlns='jabber:client'", connection.read_until("<body>hé</body>"))

    def test_large(self) -> None:
        """A stanza of 200 KiB is good after login, and comes back whole."""
        connection = self.connect()
        address = self.log_in(connection)
        body = "x" * 200 * 1024
        connection.send("<presence xmlns='jabber:client'/>")
        connection.send(
            f"<message xmlns='jabber:client' to='{address}'><body>{body}</body></message>"
        )
        connection.read_until(body)

    def test_ping(self) -> None:
        """A ping is answered."""
        self.connect().ping(b"hello")

    def test_bad_messages(self) -> None:
        """Binary, too large, not just one element: a stream error, then both layers close."""
        for message, condition, code in (
            (b"<open/>", "bad-format", 1003),
            ("<a xmlns='x'>" + "x" * 20_000, "policy-violation", 1008),
            ("<a xmlns='x'/><b xmlns='x'/>", "bad-format", 1008),
            ("<!-- -->" + OPEN, "restricted-xml", 1008),
            (" " + OPEN, "bad-format", 1008),
        ):
            connection = self.connect()
            connection.send(OPEN)
            connection.read_until("<stream:features")
            connection.send(message)
            (*_, error, close), found = connection.read_to_end()
            self.assertIn(f"<{condition} ", error)
            self.assertEqual((close, found), (CLOSE, code))

    def test_oversize_after_login(self) -> None:
        """A stanza over 256 KiB ends the session while it is still being sent."""
        since = self.server.process.mark()
        # Its own address, since the log tells the same of the same peer once a minute.
        connection = self.connect(source="127.0.0.8")
        self.log_in(connection)
        connection.send("<message xmlns='jabber:client'>", *["x" * 65536] * 8)
        self.server.process.wait_for(
            r"client alice@.* from 127\.0\.0\.8: stream ended with policy-violation: ", since
        )

    def test_truncated(self) -> None:
        """A connection that is cut within a frame is gone, and others live on."""
        connection = self.connect()
        self.log_in(connection)
        connection.socket.sendall(b"\x81\xfe\x10")
        connection.socket.shutdown(socket.SHUT_RDWR)
        self.assertIn("alice@example.com/", self.log_in(self.connect()))

    def test_refused(self) -> None:
        """Without the subprotocol 400, from a foreign page 403 and a line with the remedy."""
        for more, status in (
            ({"subprotocol": "chat"}, 400),
            ({"origin": "https://evil.example"}, 403),
        ):
            self.assertEqual(self.connect(**more).status, status)
        self.server.process.wait_for(
            r"pages of https://evil\.example may not log in here\. If they should, add it to "
            r"\[client\] websocket_origins"
        )
        self.assertIn("alice@", self.log_in(self.connect(origin="https://example.com")))

    def test_alpn(self) -> None:
        """TLS agrees on http/1.1, and not on what is spoken on other ports."""
        for offered, chosen in (
            (["h2", "http/1.1"], "http/1.1"),
            (["xmpp-client"], None),
            (["xmpp-client", "http/1.1"], "http/1.1"),
        ):
            context = ssl.create_default_context(cafile=str(self.site.ca.certificate_path))
            context.set_alpn_protocols(offered)
            with (
                socket.create_connection((ADDRESS, self.port), PATIENCE) as tcp,
                context.wrap_socket(tcp, server_hostname="xmpp1.example.com") as tls,
            ):
                self.assertEqual(tls.selected_alpn_protocol(), chosen)

    def test_host_meta(self) -> None:
        """A browser application that asks for host-meta is told where to connect."""
        context = ssl.create_default_context(cafile=str(self.site.ca.certificate_path))
        url = f"https://{ADDRESS}:{self.port}/.well-known/host-meta.json"
        with urllib.request.urlopen(url, timeout=PATIENCE, context=context) as answer:
            (link,) = json.load(answer)["links"]
        self.assertEqual(link["href"], f"wss://xmpp1.example.com:{self.port}/xmpp-websocket")
