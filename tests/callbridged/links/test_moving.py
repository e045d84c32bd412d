"""Tests of callbridged.links.moving: links that move to other settings, over real TLS in memory."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.handshake import component_digest
from bridgewire.steps import Reason
from callbridged.links.generation import ANNOUNCE_TIMEOUT, Plan
from callbridged.links.link_interface import ActiveLink
from callbridged.links.moving import MovingLinks
from daemonkit.hosts import HostPort
from tests.callbridged.links.links_case import NO_RECORD, ONE, THREE, TWO, at
from tests.callbridged.links.test_registration import Delegate
from tests.callbridged.links.test_renewal import Slow
from tests.callbridged.links.test_retry import Highest
from tests.callbridged.network import HOSTS, Network, Server, Zone, settings

#: A little more than a refusal waits.
AFTER_REFUSAL = 67


def plan(*hosts: str, by_srv: bool = False, secret: str = "s3cret", name: str = "cb1") -> Plan:
    """Links to these hosts, by their SRV records if there are several."""
    zone = Zone(*map(at, hosts))
    made = replace(settings(ping_interval=6000.0), name=name, secret=secret)
    address = None if by_srv or len(hosts) > 1 else HostPort(hosts[0], None)
    return Plan(made, zone, zone, address)


class Deaf(Delegate):
    """Whose servers do not acknowledge that there is a successor."""

    def __init__(self) -> None:
        super().__init__()
        self.announcing: list[Deferred[None]] = []

    def link_announces(self, link: ActiveLink) -> Deferred[None]:
        super().link_announces(link)
        self.announcing.append(Deferred())
        return self.announcing[-1]


class MovingCase(SynchronousTestCase):
    """Links that are up, to the first server unless it is said otherwise."""

    delegate: Delegate
    links: MovingLinks

    def setUp(self) -> None:
        self.network = Network()
        self.delegate = Delegate()

    def start(self, first: Plan | None = None) -> None:
        self.links = MovingLinks(self.network, first or plan(ONE), self.delegate, Highest())
        self.links.startService()
        self.network.settle()

    def up(self, *hosts: str) -> list[Server]:
        self.start(plan(*hosts or (ONE,)))
        servers = [self.network.accept(host).register() for host in hosts or (ONE,)]
        self.network.dialled()
        return servers

    def move(self, *hosts: str, at_once: bool = False, **more: Any) -> None:
        self.links.reconfigure(plan(*hosts, **more), at_once=at_once)
        self.network.settle()

    def greet(self, host: str, secret: str = "s3cret") -> tuple[Server, str | None]:
        """Accept the last connection to ``host``; answer it, and which successor it shows."""
        server = self.network.accept(host)
        found = re.search(r"<handshake(?: successor='([^']+)')?>(\w+)</handshake>", server.open())
        assert found is not None
        self.assertEqual(found[2], component_digest("abc", secret))
        return server, found[1]

    def refuse(self, host: str, condition: str) -> None:
        self.network.accept(host).refuse(condition)
        self.network.settle()

    def drained(self) -> None:
        """The logins under way are over, on all links that drain."""
        for draining in self.delegate.draining:
            if not draining.called:
                draining.callback(None)
        self.network.settle()

    def using(self) -> list[str]:
        """Where the delegate may use links to, and as whom."""
        return [
            f"{link.component.split('.')[0]} {link.target.host}" for link in self.delegate.links
        ]

    def states(self) -> tuple[dict[str, str], dict[str, str]]:
        """Of the links, and of the former ones."""
        both = (self.links.status(), self.links.former())
        new, old = ({str(o["target"])[:5]: str(o["state"]) for o in some} for some in both)
        return new, old

    def successor(self) -> str:
        """What was announced last."""
        return self.delegate.announced[-1]


class MovedTests(MovingCase):
    """Settings that work."""

    def test_another_server(self) -> None:
        """The former link is there until the new one is, and then drains."""
        (older,) = self.up()
        with capturedLogs() as logged:
            self.move(TWO)
            self.assertEqual(self.states(), ({"xmpp2": "connecting"}, {"xmpp1": "registered"}))
            self.assertTrue(self.links.moving)
            newer = self.network.accept(TWO)
            self.assertEqual((self.using(), self.delegate.draining), ([f"cb1 {ONE}"], []))
            newer.register()
        self.assertEqual(self.using(), [f"cb1 {ONE}", f"cb1 {TWO}"])
        self.assertEqual(len(self.delegate.draining), 1)
        self.assertFalse(self.links.moving)
        self.assertFalse(older.lost)
        self.drained()
        self.assertTrue(older.lost)
        self.assertEqual((self.using(), self.links.registered), ([f"cb1 {TWO}"], 1))
        self.assertEqual(self.states(), ({"xmpp2": "registered"}, {}))
        self.assertEqual(self.links.warnings(), [])
        lines = [formatEvent(one) for one in logged]
        self.assertIn(
            f"the links move to cb1.example.com at {TWO}; those of cb1.example.com at {ONE} "
            "go on until a new one is up",
            lines,
        )
        self.assertIn(f"the links have moved to cb1.example.com at {TWO}, within 0.0 ms", lines)
        self.network.dialled()
        self.network.pass_time(AFTER_REFUSAL)
        self.assertEqual(self.network.dialled(), [])

    def test_same_server(self) -> None:
        """Links to one server under one name: the new one shows what the former has announced."""
        self.up()
        self.move(ONE, by_srv=True)
        newer, shown = self.greet(ONE)
        self.assertEqual(shown, self.successor())
        newer.type("<handshake/>")
        self.drained()
        self.assertEqual((self.using(), self.states()[1]), ([f"cb1 {ONE}"], {}))
        newer.vanish()
        self.network.pass_time(1)
        self.assertIsNone(self.greet(ONE)[1], "by now it is nobody's successor")

    def test_name(self) -> None:
        """Another name is another component: former links are shown as what they are."""
        self.up()
        self.move(ONE, name="cb2")
        (former,) = self.links.former()
        self.assertEqual((former["callbridge"], former["domain"]), ("cb1", "example.com"))
        self.network.accept(ONE).register()
        self.drained()
        self.assertEqual(self.using(), [f"cb2 {ONE}"])

    def test_secret(self) -> None:
        """Another secret alone is no move: the link is renewed."""
        self.up()
        self.move(ONE, secret="n3w")
        self.assertFalse(self.links.moving)
        self.assertEqual(self.links.status()[0]["secret_in_use"], "former")
        self.greet(ONE, "n3w")[0].type("<handshake/>")
        self.assertEqual(self.links.status()[0]["secret_in_use"], "current")

    def test_secret_as_well(self) -> None:
        """Another secret with another address is for the new links alone."""
        (older,) = self.up()
        self.move(TWO, secret="n3w")
        older.vanish()
        self.network.pass_time(1)
        self.greet(ONE, "s3cret")[0].type("<handshake/>")
        self.greet(TWO, "n3w")[0].type("<handshake/>")
        self.drained()
        self.assertEqual(self.using(), [f"cb1 {TWO}"])

    def test_several(self) -> None:
        """Former links stay until each new one is up, or has failed, so that no server has none."""
        (older,) = self.up()
        self.move(ONE, TWO, THREE)
        self.greet(TWO)[0].type("<handshake/>")
        self.assertEqual(self.delegate.draining, [])
        self.network.refuse(THREE)
        self.assertEqual(self.delegate.draining, [])
        self.greet(ONE)[0].type("<handshake/>")
        self.assertEqual(len(self.delegate.draining), 1)
        self.drained()
        self.assertTrue(older.lost)

    def test_at_once(self) -> None:
        """Where that is asked for, former links end before a new one is up."""
        self.up()
        with capturedLogs() as logged:
            self.move(TWO, at_once=True)
        self.assertIn("end now", formatEvent(logged[0]))
        self.drained()
        self.assertEqual((self.using(), self.states()[1]), ([], {}))
        self.refuse(TWO, "not-authorized")
        self.assertEqual(self.links.registered, 0)

    def test_at_once_at_the_same_server(self) -> None:
        """Also then the new link takes the place of the former one, which drains."""
        self.up()
        self.move(ONE, by_srv=True, at_once=True)
        self.assertEqual(self.greet(ONE)[1], self.successor())
        self.assertEqual(self.states()[1], {"xmpp1": "registered"})

    def test_offer_first(self) -> None:
        """The former link takes logins until the new server knows what its link is for."""
        self.delegate = slow = Slow()
        self.up()
        slow.offers[0].callback(None)
        self.move(TWO)
        self.network.accept(TWO).register()
        self.assertEqual(slow.draining, [])
        slow.offers[1].callback(None)
        self.network.settle()
        self.assertEqual(len(slow.draining), 1)

    def test_at_once_after_all(self) -> None:
        """It can be asked for while they move."""
        self.up()
        self.move(TWO)
        self.move(TWO, at_once=True)
        self.drained()
        self.assertEqual((self.using(), self.states()[1]), ([], {}))

    def test_first_attempt(self) -> None:
        """It is over when links by any settings have tried."""
        self.start()
        self.move(TWO)
        self.assertNoResult(self.links.first_attempt)
        self.network.accept(TWO).register()
        self.successResultOf(self.links.first_attempt)


class FailedTests(MovingCase):
    """Settings that do not work."""

    def test_refused(self) -> None:
        """The former link goes on, and it is said once what is wrong and what to do."""
        (older,) = self.up()
        with capturedLogs() as logged:
            self.move(ONE, name="cb2")
            self.refuse(ONE, "host-unknown")
            self.network.pass_time(AFTER_REFUSAL)
            self.refuse(ONE, "host-unknown")
        warnings = [formatEvent(one) for one in logged if one["log_level"] is LogLevel.warn]
        self.assertEqual(len(warnings), 2, warnings)
        self.assertIn("have not moved to cb2.example.com at", warnings[1])
        self.assertIn("host-unknown at step 9 (register); those of cb1.example.com", warnings[1])
        self.assertFalse(older.lost)
        self.assertEqual((self.using(), self.links.registered), ([f"cb1 {ONE}"], 1))
        (warning,) = self.links.warnings()
        self.assertIn("go on: register, host-unknown. Run `xmppctl", warning)
        self.assertIn("by `callbridgectl config reset`.", warning)

    def test_corrected(self) -> None:
        """Settings that never worked are given up for the next ones."""
        self.up()
        self.move(TWO)
        self.network.refuse(TWO)
        self.move(THREE)
        self.assertEqual(self.states(), ({"xmpp3": "connecting"}, {"xmpp1": "registered"}))
        self.network.accept(THREE).register()
        self.drained()
        self.network.dialled()
        self.network.pass_time(AFTER_REFUSAL)
        self.assertEqual(self.network.dialled(), [])
        self.assertEqual(self.using(), [f"cb1 {THREE}"])

    def test_taken_back(self) -> None:
        """Back to the settings of the former link, that stays as it is, and has no successor."""
        (older,) = self.up()
        since = self.links.status()[0]["since"]
        self.move(TWO)
        self.network.refuse(TWO)
        with capturedLogs() as logged:
            self.move(ONE)
        self.assertIn(
            f"the links do not move, and stay cb1.example.com at {ONE}", map(formatEvent, logged)
        )
        self.assertFalse(older.lost)
        self.assertEqual(self.links.status()[0]["since"], since)
        self.assertEqual(self.successor(), "")
        self.assertEqual(
            (self.states(), self.links.warnings()), (({"xmpp1": "registered"}, {}), [])
        )
        self.move(ONE, secret="n3w")
        self.greet(ONE, "n3w")[0].type("<handshake/>")
        self.assertEqual(self.links.status()[0]["secret_in_use"], "current")

    def test_no_servers(self) -> None:
        """It is no difference whether a link or the search for servers has failed."""
        self.up()
        nowhere = plan(TWO)
        assert isinstance(nowhere.discovery, Zone)
        nowhere.discovery.failure = NO_RECORD
        self.links.reconfigure(nowhere)
        self.network.settle()
        (warning,) = self.links.warnings()
        self.assertIn("srv, no-such-service", warning)

    def test_never_worked(self) -> None:
        """Links that never were up are no loss: they are given up at once."""
        self.start()
        self.network.refuse(ONE)
        with capturedLogs() as logged:
            self.move(TWO)
        self.assertIn("end now", formatEvent(logged[0]))
        self.assertEqual(self.states(), ({"xmpp2": "connecting"}, {}))
        self.network.refuse(TWO)
        self.assertEqual(self.links.warnings(), [])

    def test_former_lost(self) -> None:
        """A former link that is lost comes back, by its own settings, and has a successor still."""
        (older,) = self.up()
        self.move(ONE, by_srv=True)
        self.network.refuse(ONE)
        older.vanish()
        self.network.dialled()
        self.network.pass_time(1)
        returned, shown = self.greet(ONE)
        returned.type("<handshake/>")
        newest: Any = self.delegate.links[-1]
        self.assertEqual(newest.successor, self.successor())
        self.assertIn("registered", self.states()[1].values())
        self.assertIsNone(shown)

    def test_half_moved(self) -> None:
        """Where one of the new links is up already, these are the former ones of the next."""
        self.up()
        self.move(TWO, THREE)
        self.network.accept(TWO).register()
        self.move(TWO)
        self.assertEqual(self.states()[0], {"xmpp2": "connecting"})
        newer, shown = self.greet(TWO)
        self.assertEqual(shown, self.successor())
        newer.type("<handshake/>")
        self.drained()
        self.assertEqual((self.using(), self.states()[1]), ([f"cb1 {TWO}"], {}))


class ConflictTests(MovingCase):
    """Servers that let nobody take a place that is not free."""

    def test_in_the_way(self) -> None:
        """The secret is right: the former link makes room, and the new one follows at once."""
        (older,) = self.up()
        self.move(ONE, by_srv=True)
        self.refuse(ONE, "conflict")
        self.assertEqual(len(self.delegate.draining), 1)
        self.network.dialled()
        self.drained()
        self.assertTrue(older.lost)
        self.network.accept(ONE).register()
        self.assertEqual((self.using(), self.states()[1]), ([f"cb1 {ONE}"], {}))

    def test_of_somebody_else(self) -> None:
        """Elsewhere it is somebody else who has the name, and the former link stays."""
        (older,) = self.up()
        self.move(TWO)
        self.refuse(TWO, "conflict")
        self.assertEqual((self.delegate.draining, older.lost), ([], False))
        self.assertIn(f"register, {Reason.CONFLICT}", self.links.warnings()[0])

    def test_under_another_name(self) -> None:
        """So it is at the same server, under another name."""
        (older,) = self.up()
        self.move(ONE, name="cb2")
        self.refuse(ONE, "conflict")
        self.assertEqual((self.delegate.draining, older.lost), ([], False))

    def test_frozen(self) -> None:
        """A server that does not acknowledge the announcement is not waited for long."""
        self.delegate = Deaf()
        self.up()
        self.move(TWO)
        self.assertEqual(self.links.status()[0]["state"], "resolving")
        self.network.pass_time(ANNOUNCE_TIMEOUT / 2)
        self.assertEqual(self.network.dialled(), [])
        self.network.pass_time(ANNOUNCE_TIMEOUT / 2)
        self.assertEqual(self.network.dialled(), [HOSTS[TWO]])

    def test_renewal_under_way(self) -> None:
        """A renewal comes to an end when links move, and who waits for it is answered."""
        self.up()
        renewed = self.links.renew()
        self.network.settle()
        newer = self.network.accept(ONE)
        self.assertNoResult(renewed)
        self.move(TWO)
        self.assertTrue(newer.lost)
        self.successResultOf(renewed)
        self.network.accept(TWO).register()
        self.drained()
        self.assertEqual(self.using(), [f"cb1 {TWO}"])


class EndTests(MovingCase):
    """Stopping."""

    def test_stopped(self) -> None:
        """Wherever a move is, stopping leaves nothing behind."""
        for reach in ("announcing", "connecting", "registering", "waiting", "up", "back", "again"):
            self.setUp()
            if reach == "announcing":
                self.delegate = Deaf()
            self.up()
            self.move(TWO)
            if reach in ("registering", "up"):
                server = self.network.accept(TWO)
                if reach == "up":
                    server.register()
            elif reach in ("waiting", "back", "again"):
                self.network.refuse(TWO)
                if reach == "back":
                    self.move(ONE)
                elif reach == "again":
                    self.move(THREE)
            stopped = self.links.stopService()
            self.network.settle()
            self.drained()
            self.successResultOf(stopped)
            self.assertEqual(self.network.getDelayedCalls(), [], reach)
            self.assertEqual(self.delegate.links, [], reach)

    def test_before_the_start(self) -> None:
        """What does not run yet takes new settings, and has no former ones."""
        self.links = MovingLinks(self.network, plan(ONE), self.delegate, Highest())
        self.move(TWO)
        self.links.startService()
        self.network.settle()
        self.assertEqual(self.network.dialled(), [HOSTS[TWO]])
        self.assertFalse(self.links.moving)
