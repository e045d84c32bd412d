"""Tests of callbridged.metrics: a Call Bridge whose links say what the test wants."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from bridgewire.login import LoginRequest
from bridgewire.sasl import CONDITIONS, MECHANISMS, sasl_message
from bridgewire.steps import Reason, Step, StepFailure
from callbridged.alarms.alarm import Kind
from callbridged.backends import BackendUnavailable
from callbridged.bridge import link_settings
from callbridged.config import load
from callbridged.links.discovery import MAX_TARGETS, Target
from callbridged.links.link_counts import LinkCounts
from callbridged.logins.login import NoRoom
from callbridged.logins.mechanisms import MECHANISMS as ANSWERED
from callbridged.metrics import MAX_BACKENDS, make_metrics, not_ready, parts_of
from callbridged.ports import port_tls
from callbridged.reload import settle
from daemonkit.metrics.lag import ReactorLag
from daemonkit.reload import Reload
from tests.callbridged.people import MemoryBackend, auth, plain
from tests.callbridged.test_reload import ReloadCase
from tests.daemonkit.records import a_record
from tests.support.exposed import Series, documented, exposed, offered


def a_link(number: int, state: str = "registered", **more: Any) -> dict[str, Any]:
    """One as in the status."""
    target = f"xmpp{number}.example.com:5223"
    return {"target": target, "state": state, "last_error": None, "clock_skew": None, **more}


class Links:
    """Stands for the links."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.found: list[dict[str, Any]] = []
        self.old: list[dict[str, Any]] = []

    def status(self) -> list[dict[str, Any]]:
        return self.found

    def former(self) -> list[dict[str, Any]]:
        return self.old

    @property
    def registered(self) -> int:
        return sum(one["state"] == "registered" for one in self.found)

    def hurry(self) -> None: ...


class Alarms:
    """Stands for the alarms."""

    active: tuple[Any, ...] = ()


