"""Tests of xmppd.reload: a server whose file changes, with real certificates and without ports."""

from __future__ import annotations

import shutil
import tempfile
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.ini import ConfigurationFault
from daemonkit.reload import Differences, ReloadFault
from tests.support.ca import CertificateAuthority
from xmppd.config import load
from xmppd.proxies import AnnouncingProxies, TrustedProxies
from xmppd.reload import apply, read
from xmppd.service import Server
from xmppd.web.site import make_site

COM, ORG, NET = "example.com", "example.org", "example.net"
Sections = dict[str, dict[str, object]]


class ReloadCase(SynchronousTestCase):
    """A server for example.com and example.org, with the certificates ``com`` and ``org``."""

    def setUp(self) -> None:
        # Not below the test runner's directory: a UNIX socket path has at most 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="reload-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.ca = CertificateAuthority(self.directory)
        for name in ("com", "org", "net"):
            self.issue(name)
        self.path = self.directory / "xmppd.ini"
        self.sections: Sections = {
            "xmppd": {
                "domain": COM,
                "hostname": "xmpp1.example.com",
                "state_directory": ".",
                "control_socket": "control.sock",
            },
            "tls": {**self.files("com"), "callbridge_ca": self.ca.certificate_path},
            "client": {"websocket_listen": "tcp:5443"},
            f"domain {ORG}": self.files("org"),
        }
        self.write({})
        config = load(self.path)
        self.clock = Clock()
        self.server = Server(self.clock, config)
        self.addCleanup(self.server.registry.close)
        self.server.site = make_site(
            self.server.clients, TrustedProxies(), config.client, config.xmppd.hostname
        )

    def issue(self, name: str) -> None:
        self.ca.issue(name, dns=[f"example.{name}"])

    def files(self, name: str) -> dict[str, object]:
        return {"certificate": f"{name}.crt", "private_key": f"{name}.key"}

    def write(self, changes: Sections) -> None:
        """Write the file with these changes, None for what is to go."""
        merged: dict[str, dict[str, Any]] = {name: {} for name in (*self.sections, *changes)}
        for layer in (self.sections, changes):
            for name, values in layer.items():
                merged[name].update(values)
        self.path.write_text(
            "\n".join(
                f"[{name}]\n"
                + "".join(f"{key} = {one}\n" for key, one in values.items() if one is not None)
                for name, values in merged.items()
            )
        )

    def reload(self, changes: Sections | None = None) -> Differences:
        if changes is not None:
            self.write(changes)
        return apply(read(lambda: load(self.path), self.server), self.server)

    def shown(self) -> dict[str, list[str]]:
        """The certificates of each domain, by the serial numbers at each kind of port."""
        return {
            name: [
                f"{one.identity.certificate.serial_number:x}"
                for one in (domain.contexts.link, domain.contexts.client, domain.contexts.websocket)
            ]
            for name, domain in self.server.domains.items()
            if domain.contexts is not None
        }


class CertificateTests(ReloadCase):
    """What the ports show."""

    def test_nothing_new(self) -> None:
        """With the same files everything stays the same object."""
        contexts = [self.server.tls.link.context, self.server.tls.client.context]
        differences = self.reload()
        self.assertEqual((differences.changed, differences.fixed), ((), ()))
        self.assertEqual([self.server.tls.link.context, self.server.tls.client.context], contexts)

    def test_one_domain(self) -> None:
        """A new certificate of one domain is shown at all ports; the others keep theirs."""
        before = self.shown()
        port = self.server.tls
        self.issue("org")
        changed = self.reload().changed
        self.assertEqual(changed, (f"[domain {ORG}] certificate", f"[domain {ORG}] private_key"))
        after = self.shown()
        self.assertEqual(after[COM], before[COM])
        self.assertEqual(len(set(after[ORG])), 1)
        self.assertNotEqual(after[ORG], before[ORG])
        self.assertIs(self.server.tls, port)

    def test_client_ca(self) -> None:
        """Clients are asked for certificates, and no more, as the file says."""
        self.reload({"tls": {"client_ca": self.ca.certificate_path}})
        self.assertEqual(len(self.server.tls.client.authorities), 1)
        self.reload({})
        self.assertEqual(self.server.tls.client.authorities, ())

    def test_faults(self) -> None:
        """All faults of all files are named, and nothing changes, of the other settings either."""
        before, config = self.shown(), self.server.config
        self.issue("com")
        (self.directory / "org.key").write_text("x")
        (self.directory / "com.crt").write_text("x")
        fault = self.assertRaises(ReloadFault, self.reload, {"limits": {"max_connections": 3}})
        self.assertEqual(len(fault.faults), 2)
        self.assertRaises(ConfigurationFault, self.reload, {"limits": {"max_connections": "x"}})
        self.assertEqual((self.shown(), self.server.config), (before, config))

    def test_warnings(self) -> None:
        """What deserves a look is logged again."""
        (self.directory / "com.key").chmod(0o644)
        self.issue("com")
        (self.directory / "com.key").chmod(0o644)
        with capturedLogs() as logged:
            self.reload()
        self.assertIn("chmod 640", " ".join(formatEvent(event) for event in logged))


