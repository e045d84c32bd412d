"""Tests of xmppd.metrics: a whole server, with clients and components in memory."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from bridgewire.handshake import component_digest
from bridgewire.namespaces import CLIENT, COMPONENT, SASL
from daemonkit.metrics.lag import ReactorLag
from daemonkit.reload import Outcome, Reload
from tests.daemonkit.records import a_record
from tests.support.exposed import Series, documented, exposed, offered
from tests.support.memory import Peer
from tests.xmppd.client_case import AUTH, BIND, secured
from tests.xmppd.test_reload import ReloadCase
from xmppd.components.registry import RegistryFault
from xmppd.config import load
from xmppd.metrics import MAX_COMPONENTS, make_metrics, not_ready, parts_of
from xmppd.service import Server

CB1 = "cb1.example.com"
SECRET = "s3cret-of-a-callbridge"


class MetricsCase(ReloadCase):
    """A server for example.com, which knows cb1 and cb2, and for example.org."""

    def setUp(self) -> None:
        super().setUp()
        self.registry = self.server.registry
        for name in ("cb1", "cb2"):
            self.registry.add_secret("example.com", name, SECRET)
        self.reloading: Reload[Any] = Reload(self.clock, None, None, None)  # type: ignore[arg-type]
        self.metrics = make_metrics(self.clock, self.server, self.reloading)

    def seen(self) -> Series:
        return exposed(self.metrics)

    def value(self, *name: str) -> float:
        return self.seen()[name]

    def component(self, capacity: int = 20, mechanisms: tuple[str, ...] = ("PLAIN",)) -> Peer:
        """cb1, registered and serving."""
        stream = self.server.components.accept("192.0.2.7")
        assert stream is not None
        peer = Peer(stream, COMPONENT)
        found = re.search("id='([^']+)'", peer.open(CB1))
        assert found is not None
        digest = component_digest(found[1], SECRET)
        self.assertEqual(peer.type(f"<handshake>{digest}</handshake>"), "<handshake/>")
        offered = "".join(f"<mechanism>{one}</mechanism>" for one in mechanisms)
        peer.type(
            f"<iq type='set' id='1' from='{CB1}' to='example.com'><serve "
            f"xmlns='urn:x-callbridge:login:1' capacity='{capacity}'>{offered}</serve></iq>"
        )
        return peer

    def client(self) -> Peer:
        """One that may log in."""
        peer = secured(self.server.clients)
        peer.open("example.com", version="1.0")
        return peer

    def answer(self, component: Peer, reply: str, more: str = "") -> None:
        """Let the component answer the login that it was asked about."""
        asked = component.read()
        found = re.search("id='([^']+)'.*session='([^']+)'", asked)
        assert found is not None, asked
        component.type(
            f"<iq type='result' id='{found[1]}' from='{CB1}' to='example.com'>"
            f"<login xmlns='urn:x-callbridge:login:1' session='{found[2]}' {more}>{reply}</login>"
            "</iq>"
        )

    def log_in(self, component: Peer) -> Peer:
        client = self.client()
        client.type(AUTH)
        self.clock.advance(0.25)
        self.answer(component, f"<success xmlns='{SASL}'/>", "username='alice' took='0.2'")
        client.open("example.com", version="1.0")
        client.type(BIND.format(""))
        return client


class GaugeTests(MetricsCase):
    """What is looked at when it is scraped."""

    def test_nothing_yet(self) -> None:
        """A server that nobody has connected to has all series at 0, so that rates can begin."""
        seen = self.seen()
        self.assertEqual(seen[("xmppd_component_up", CB1)], 0)
        self.assertEqual(seen[("xmppd_callbridges_serving", "example.com")], 0)
        self.assertEqual(seen[("xmppd_sessions", "example.org")], 0)
        self.assertEqual(seen[("xmppd_connections", "STARTTLS")], 0)
        self.assertEqual(seen[("xmppd_refused_total", "max_connections")], 0)

    def test_callbridge(self) -> None:
        """A Call Bridge is up while it is connected; draining, it serves nobody."""
        peer = self.component(capacity=20)
        seen = self.seen()
        up = [seen[("xmppd_component_up", f"{name}.example.com")] for name in ("cb1", "cb2")]
        self.assertEqual(up, [1, 0])
        self.assertEqual(seen[("xmppd_callbridges_serving", "example.com")], 1)
        self.assertEqual(seen[("xmppd_callbridge_capacity_logins", CB1)], 20)
        peer.type(
            f"<iq type='set' id='2' from='{CB1}' to='example.com'>"
            "<serve xmlns='urn:x-callbridge:login:1' capacity='0'>"
            "<mechanism>PLAIN</mechanism></serve></iq>"
        )
        self.assertEqual(self.value("xmppd_callbridges_serving", "example.com"), 0)
        peer.lose()
        self.assertEqual(self.value("xmppd_component_up", CB1), 0)
        self.assertEqual(self.value("xmppd_component_failures_total", "link-lost", "active"), 1)

    def test_names_of_the_registry(self) -> None:
        """New names are seen within seconds, and one that cannot be read changes nothing."""
        self.seen()
        self.registry.add("example.org", "cb9")
        self.clock.advance(11)
        self.assertEqual(self.value("xmppd_component_up", "cb9.example.org"), 0)

        def broken(_: int) -> list[str]:
            raise RegistryFault("it is broken")

        self.patch(self.registry, "hosts", broken)
        self.clock.advance(11)
        self.assertEqual(self.value("xmppd_component_up", "cb9.example.org"), 0)

    def test_sessions(self) -> None:
        """Sessions and connections are counted as they come and go."""
        component = self.component()
        clients = [self.log_in(component) for _ in range(3)]
        waiting = self.client()
        seen = self.seen()
        self.assertEqual(seen[("xmppd_sessions", "example.com")], 3)
        self.assertEqual(seen[("xmppd_connections", "STARTTLS")], 4)
        self.assertEqual(seen[("xmppd_connections_not_logged_in",)], 1)
        for peer in (*clients, waiting):
            peer.type("</stream:stream>")
            peer.lose()
        seen = self.seen()
        self.assertEqual(seen[("xmppd_sessions", "example.com")], 0)
        self.assertEqual(seen[("xmppd_connections", "STARTTLS")], 0)

    def test_replaced_session(self) -> None:
        """A session that takes another one's place is one session."""
        component = self.component()
        for _ in range(2):
            client = self.client()
            client.type(AUTH)
            self.answer(component, f"<success xmlns='{SASL}'/>", "username='alice'")
            client.open("example.com", version="1.0")
            client.type(BIND.format("<resource>phone</resource>"))
        self.assertEqual(self.value("xmppd_sessions", "example.com"), 1)
        client.type("</stream:stream>")
        self.assertEqual(self.value("xmppd_sessions", "example.com"), 0)

    def test_logins_under_way(self) -> None:
        """Logins under way are told, with those that wait for room, and whose they are."""
        self.component(capacity=1)
        for _ in range(3):
            self.client().type(AUTH)
        seen = self.seen()
        self.assertEqual(seen[("xmppd_waiting_logins", "example.com")], 3)
        self.assertEqual(seen[("xmppd_queued_logins", "example.com")], 2)
        self.assertEqual(seen[("xmppd_callbridge_outstanding_logins", CB1)], 1)

    def test_certificates(self) -> None:
        """Each certificate's end is told, by what it is for and whose it is."""
        der = (self.directory / "com.crt").read_bytes()
        ends = x509.load_pem_x509_certificate(der).not_valid_after_utc.timestamp()
        name = "xmppd_certificate_expiry_timestamp_seconds"
        self.assertEqual(self.value(name, "example.com", "certificate"), ends)
        self.assertIn((name, "example.org", "callbridge_ca"), self.seen())

    def test_reload(self) -> None:
        """A reload that failed can be seen."""
        self.assertEqual(self.value("xmppd_config_last_reload_successful"), 1)
        self.reloading.last = Outcome(datetime.now(UTC), ok=False)
        self.assertEqual(self.value("xmppd_config_last_reload_successful"), 0)

    def test_many_components(self) -> None:
        """However many names there are, some of them have series."""
        for number in range(MAX_COMPONENTS + 10):
            self.registry.add("example.com", f"another{number}")
        up = [one for one in self.seen() if one[0] == "xmppd_component_up"]
        self.assertEqual(len(up), MAX_COMPONENTS)