class MetricsCase(ReloadCase):
    """A Call Bridge with a backend in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.backend = MemoryBackend()
        self.bridge.users.replace([("memory:", self.backend)])
        self.links = Links(link_settings(self.bridge.config)[0])  # type: ignore[assignment]
        self.bridge.links = self.links  # type: ignore[assignment]
        self.alarms = Alarms()
        self.reloading: Reload[Any] = Reload(self.reactor, None, None, None)  # type: ignore[arg-type]
        self.metrics = make_metrics(self.reactor, self.bridge, self.reloading, self.alarms)  # type: ignore[arg-type]

    def seen(self) -> Series:
        return exposed(self.metrics)

    def value(self, *name: str) -> float:
        return self.seen()[name]

    def ask(self, element: Any, session: str = "s1", peer: str = "203.0.113.7") -> Deferred[Any]:
        request = LoginRequest(session, element, peer, 10.0)
        return Deferred.fromCoroutine(self.bridge.logins.answer(request, "link", "xmpp1"))


class LinkTests(MetricsCase):
    """Links, as they are and as they were."""

    def test_states(self) -> None:
        """Links are counted by state, all states there are; each tells whether it is up."""
        self.links.found = [a_link(1), a_link(2, "waiting"), a_link(3, "waiting")]
        seen = self.seen()
        self.assertEqual(seen[("callbridged_links", "waiting")], 2)
        self.assertEqual(seen[("callbridged_links", "resolving")], 0)
        self.assertEqual(seen[("callbridged_link_up", "xmpp1.example.com:5223")], 1)
        self.assertEqual(seen[("callbridged_link_up", "xmpp2.example.com:5223")], 0)

    def test_failure(self) -> None:
        """Why a link is down is told by step and reason, also where no server is known."""
        error = {"step": "tls", "reason": "certificate-expired", "text": "It has expired."}
        self.links.found = [a_link(1, "waiting", last_error=error)]
        name = "callbridged_link_failure"
        found = ("certificate-expired", "tls", "xmpp1.example.com:5223")
        self.assertEqual(self.value(name, *found), 1)
        nobody = {"step": "srv", "reason": "no-such-service", "text": "There is none."}
        self.links.found = [a_link(1, "waiting", last_error=nobody, target="")]
        self.assertEqual(self.value(name, "no-such-service", "srv", ""), 1)
        self.links.found = [a_link(1)]
        self.assertNotIn((name, *found), self.seen())

    def test_clock_and_former(self) -> None:
        """By how much a server's clock is ahead is told, and how many former links are up."""
        self.links.found = [a_link(1, clock_skew=-3.0), a_link(2)]
        self.links.old = [a_link(8), a_link(9, "waiting")]
        seen = self.seen()
        name = "callbridged_link_clock_skew_seconds"
        self.assertEqual(seen[(name, "xmpp1.example.com:5223")], -3)
        self.assertNotIn((name, "xmpp2.example.com:5223"), seen)
        self.assertEqual(seen[("callbridged_former_links",)], 1)

    def test_any_servers(self) -> None:
        """Servers that DNS names today are there today, so many and no more."""
        for day in range(20):
            self.links.found = [a_link(day * 100 + number) for number in range(40)]
            up = [one for one in self.seen() if one[0] == "callbridged_link_up"]
            self.assertEqual(len(up), MAX_TARGETS)

    def test_counted(self) -> None:
        """What links have been through is counted over all of them."""
        counts = self.bridge.relay.counts
        target = Target("xmpp1.example.com", 5223)
        counts.registered(target)
        counts.lost(target)
        failure = StepFailure(Step.CONNECT, Reason.CONNECT_REFUSED, "Nobody is there.")
        self.bridge.relay.link_failed(target, failure)
        self.bridge.relay.link_failed(None, failure)
        counts.registered(target)
        seen = self.seen()
        self.assertEqual(seen[("callbridged_registrations_total",)], 2)
        self.assertEqual(seen[("callbridged_reconnects_total",)], 1)
        name = "callbridged_link_failures_total"
        self.assertEqual(seen[(name, "connect-refused", "connect")], 2)

    def test_reconnects(self) -> None:
        """A registration is a reconnect after a loss, and not the first one of another server."""
        counts, (one, other) = LinkCounts(), (Target("a", 1), Target("b", 1))
        for _ in range(2):
            counts.registered(one)
        counts.registered(other)
        self.assertEqual((counts.registrations, counts.reconnects), (3, 0))
        counts.lost(one)
        counts.registered(other)
        self.assertEqual(counts.reconnects, 0)
        counts.registered(one)
        self.assertEqual(counts.reconnects, 1)

    def test_lost_ones_are_bounded(self) -> None:
        """Servers that never come back are forgotten some day."""
        counts = LinkCounts()
        for number in range(2000):
            counts.lost(Target(f"xmpp{number}", 5223))
        counts.registered(Target("xmpp0", 5223))
        counts.registered(Target("xmpp1999", 5223))
        self.assertEqual(counts.reconnects, 1)

    def test_round_trip(self) -> None:
        """How long a server took to answer a ping is told."""
        link: Any = None
        self.bridge.relay.link_answered(link, 0.25)
        name = "callbridged_keepalive_round_trip_seconds"
        self.assertEqual((self.value(f"{name}_count"), self.value(f"{name}_sum")), (1, 0.25))


