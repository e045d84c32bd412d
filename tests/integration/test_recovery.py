"""What goes wrong is named by step and reason, and mends itself when the cause is gone."""

from __future__ import annotations

import shutil
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.trial import unittest

from tests.support.ca import CertificateAuthority
from tests.support.impostors import FullListener, Talker, TlsTalker
from tests.support.site import CLEAN, CallBridge, Site, XmppServer, small_site, write_ini
from tests.support.waiting import wait_until

TARGET = "xmpp1.example.com"


class RestartTests(unittest.SynchronousTestCase):
    """The power fails at one end."""

    def test_xmppd_killed(self) -> None:
        """After kill -9 and a restart the Call Bridge is back within 2 s of the port being open."""
        site = small_site()
        self.addCleanup(site.close)
        site.start()
        server, bridge = site.servers[0], site.bridges[0]
        for _ in range(2):
            server.kill()
            bridge.wait_registered(0)
            server.process.start()
            wait_until(
                "the port is open",
                lambda: accepts(server.address, server.component_port),
                explain=server.explain,
            )
            server.wait_serving("cb1", deadline=2.0)
            bridge.wait_registered(1)

    def test_callbridged_killed(self) -> None:
        """After kill -9 a restarted Call Bridge is let in at once, not kept out by its ghost."""
        site = small_site()
        self.addCleanup(site.close)
        site.start()
        server, bridge = site.servers[0], site.bridges[0]
        bridge.kill()
        bridge.start()
        bridge.wait_registered(1)
        server.wait_serving("cb1")

    def test_sigterm(self) -> None:
        """SIGTERM ends both daemons cleanly, and the link is seen to be closed."""
        site = small_site()
        self.addCleanup(site.close)
        site.start()
        server, bridge = site.servers[0], site.bridges[0]
        self.assertIn(bridge.stop(), CLEAN, bridge.process.tail())
        server.wait_state("cb1", "down")
        self.assertIn(server.stop(), CLEAN, server.process.tail())
        for daemon in (server, bridge):
            self.assertNotIn("Traceback", daemon.process.text())
            self.assertFalse(daemon.socket.exists())


