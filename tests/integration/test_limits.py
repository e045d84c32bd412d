"""What one host can do to a server without having proved who it is."""

from __future__ import annotations

from twisted.trial import unittest

from tests.support.guessing import Door
from tests.support.processes import free_port
from tests.support.rawstream import RawStream, client_header, plain
from tests.support.rawwebsocket import RawWebSocket
from tests.support.site import started_small_site
from tests.support.waiting import wait_until
from xmppd.components.connected import MAX_UNREGISTERED


class CapTests(unittest.SynchronousTestCase):
    """Connections to the component port that do not register."""

    def test_one_address(self) -> None:
        """One address gets a quarter of the places; more are closed at once, with one log line."""
        site = started_small_site(settings={"component": {"registration_timeout": "60s"}})
        self.addCleanup(site.close)
        server = site.servers[0]
        held = [
            RawStream(server.address, server.component_port) for _ in range(MAX_UNREGISTERED // 4)
        ]
        for _ in range(3):
            one_more = RawStream(server.address, server.component_port)
            self.addCleanup(one_more.close)
            self.assertEqual(one_more.read_to_end(), b"")
        for stream in held:
            stream.close()
        log = server.process.text()
        self.assertEqual(log.count("resource-limit: too many are open"), 1)
        self.assertNotIn("Traceback", log)


class LoginTimeoutTests(unittest.SynchronousTestCase):
    """Connections that get stuck before the login."""

    def test_every_state(self) -> None:
        """Wherever a client gets stuck, its place is free again after the login timeout."""
        ports = {name: free_port("127.0.0.2") for name in ("direct_tls", "websocket")}
        listen = {
            f"{name}_listen": f"tcp:{port}:interface=127.0.0.2" for name, port in ports.items()
        }
        site = started_small_site(
            settings={
                "client": {"login_timeout": "5s", **listen},
                "failed_logins": {"free": 1, "most": 100, "window": "1h"},
            }
        )
        self.addCleanup(site.close)
        server = site.servers[0]
        door = Door(server, site.ca.certificate_path)
        for _ in range(2):  # the next one waits for its turn
            self.assertEqual(door.guess("127.0.0.1", "alice", "wrong"), "not-authorized")

        def plain_text(*said: str) -> RawStream:
            stream = RawStream(server.address, server.client_port)
            stream.send("".join(said))
            return stream

        def under_tls(*said: str, port: int = 0) -> RawStream:
            if not port:
                stream = door.stream("127.0.0.1")
            else:
                stream = RawStream(server.address, port)
                stream.secure(site.ca.certificate_path, "example.com")
            stream.send("".join(said))
            return stream

        hello = RawStream(server.address, ports["direct_tls"])
        hello.send(b"\x16\x03\x01\x10\x00\x01\x00\x20\x00\x03\x03" + bytes(100))
        scram = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>biws"
        get = "GET /nothing HTTP/1.1\r\nHost: x\r\n"
        held = [
            plain_text(),
            plain_text(client_header()),
            plain_text(client_header(), "<a>" + "x" * 1000),
            hello,
            under_tls(),
            under_tls(scram),
            under_tls(plain("alice", "wonderland")),
            under_tls(client_header(), port=ports["direct_tls"]),
            under_tls(port=ports["websocket"]),
            under_tls(get, port=ports["websocket"]),
            under_tls(f"{get}\r\n", port=ports["websocket"]),
            RawWebSocket(server.address, ports["websocket"], site.ca.certificate_path),
        ]
        for one in held:
            self.addCleanup(one.close)
        wait_until(
            "all places are free again",
            lambda: server.status()["not_logged_in"] == server.status()["connections"] == 0,
            explain=server.explain,
        )
        self.assertNotIn("Traceback", server.process.text())