class LoginTests(MetricsCase):
    """Logins, and who answers them."""

    def test_login(self) -> None:
        """A login is counted, its time told apart, and so is what the backend was asked."""
        self.backend.hold = True
        answer = self.ask(plain("alice", "wonderland"))
        self.reactor.advance(0.5)
        self.assertEqual(self.value("callbridged_outstanding_logins"), 1)
        self.backend.waiting.pop().callback(None)
        self.assertEqual(self.successResultOf(answer).element.name, "success")
        seen = self.seen()
        self.assertEqual(seen[("callbridged_outstanding_logins",)], 0)
        self.assertEqual(seen[("callbridged_logins_total", "PLAIN", "success")], 1)
        spent = {
            part: seen[("callbridged_login_duration_seconds_sum", part)]
            for part in ("whole", "backend", "callbridge")
        }
        self.assertEqual(spent, {"whole": 0.5, "backend": 0.5, "callbridge": 0.0})
        name = "callbridged_backend_questions_total"
        self.assertEqual(seen[(name, "memory:", "answered")], 1)
        self.assertEqual(seen[("callbridged_backend_duration_seconds_sum", "memory:")], 0.5)

    def test_parts(self) -> None:
        """What nobody was waited for is our own part."""
        waited = {"backend": 2.0, "client": 4.0}
        parts = parts_of(a_record(seconds=7.0, waited=waited))
        self.assertEqual(parts, {"whole": 7.0, "callbridge": 1.0, **waited})
        self.assertEqual(parts_of(a_record(seconds=1.0)), {"whole": 1.0, "callbridge": 1.0})

    def test_client(self) -> None:
        """The time until the client's next message is the client's."""
        self.successResultOf(self.ask(auth("PLAIN", None)))
        self.reactor.advance(2)
        self.successResultOf(self.ask(sasl_message("abort")))
        self.assertEqual(self.value("callbridged_login_duration_seconds_sum", "client"), 2.0)

    def test_backend_down(self) -> None:
        """A backend that cannot look is down until it can, and its questions have failed."""
        self.assertEqual(self.value("callbridged_backend_up", "memory:"), 1)
        self.backend.error = BackendUnavailable("it is on fire")
        self.successResultOf(self.ask(plain("alice", "wonderland")))
        self.assertEqual(self.value("callbridged_backend_up", "memory:"), 0)
        name = "callbridged_backend_questions_total"
        self.assertEqual(self.value(name, "memory:", "failed"), 1)
        self.backend.error = None
        self.successResultOf(self.ask(plain("alice", "wonderland")))
        self.assertEqual(self.value("callbridged_backend_up", "memory:"), 1)

    def test_given_up(self) -> None:
        """A question that nobody waits for any more is neither an answer nor a failure."""
        self.backend.hold = True
        answer = self.ask(plain("alice", "wonderland"))
        self.reactor.advance(10)
        self.successResultOf(answer)
        name = "callbridged_backend_questions_total"
        self.assertEqual(self.value(name, "memory:", "given-up"), 1)

    def test_refused(self) -> None:
        """Who was refused is counted by the limit; while it drains there is no such limit."""
        self.bridge.logins._capacity = 0
        self.failureResultOf(self.ask(plain("alice", "x")), NoRoom)
        self.bridge.relay.drain(True)
        self.failureResultOf(self.ask(plain("alice", "x")), NoRoom)
        seen = self.seen()
        self.assertEqual(seen[("callbridged_refused_total", "capacity")], 1)
        self.assertEqual(seen[("callbridged_draining",)], 1)

    def test_guests(self) -> None:
        """Guests are counted, and those for whom there was no place."""
        limits = {"enabled": "yes", "max_guests": 3, "max_guests_per_network": 2}
        self.write({"guest": limits})
        self.bridge.configure(load(self.path), None)
        for number, peer in enumerate(("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")):
            self.successResultOf(self.ask(auth("ANONYMOUS", ""), f"s{number}", peer))
        self.successResultOf(self.ask(auth("ANONYMOUS", ""), "s9", "192.0.2.3"))
        seen = self.seen()
        self.assertEqual(seen[("callbridged_guests",)], 3)
        self.assertEqual(seen[("callbridged_refused_total", "max_guests_per_network")], 1)
        self.assertEqual(seen[("callbridged_refused_total", "max_guests")], 1)

    def test_hostile(self) -> None:
        """Neither mechanisms, names nor addresses that peers make up become series."""
        self.successResultOf(self.ask(auth("X-0", "x")))
        self.successResultOf(self.ask(plain("mallory", "x")))
        before = set(self.seen())
        for number in range(1, 300):
            peer = f"2001:db8::{number:x}"
            self.successResultOf(self.ask(auth(f"X-{number}", "x"), peer=peer))
            self.successResultOf(self.ask(plain(f"mallory{number}", "x"), peer=peer))
        self.assertEqual(set(self.seen()), before)
        self.assertEqual(self.value("callbridged_logins_total", "other", "invalid-mechanism"), 300)

    def test_many_backends(self) -> None:
        """However often backends are replaced by others, some of them have series."""
        for number in range(MAX_BACKENDS + 30):
            self.bridge.users.asked(f"plugin:{number}", "answered", 0.1)
        name = "callbridged_backend_duration_seconds_count"
        found = [one for one in self.seen() if one[0] == name]
        self.assertEqual(len(found), MAX_BACKENDS + 1)
        self.assertEqual(self.value(name, "other"), 30)

    def test_known(self) -> None:
        """Each mechanism that is answered, and each way a login can end, has a series."""
        self.assertLessEqual(set(ANSWERED), MECHANISMS)
        self.assertIn("temporary-auth-failure", CONDITIONS)