def accepts(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


class BadInputTests(unittest.SynchronousTestCase):
    """Each fault that an operator can make: its step and reason in log and status, then mended.

    One site for all. The daemons of a test are its own; xmppd is started by the tests that want
    one that works.
    """

    site: Site
    server: XmppServer
    bridge: CallBridge

    def setUp(self) -> None:
        self.site = small_site()
        self.addCleanup(self.site.close)
        self.server = self.site.servers[0]
        self.bridge = self.site.bridges[0]
        self.site.nameserver.start()

    def fails(self, step: str, reason: str, *mentions: str) -> dict[str, Any]:
        """Start the Call Bridge if need be, and expect this failure in its status and its log."""
        if not self.bridge.process.running:
            self.bridge.start()
        error = self.bridge.wait_failure(step, reason)
        self.bridge.process.wait_for(rf"(?i)^.*\b{step}\b.*\b{reason}\b|\b{reason}\b.*\b{step}\b")
        for mention in mentions:
            self.assertIn(mention, error["text"])
        self.assertNotIn("Traceback", self.bridge.process.text())
        self.assertTrue(self.bridge.process.running)
        self.assertEqual(self.bridge.status()["authentication_service"], "down")
        return error

    def recovers(self) -> None:
        """With the cause gone, the same process registers by itself."""
        self.assertTrue(self.bridge.process.running)
        self.bridge.wait_registered(1)
        self.server.wait_serving("cb1")
        self.assertNotIn("Traceback", self.server.process.text())

    def restart_server_with(self, **issue: Any) -> None:
        """Give the server a new certificate under the old name, and start it anew."""
        self.site.ca.issue("xmpp1", **{"dns": ["example.com", TARGET], **issue})
        if self.server.process.running:
            self.server.kill()
        self.server.start()

    def test_no_srv_record(self) -> None:
        """No SRV record is a clear failure, not a guess."""
        records, self.site.zone.srv = self.site.zone.srv, []
        self.site.nameserver.update()
        self.server.start()
        self.fails("srv", "no-such-service", "_xmpp-component._tcp.example.com")
        self.site.zone.srv = records
        self.site.nameserver.update()
        self.recovers()

    def test_service_not_offered(self) -> None:
        """A single SRV record with the target "." means that the service is not offered."""
        records, self.site.zone.srv = self.site.zone.srv, [(0, 0, 0, ".")]
        self.site.nameserver.update()
        self.server.start()
        self.fails("srv", "no-such-service")
        self.site.zone.srv = records
        self.site.nameserver.update()
        self.recovers()

    def test_srv_points_nowhere(self) -> None:
        """An SRV target without an address fails at the address step."""
        addresses = self.site.zone.hosts.pop(TARGET)
        self.site.nameserver.update()
        self.server.start()
        self.fails("address", "dns-failure", TARGET)
        self.site.zone.hosts[TARGET] = addresses
        self.site.nameserver.update()
        self.recovers()

    def test_no_name_server(self) -> None:
        """A name server that does not answer is a DNS failure at the srv step."""
        self.site.nameserver.stop()
        self.server.start()
        self.fails("srv", "dns-failure", str(self.site.nameserver.port))
        self.site.nameserver.start()
        self.recovers()

    def test_refused(self) -> None:
        """Nobody listens: connect-refused, with address and port."""
        self.fails("connect", "connect-refused", self.server.address)
        self.server.start()
        self.recovers()

    def test_second_address_works(self) -> None:
        """A first address where nobody listens costs no failure when the second one answers."""
        self.site.zone.hosts[TARGET] = ["::1", self.server.address]
        self.site.nameserver.update()
        self.server.start()
        self.bridge.start()
        self.recovers()
        self.assertIn(self.server.address, self.bridge.links()[0]["address"])

    def test_swallowed(self) -> None:
        """A port that swallows SYNs: connect-timeout, after ``connect_timeout``."""
        full = FullListener(self.server.address, self.server.component_port)
        self.addCleanup(full.close)
        self.rewrite_bridge(link={"connect_timeout": "500ms"})
        self.fails("connect", "connect-timeout", self.server.address)
        full.close()
        self.server.start()
        self.recovers()

    def test_garbage(self) -> None:
        """A server that speaks no TLS: tls-failure."""
        with Talker(self.server.address, self.server.component_port, b"220 smtp ready\r\n"):
            self.fails("tls", "tls-failure")
        self.server.start()
        self.recovers()

    def test_silent_server(self) -> None:
        """A server that accepts and says nothing: a timeout at the tls step, not a hang."""
        self.rewrite_bridge(link={"connect_timeout": "1s"})
        with Talker(self.server.address, self.server.component_port, b""):
            self.fails("tls", "timeout")
        self.server.start()
        self.recovers()

    def test_expired(self) -> None:
        """An expired server certificate: certificate-expired."""
        yesterday = datetime.now(UTC) - timedelta(days=1)
        old = self.site.ca.issue("old", dns=["example.com", TARGET], not_after=yesterday)
        with TlsTalker(self.server.address, self.server.component_port, old):
            self.fails("certificate", "certificate-expired")
        self.server.start()
        self.recovers()

    def test_foreign_authority(self) -> None:
        """A server certificate by an authority that is not ours: certificate-untrusted."""
        foreign = CertificateAuthority(self.site.directory / "foreign", "Foreign CA")
        certificate = foreign.issue("xmpp1", dns=["example.com", TARGET])
        with TlsTalker(self.server.address, self.server.component_port, certificate):
            self.fails("certificate", "certificate-untrusted")
        self.server.start()
        self.recovers()

    def test_domain_missing(self) -> None:
        """A certificate for the host alone: the text says that the domain is missing."""
        self.restart_server_with(dns=[TARGET])
        error = self.fails("certificate", "certificate-name-mismatch", TARGET)
        self.assertIn("example.com", error["text"].replace(TARGET, ""))
        self.restart_server_with()
        self.recovers()

    def test_host_missing(self) -> None:
        """A certificate for the domain alone: the text says that the host is missing."""
        self.restart_server_with(dns=["example.com"])
        self.fails("certificate", "certificate-name-mismatch", TARGET)
        self.restart_server_with()
        self.recovers()

    def test_srv_id_counts(self) -> None:
        """An SRV-ID for the domain stands in for its DNS-ID."""
        self.restart_server_with(dns=[TARGET], srv=["_xmpp-component.example.com"])
        self.bridge.start()
        self.recovers()

    def test_wrong_secret(self) -> None:
        """A secret that differs on the server: authentication-failure at the register step."""
        self.server.command("callbridge", "del", "cb1")
        self.server.command("callbridge", "add-secret", "cb1", typed="another-secret\n")
        self.server.start()
        self.fails("register", "authentication-failure")
        self.server.process.wait_for(r"\bcb1\b.*\bauthentication-failure\b")
        self.assertNotIn("another-secret", self.server.process.text())
        self.server.command("callbridge", "del", "cb1")
        self.site.enrol(self.bridge)
        self.recovers()

    def test_unknown_name(self) -> None:
        """A name that the server does not know: host-unknown at the register step."""
        self.server.command("callbridge", "del", "cb1")
        self.server.start()
        self.fails("register", "host-unknown", "cb1")
        self.server.process.wait_for(r"\bhost-unknown\b.*'cb1\.example\.com'")
        self.site.enrol(self.bridge)
        self.recovers()

    def test_refusal_logged_once(self) -> None:
        """A refusal is logged when it changes, not at every attempt."""
        foreign = CertificateAuthority(self.site.directory / "foreign", "Foreign CA")
        certificate = foreign.issue("xmpp1", dns=["example.com", TARGET])
        with TlsTalker(self.server.address, self.server.component_port, certificate) as talker:
            self.fails("certificate", "certificate-untrusted")
            wait_until("five attempts", lambda: talker.accepted >= 5, explain=self.bridge.explain)
        text = self.bridge.process.text()
        lines = [line for line in text.splitlines() if "certificate-untrusted" in line]
        self.assertEqual(len(lines), 1, "\n".join(lines))

    def test_duplicate_name(self) -> None:
        """A second Call Bridge of the same name is told conflict; the first is not disturbed."""
        self.server.start()
        self.bridge.start()
        self.bridge.wait_registered(1)
        first = self.bridge
        twin = CallBridge("twin", self.site.directory / "twin")
        shutil.copy(first.ini, twin.ini)
        text = first.ini.read_text()
        twin.ini.write_text(text.replace(str(first.directory), str(twin.directory)))
        (twin.directory / "secret").touch(mode=0o600)
        (twin.directory / "secret").write_text(first.secret_file.read_text())
        self.site.bridges.append(twin)
        self.bridge = twin
        self.fails("register", "conflict", "cb1")
        first.wait_registered(1)
        self.server.wait_state("cb1", "registered")
        first.stop()
        self.recovers()

    def test_bad_configuration(self) -> None:
        """A bad file stops either daemon at once: every fault in one message, exit status not 0."""
        for daemon, section in ((self.server, "component"), (self.bridge, "link")):
            original = daemon.ini.read_text()
            daemon.ini.write_text(
                original.replace(f"[{section}]", f"[{section}]\nping_intervall = 3s")
                .replace("private_key = ", "private_key = /nonexistent")
                .replace("domain = example.com", "")
                + f"\n[{section}x]\n"
            )
            daemon.process.start()
            self.assertNotEqual(daemon.process.wait(), 0)
            said = daemon.process.text()
            for fault in (str(daemon.ini), "ping_intervall", "/nonexistent", "domain", "linkx"):
                self.assertIn(fault.replace("linkx", f"{section}x"), said)
            self.assertNotIn("Traceback", said)
            daemon.ini.write_text(original)

    def test_mismatched_key(self) -> None:
        """A key that does not belong to the certificate stops either daemon before it listens."""
        _, other = self.site.ca.issue("other", dns=["other.example.com"])
        for daemon in (self.server, self.bridge):
            original = daemon.ini.read_text()
            lines = [
                f"private_key = {other}" if line.startswith("private_key") else line
                for line in original.splitlines()
            ]
            daemon.ini.write_text("\n".join(lines))
            daemon.process.start()
            self.assertNotEqual(daemon.process.wait(), 0)
            self.assertIn(str(other), daemon.process.text())
            self.assertNotIn("Traceback", daemon.process.text())
            daemon.ini.write_text(original)

    def test_busy_port(self) -> None:
        """A port that somebody else has stops xmppd with the port in the message."""
        with Talker(self.server.address, self.server.client_port, b""):
            self.server.process.start()
            self.assertNotEqual(self.server.process.wait(), 0)
        said = self.server.process.text()
        self.assertIn(f"cannot listen on tcp:{self.server.client_port}", said)
        self.assertNotIn("Traceback", said)

    def rewrite_bridge(self, **sections: Any) -> None:
        """Change settings of the Call Bridge, which does not run yet."""
        current: dict[str, dict[str, object]] = {}
        section = ""
        for line in self.bridge.ini.read_text().splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line:
                key, _, value = line.partition(" = ")
                current.setdefault(section, {})[key] = value
        write_ini(self.bridge.ini, current, sections)