class CountTests(MetricsCase):
    """What is counted as it happens."""

    def test_login(self) -> None:
        """A login is counted, and its time told apart."""
        self.log_in(self.component())
        seen = self.seen()
        self.assertEqual(seen[("xmppd_logins_total", "PLAIN", "success")], 1)
        took = {
            part: seen[("xmppd_login_duration_seconds_sum", part)]
            for part in ("whole", "xmppd", "link", "callbridge")
        }
        for part, seconds in {"whole": 0.25, "xmppd": 0, "link": 0.05, "callbridge": 0.2}.items():
            self.assertAlmostEqual(took[part], seconds, msg=part)

    def test_parts(self) -> None:
        """The parts are the whole; what nobody can tell apart stays together."""
        waited = {"pause": 1.0, "room": 2.0, "callbridge": 4.0, "client": 8.0}
        parts = parts_of(a_record(seconds=16.0, waited=waited, link=1.5))
        self.assertEqual(parts.pop("whole"), 16.0)
        self.assertEqual((sum(parts.values()), parts["link"], parts["xmppd"]), (16.0, 1.5, 1.0))
        self.assertNotIn("link", parts_of(a_record(waited={"callbridge": 1.0})))

    def test_refused_by_limit(self) -> None:
        """Who is refused is counted by the limit that was reached."""
        places = self.server.clients.connections
        places.set_limits(2, 1)
        self.assertIsNotNone(self.server.clients.accept("192.0.2.1"))
        self.assertIsNone(self.server.clients.accept("192.0.2.1"))
        self.assertIsNotNone(self.server.clients.accept("192.0.2.2"))
        self.assertIsNone(self.server.clients.accept("192.0.2.3"))
        places.set_limits(0, 0)
        self.server.domains["example.com"].logins.max_waiting = 1
        self.component()
        for _ in range(2):
            self.client().type(AUTH)
        seen = self.seen()
        refused = {
            limit: seen[("xmppd_refused_total", limit)]
            for limit in ("max_connections", "max_connections_per_address", "max_waiting")
        }
        self.assertEqual(set(refused.values()), {1.0}, refused)

    def test_too_many_sessions(self) -> None:
        """A session that could not be bound is counted by its limit, too."""
        self.server.sessions.limit = 1
        component = self.component()
        for _ in range(2):
            self.log_in(component)
        self.assertEqual(self.value("xmppd_refused_total", "max_sessions_per_user"), 1)

    def test_keepalive(self) -> None:
        """How long a ping's answer took is told."""
        peer = self.component()
        self.clock.advance(15)
        asked = re.search("id='([^']+)'", peer.read())
        assert asked is not None
        self.clock.advance(0.5)
        peer.type(f"<iq type='result' id='{asked[1]}' from='{CB1}' to='example.com'/>")
        name = "xmppd_keepalive_round_trip_seconds"
        self.assertEqual((self.value(f"{name}_count"), self.value(f"{name}_sum")), (1, 0.5))

    def test_hostile_peers(self) -> None:
        """What peers say makes no series: neither mechanisms, names, domains nor addresses."""
        component = self.component(mechanisms=("PLAIN", *(f"X-{n}" for n in range(60))))
        self.server.failed_logins.reconfigure(None, ())  # else most would be refused
        # One of each fault that is to come in hundreds.
        self._hostile(component, 0)
        before = set(self.seen())
        for number in range(1, 200):
            self._hostile(component, number)
        self.assertEqual(set(self.seen()) - before, set())
        self.assertEqual(self.value("xmppd_logins_total", "other", "not-authorized"), 200)

    def _hostile(self, component: Peer, number: int) -> None:
        client = self.client()
        client.type(f"<auth xmlns='{SASL}' mechanism='Y-{number}'/>")
        data = base64.b64encode(f"\0mallory{number}\0x".encode()).decode()
        client.type(f"<auth xmlns='{SASL}' mechanism='X-{number % 60}'>{data}</auth>")
        failure = f"<failure xmlns='{SASL}'><not-authorized/></failure>"
        self.answer(component, failure, "took='0'")
        client.lose()
        for domain in (f"evil{number}.example", f"cb{number}.evil.example"):
            for accept, namespace in (
                (self.server.clients.accept, CLIENT),
                (self.server.components.accept, COMPONENT),
            ):
                stream = accept(f"2001:db8:{number:x}::1")
                assert stream is not None
                peer = Peer(stream, namespace)
                peer.open(domain, version="1.0")
                peer.lose()
        peer = self.client()
        peer.type(f"<evil{number} xmlns='urn:evil:{number}'/>")
        peer.lose()