class DocumentTests(MetricsCase):
    """docs/metrics.md."""

    def test_complete(self) -> None:
        """It has each series that there is, with its type and labels, and no others."""
        error = {"step": "tls", "reason": "tls-failure", "text": "It does not work."}
        self.links.found = [a_link(1, "waiting", last_error=error, clock_skew=1.0)]
        failure = StepFailure(Step.TLS, Reason.TLS_FAILURE, "It does not work.")
        self.bridge.relay.link_failed(None, failure)
        self.successResultOf(self.ask(plain("alice", "wonderland")))
        ReactorLag(self.reactor, "callbridged", self.metrics)
        found, said = offered(self.metrics, "callbridged"), documented("callbridged")
        self.assertEqual(set(found), set(said))
        for name, one in found.items():
            self.assertEqual(one, said[name])


class OtherTests(MetricsCase):
    """Certificates, alarms, and whether it is of use."""

    def test_certificates(self) -> None:
        """The ends of the certificates in use are told, those of our own ports too."""
        context = port_tls("admin", self.bridge.config)
        assert context is not None
        self.bridge.ports["admin"] = context
        name = "callbridged_certificate_expiry_timestamp_seconds"
        found = {one[2] for one in self.seen() if one[0] == name}
        self.assertEqual(found, {"certificate", "admin_certificate", "xmpp_ca"})

    def test_alarms(self) -> None:
        """Alarms are counted by kind; each kind is there, so that none is told by silence."""
        self.alarms.active = (type("A", (), {"kind": Kind.LINK_DOWN}),) * 2
        found = {one[1]: value for one, value in self.seen().items() if "alarms" in one[0]}
        self.assertEqual(found.pop("link-down"), 2)
        self.assertEqual(found, {str(kind): 0 for kind in Kind if kind is not Kind.LINK_DOWN})

    def test_ready(self) -> None:
        """It is of use with a link and a backend, while it does not drain."""
        [why] = not_ready(self.bridge)
        self.assertIn("No XMPP server has a link", why)
        self.links.found = [a_link(1), a_link(2, "waiting")]
        self.assertEqual(not_ready(self.bridge), [])
        self.bridge.relay.drain(True)
        self.assertIn("drains", not_ready(self.bridge)[0])
        self.bridge.relay.drain(False)
        self.backend.error = BackendUnavailable("it is on fire")
        self.successResultOf(self.ask(plain("alice", "wonderland")))
        self.assertIn("No user backend", not_ready(self.bridge)[0])

    def test_metrics_tls(self) -> None:
        """A metrics port that has no TLS gets none by a reload."""
        changed = {"metrics": {"certificate": "cb1.crt", "private_key": "cb1.key"}}
        old = load(self.path)
        self.write(changed)
        config, differences = settle(old, load(self.path))
        self.assertEqual(differences.fixed, ("[metrics] certificate", "[metrics] private_key"))
        self.assertIsNone(config.metrics.certificate)