class FixedTests(ReloadCase):
    """What needs a restart."""

    def test_names_and_ports(self) -> None:
        """It is said, each time, and what is in use stays what it was."""
        config = self.server.config
        for _ in range(2):
            differences = self.reload(
                {
                    "xmppd": {"hostname": "other.example.com", "control_socket": "other.sock"},
                    "component": {"listen": "tcp:6223", "ping_timeout": "3s"},
                    "client": {"listen": "tcp:6222", "login_timeout": "9s"},
                }
            )
            self.assertEqual(
                differences.fixed,
                (
                    *("[xmppd] hostname", "[xmppd] control_socket"),
                    *("[component] listen", "[client] listen"),
                ),
            )
        self.assertEqual(differences.changed, ())
        self.assertEqual(self.server.config.xmppd, config.xmppd)
        self.assertEqual(self.server.config.client.listen, ("tcp:5222",))
        self.assertEqual(self.server.config.component.listen, ("tcp:5223",))
        self.assertEqual(self.server.clients.login_timeout, 9.0)
        self.assertEqual(self.server.components.times.ping_timeout, 3.0)

    def test_new_domain(self) -> None:
        """A domain that is new is not served yet, the TURN servers of others are there at once."""
        turn = {"services": "stun:stun.example.com"}
        fixed = self.reload({f"domain {NET}": self.files("net"), f"turn {NET}": turn}).fixed
        self.assertEqual(sorted(fixed), [f"[domain {NET}]", f"[turn {NET}]"])
        self.assertEqual(list(self.server.domains), [COM, ORG])
        self.reload({"turn": turn})
        self.assertEqual(len(self.server.queries[ORG].external.services), 1)

    def test_domain_that_is_gone(self) -> None:
        """A domain that is gone is served with what it had, its files may be gone, too."""
        before = self.shown()
        self.issue("com")
        gone = self.sections.pop(f"domain {ORG}")
        for name in gone.values():
            (self.directory / str(name)).unlink()
        differences = self.reload({})
        self.assertEqual(differences.fixed, (f"[domain {ORG}]",))
        self.assertEqual(differences.changed, ("[tls] certificate", "[tls] private_key"))
        self.assertEqual(self.shown()[ORG], before[ORG])
        self.assertNotEqual(self.shown()[COM], before[COM])
        self.assertEqual(self.server.config.domains[1].name, ORG)

    def test_other_first_domain(self) -> None:
        """Where another domain comes first, no domain gets the certificate of another."""
        before = self.shown()
        del self.sections[f"domain {ORG}"]
        differences = self.reload(
            {
                "xmppd": {"domain": ORG},
                "tls": self.files("org"),
                f"domain {COM}": self.files("com"),
                "login": {"deadline": "3s"},
            }
        )
        self.assertEqual(differences.changed, ("[login] deadline",))
        self.assertIn("[tls] certificate", differences.fixed)
        self.assertEqual(self.shown(), before)
        self.reload({"tls": {"callbridge_certificate": "none"}})
        self.assertEqual(self.shown(), before)

    def test_websocket_port(self) -> None:
        """What was checked together with a port comes together with it."""
        differences = self.reload(
            {"client": {"websocket_listen": None, "websocket_url": None, "sign_in_page": "no"}}
        )
        self.assertEqual(differences.fixed, ("[client] websocket_listen",))
        self.assertEqual(self.server.config.client.websocket_listen, ("tcp:5443",))