class DocumentTests(MetricsCase):
    """docs/metrics.md."""

    def test_complete(self) -> None:
        """It has each series that there is, with its type and labels, and no others."""
        component = self.component()
        self.log_in(component)
        self.log_in(component).type("<evil xmlns='urn:evil'/>")
        component.lose()
        self.component()
        ReactorLag(self.clock, "xmppd", self.metrics)
        found, said = offered(self.metrics, "xmppd"), documented("xmppd")
        self.assertEqual(set(found), set(said))
        for name, one in found.items():
            self.assertEqual(one, said[name])


class ReadyTests(MetricsCase):
    """Whether clients can log in."""

    def test_ready(self) -> None:
        """It is, with a Call Bridge that takes logins, and from the start until the stop."""
        [why] = not_ready(self.server, listening=True)
        self.assertIn("No Call Bridge takes logins of example.com, example.org.", why)
        self.component()
        self.assertEqual(not_ready(self.server, listening=True), [])
        self.assertNotEqual(not_ready(self.server, listening=False), [])

    def test_draining(self) -> None:
        """One that drains does not count."""
        self.component(capacity=0)
        self.assertEqual(len(not_ready(self.server, listening=True)), 1)


class PortTests(MetricsCase):
    """What the metrics port shows."""

    def setUp(self) -> None:
        super().setUp()
        self.issue("met")

    def test_none(self) -> None:
        """Without a certificate it is without TLS, and gets none by a reload."""
        self.assertIsNone(self.server.metrics_tls)
        differences = self.reload({"metrics": self.files("met")})
        self.assertEqual(differences.fixed, ("[metrics] certificate", "[metrics] private_key"))
        self.assertIsNone(self.server.metrics_tls)

    def test_renewed(self) -> None:
        """A renewed certificate is shown after a reload, and its end is told."""
        self.write({"metrics": self.files("met")})
        self.server = Server(self.clock, load(self.path))
        self.addCleanup(self.server.registry.close)
        shown = self.server.metrics_tls
        assert shown is not None
        before = shown.identity.certificate.serial_number
        self.issue("met")
        self.reload()
        self.assertNotEqual(shown.identity.certificate.serial_number, before)
        found = exposed(make_metrics(self.clock, self.server, self.reloading))
        ends = found[("xmppd_certificate_expiry_timestamp_seconds", "", "metrics_certificate")]
        self.assertGreater(ends, (datetime.now(UTC) + timedelta(hours=1)).timestamp())
