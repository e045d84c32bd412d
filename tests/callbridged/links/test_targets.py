"""Tests of callbridged.links.targets: when the DNS is asked, and what the links make of it."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs

from tests.callbridged.links.links_case import NO_RECORD, ONE, TWO, LinksTestCase, at
from tests.callbridged.network import HOSTS, Zone, settings


class DiscoveryTests(LinksTestCase):
    """Which targets there are, over time."""

    def test_fails_at_first(self) -> None:
        """As long as no target is known, status has one entry that says why, and it goes on."""
        self.zone.failure = NO_RECORD
        with capturedLogs() as logged:
            self.start()
            self.network.pass_time(30)
        (status,) = self.links.status()
        self.assertEqual((status["target"], status["state"]), ("", "waiting"))
        self.assertEqual(self.error(), ("srv", "no-such-service"))
        self.assertEqual(self.zone.asked, 5)
        self.assertEqual(len([one for one in logged if one["log_level"] is LogLevel.warn]), 1)
        self.zone.failure = None
        self.network.pass_time(16)
        self.assertEqual(self.states(), {ONE: "connecting"})

    def test_under_way(self) -> None:
        """While the first question is under way, status says so."""
        self.zone.held = Deferred()
        self.start()
        self.assertEqual(self.states(), {"": "resolving"})
        self.zone.held.callback(None)
        self.network.settle()
        self.assertEqual(self.states(), {ONE: "connecting"})

    def test_refresh(self) -> None:
        """However long an answer may be kept, it is asked for anew within the hour."""
        self.zone.ttl = 10**6
        self.start(ping_interval=6000.0)
        self.network.accept(ONE).register()
        self.network.pass_time(3590, 10)
        self.assertEqual(self.zone.asked, 1)
        self.network.pass_time(10)
        self.assertEqual(self.zone.asked, 2)

    def test_not_refreshed(self) -> None:
        """A server address of the settings is not asked for by the clock."""
        self.zone.ttl = None
        self.start(ping_interval=6000.0)
        self.network.accept(ONE).register()
        self.network.pass_time(5000, 10)
        self.assertEqual(self.zone.asked, 1)

    def test_new_target(self) -> None:
        """A target that is new in the answer gets a link; one that is gone is closed."""
        self.zone.ttl = 0
        self.start(ping_interval=600.0)
        server = self.network.accept(ONE).register()
        self.network.pass_time(29)
        self.assertEqual(self.zone.asked, 1)
        self.zone.targets = (at(TWO),)
        self.network.pass_time(1)
        self.assertEqual(self.zone.asked, 2)
        self.assertEqual(self.states(), {ONE: "registered", TWO: "connecting"})
        self.assertFalse(server.lost)
        self.delegate.draining[0].callback(None)
        self.network.settle()
        self.assertTrue(server.lost)
        self.assertEqual(self.states(), {TWO: "connecting"})

    def test_failed_refresh(self) -> None:
        """A question that fails changes nothing, and is logged once."""
        self.start(ping_interval=6000.0)
        self.network.accept(ONE).register()
        self.zone.failure = NO_RECORD
        with capturedLogs() as logged:
            self.network.pass_time(600)
        self.assertGreater(self.zone.asked, 5)
        self.assertEqual(self.states(), {ONE: "registered"})
        self.assertIs(self.links.discovery_error, NO_RECORD)
        self.assertEqual(len(logged), 1)

    def test_shared(self) -> None:
        """Several links that try again at the same time ask once."""
        self.start(at(ONE), at(TWO))
        self.zone.held = Deferred()
        for host in (ONE, TWO):
            self.network.refuse(host)
        self.network.pass_time(2)
        self.assertEqual(self.zone.asked, 2)
        self.network.dialled()
        self.zone.held.callback(None)
        self.network.settle()
        self.assertEqual(sorted(self.network.dialled()), [HOSTS[ONE], HOSTS[TWO]])

    def test_reconfigured_while_asking(self) -> None:
        """What is asked for already may be out of date: it is asked again, in the new way."""
        self.zone.held = held = Deferred()
        self.start()
        other = Zone(at(TWO))
        self.links.reconfigure(settings(), other, other, None)
        self.assertEqual(other.asked, 0)
        held.callback(None)
        self.network.settle()
        self.assertEqual((other.asked, self.states()), (1, {TWO: "connecting"}))

    def test_reconfigured_while_waiting(self) -> None:
        """A link that waits for its next attempt tries at once, with the new settings."""
        self.start()
        self.network.accept(ONE).refuse("not-authorized")
        self.network.dialled()
        self.network.settle()
        self.assertEqual(self.states(), {ONE: "waiting"})
        self.links.reconfigure(settings(connect_timeout=3.0), self.zone, self.zone, None)
        self.network.settle()
        self.assertEqual(self.network.dialled(), [HOSTS[ONE]])
        self.network.accept(ONE).register()
        self.assertEqual(self.states(), {ONE: "registered"})

    def test_reconfigured_before_start(self) -> None:
        """Links that do not run yet ask nobody."""
        self.start()
        self.links.stopService()
        other = Zone(at(TWO))
        self.links.reconfigure(settings(), other, other, None)
        self.network.settle()
        self.assertEqual(other.asked, 0)

    def test_reconfigured(self) -> None:
        """New settings are for new connections, those that are up stay."""
        self.start()
        server = self.network.accept(ONE).register()
        other = Zone(at(ONE), at(TWO))
        self.links.reconfigure(settings(connect_timeout=3.0), other, other, None)
        self.network.settle()
        self.assertEqual(self.states(), {ONE: "registered", TWO: "connecting"})
        self.assertFalse(server.lost)