class SettingsTests(ReloadCase):
    """What changes at once."""

    def test_numbers(self) -> None:
        """Limits and times."""
        self.reload(
            {
                "component": {"registration_timeout": "1s", "ping_interval": "2s"},
                "client": {"login_timeout": "9s"},
                "login": {"deadline": "4s", "max_waiting": 5},
                "session": {"max_sessions_per_user": 6, "resumption_timeout": "7s"},
            }
        )
        server = self.server
        self.assertEqual(server.components.times.registration_timeout, 1.0)
        self.assertEqual(server.components.times.ping_interval, 2.0)
        self.assertEqual(server.clients.login_timeout, 9.0)
        self.assertEqual(server.clients.resumption_timeout, 7.0)
        self.assertEqual(server.sessions.limit, 6)
        for domain in server.domains.values():
            self.assertEqual((domain.logins.deadline, domain.logins.max_waiting), (4.0, 5))

    def test_connections(self) -> None:
        """A lower limit lets those stay who are there; one that is gone lets in whoever comes."""
        clients = self.server.clients
        for _ in range(3):
            self.assertTrue(clients.admit("192.0.2.1"))
        self.reload({"limits": {"max_connections": 3}})
        self.assertFalse(clients.admit("192.0.2.2"))
        self.reload({"limits": {"max_not_logged_in_per_address": 3}})
        self.assertFalse(clients.admit("192.0.2.1"))
        self.assertTrue(clients.admit("192.0.2.2"))
        self.reload(
            {
                "limits": {
                    "max_not_logged_in_per_address": 3,
                    "unlimited_networks": "192.0.2.0/24",
                }
            }
        )
        self.assertTrue(clients.admit("192.0.2.1"))
        self.assertEqual(len(clients.connections), 5)

    def test_failed_logins(self) -> None:
        """Failures that were counted count by the new limits; and not where nothing is counted."""
        failed = self.server.failed_logins

        def fail() -> None:
            waiting = Deferred.fromCoroutine(failed.turn("192.0.2.1"))
            self.clock.advance(5)
            turn = self.successResultOf(waiting)
            failed.ended(turn, "192.0.2.1", "PLAIN", "not-authorized")

        fail()
        fail()
        self.reload({"failed_logins": {"free": 2, "most": 3}})
        self.assertEqual(failed.pauses(), [])
        fail()
        self.assertEqual([network for network, _ in failed.pauses()], ["192.0.2.1"])
        self.reload({"failed_logins": {"enabled": "no"}})
        self.assertFalse(failed.counts("192.0.2.1", "PLAIN"))
        self.reload({"client": {"trusted_proxies": "192.0.2.1"}})
        self.assertFalse(failed.counts("192.0.2.1", "PLAIN"))
        self.assertTrue(failed.counts("192.0.2.2", "PLAIN"))

    def test_turn(self) -> None:
        """Other TURN servers, and clients see whether there are some."""
        queries = self.server.queries[COM]
        before = queries.features
        self.reload({"turn": {"services": "stun:stun.example.com"}})
        self.assertEqual(len(queries.external.services), 1)
        self.assertEqual(len(queries.features), len(before) + 1)
        self.reload({})
        self.assertEqual(queries.features, before)

    def test_page(self) -> None:
        """The sign-in page comes and goes."""
        site = self.server.site
        assert site is not None
        for wanted in ("yes", "no"):
            self.reload({"client": {"sign_in_page": wanted}})
            self.assertEqual(b"page" in site.resource.children, wanted == "yes")
            self.assertIn(b"xmpp-websocket", site.resource.children)

    def test_proxies(self) -> None:
        """Ports read PROXY headers from those that are trusted now."""
        proxies = AnnouncingProxies(lambda: self.server.config.client, "listen")
        self.assertNotIn("192.0.2.1", proxies)
        trusted = {"trusted_proxies": "192.0.2.0/28"}
        self.reload({"client": {**trusted, "proxy_protocol": "listen"}})
        self.assertIn("192.0.2.1", proxies)
        self.assertNotIn("192.0.2.99", proxies)
        self.reload({"client": {**trusted, "proxy_protocol": "websocket_listen"}})
        self.assertNotIn("192.0.2.1", proxies)
        self.assertEqual(self.server.config.client.trusted_proxies, (ip_network("192.0.2.0/28"),))
