"""Sockets that systemd holds for xmppd, and exit statuses that its unit looks at."""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import TestCase

from tests.support.activation import HeldSockets
from tests.support.rawstream import RawStream, client_header
from tests.support.site import CLEAN, Site


class ActivationTests(TestCase):
    """One server on ports that were there before it, with one Call Bridge."""

    def setUp(self) -> None:
        self.site = site = Site()
        self.addCleanup(site.close)
        self.held = HeldSockets()
        self.addCleanup(self.held.close)
        # IPv4 comes in over IPv6, as over the sockets of the unit.
        clients, components = self.held.listen("::"), self.held.listen("::")
        listen = {
            "component": {"listen": f"tcp:{components}"},
            "client": {"listen": f"tcp:{clients}"},
        }
        self.server = site.server(address="127.0.0.1", settings=listen)
        self.server.client_port, self.server.component_port = clients, components
        site.zone.srv[:] = [(10, 10, components, self.server.fqdn)]
        self.bridge = site.bridge()
        site.enrol(self.bridge)
        site.user("alice", "wonderland")

    def connect(self) -> RawStream:
        stream = RawStream("127.0.0.1", self.server.client_port)
        self.addCleanup(stream.close)
        return stream

    def test_restart(self) -> None:
        """Who connects while the server is restarted waits, and is answered by the next one."""
        self.held.hand_to(self.server.process)
        self.site.start()
        streams = []
        for _ in range(3):
            self.assertIn(self.server.stop(), CLEAN)
            streams.append(self.connect())
            streams[-1].send(client_header("example.com"))
            self.server.process.start()
            streams[-1].read_until("</stream:features>")
        self.server.wait_serving("cb1")

    def test_addresses(self) -> None:
        """A peer over IPv4 is shown by its IPv4 address, though the socket is IPv6."""
        self.held.hand_to(self.server.process)
        self.site.start()
        entry = self.server.callbridge("cb1")
        self.assertRegex(str(entry and entry["peer"]), r"^127\.0\.0\.1:\d+$")
        with socket.create_connection(("::1", self.server.component_port)):
            pass

    def test_unused(self) -> None:
        """A socket that no setting is about hangs up, and the log says what to do."""
        port = self.held.listen("127.0.0.1")
        self.held.hand_to(self.server.process)
        self.server.start()
        said = self.server.process.wait_for("systemd listens on .*")[0]
        self.assertIn(f"127.0.0.1:{port}", said)
        self.assertIn("whoever connects there is hung up on. Add a setting, or", said)
        with socket.create_connection(("127.0.0.1", port), 20.0) as connection:
            self.assertEqual(connection.recv(1), b"")
        self.connect().send(client_header("example.com"))

    def test_own_port(self) -> None:
        """A port of a setting that systemd has no socket for is opened as ever."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        text = self.server.ini.read_text()
        client = f"[client]\ndirect_tls_listen = tcp:{port}:interface=127.0.0.1"
        self.server.ini.write_text(text.replace("[client]", client))
        self.held.hand_to(self.server.process)
        self.server.start()
        stream = RawStream("127.0.0.1", port)
        self.addCleanup(stream.close)
        stream.secure(self.site.ca.certificate_path, "example.com")


class ExitStatusTests(TestCase):
    """What tells systemd whether to try again (RestartPreventExitStatus=78)."""

    def setUp(self) -> None:
        self.site = site = Site()
        self.addCleanup(site.close)
        self.server, self.bridge = site.server(), site.bridge()

    def test_settings(self) -> None:
        """Settings that cannot be used end both daemons with 78."""
        for daemon in (self.server, self.bridge):
            daemon.ini.write_text(daemon.ini.read_text() + "[nonsense]\n")
            daemon.process.start()
            self.assertEqual(daemon.process.wait(), os.EX_CONFIG)
            self.assertIn("there is no section [nonsense]", daemon.process.text())

    def test_certificate(self) -> None:
        """So does a certificate that is none, in both."""
        for name in ("xmpp1", "cb1"):
            certificate, _ = self.site.ca.issue(name, dns=["example.com"])
            certificate.write_text("-----BEGIN CERTIFICATE-----\nnone\n")
        for daemon in (self.server, self.bridge):
            daemon.process.start()
            self.assertEqual(daemon.process.wait(), os.EX_CONFIG)
            self.assertIn("Copy it anew from its issuer", daemon.process.text())

    def test_backend(self) -> None:
        """So does a user backend that is not there."""
        text = self.bridge.ini.read_text()
        self.bridge.ini.write_text(text.replace("backend = file:", "backend = nowhere:"))
        self.bridge.process.start()
        self.assertEqual(self.bridge.process.wait(), os.EX_CONFIG)
        self.assertIn("it has one fault", self.bridge.process.text())

    def test_port(self) -> None:
        """A port that is busy is another status: it may be free the next time."""
        with socket.create_server((self.server.address, self.server.client_port)):
            self.server.process.start()
            self.assertEqual(self.server.process.wait(), 1)
        self.assertIn("says who has the port", self.server.process.text())
        self.server.start()

    def test_for_journald(self) -> None:
        """Where journald reads it, each line of the fault is marked as an error."""
        self.server.ini.write_text("[nonsense]\n")
        self.server.process.environment["JOURNAL_STREAM"] = "1:1"
        self.server.process.start()
        self.assertEqual(self.server.process.wait(), os.EX_CONFIG)
        for line in self.server.process.text().splitlines():
            self.assertTrue(line.startswith("<3>"), line)
