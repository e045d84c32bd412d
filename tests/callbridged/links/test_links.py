"""Tests of callbridged.links.links: how many links there are, and their first and last moments."""

from __future__ import annotations

from random import Random

from twisted.internet.defer import Deferred

from callbridged.links.links import Links
from tests.callbridged.links.links_case import NO_RECORD, ONE, TWO, LinksTestCase, at
from tests.callbridged.network import HOSTS, settings


class FirstAttemptTests(LinksTestCase):
    """When the daemon can be said to have started."""

    def test_registered(self) -> None:
        """The first attempt is over when a link is registered, and not before."""
        self.start(at(ONE), at(TWO))
        server = self.network.accept(ONE)
        self.assertNoResult(self.links.first_attempt)
        server.register()
        self.assertIsNone(self.successResultOf(self.links.first_attempt))

    def test_refused(self) -> None:
        """It is over when a link has failed, and further attempts change nothing."""
        self.start()
        for _ in range(2):
            self.network.accept(ONE).refuse("not-authorized")
            self.assertIs(self.links.first_attempt.called, True)
            self.network.pass_time(70)

    def test_no_servers(self) -> None:
        """It is over when nobody can say where the XMPP servers are."""
        self.zone.failure = NO_RECORD
        self.start()
        self.assertIs(self.links.first_attempt.called, True)


class HowManyTests(LinksTestCase):
    """As many links as wanted, to the best targets that there are."""

    def test_all(self) -> None:
        """By default there is a link to every target."""
        self.start(at(ONE), at(TWO, 20))
        self.assertEqual(self.network.dialled(), [HOSTS[ONE], HOSTS[TWO]])
        self.network.accept(TWO).register()
        self.network.accept(ONE).register()
        self.assertEqual(self.states(), {ONE: "registered", TWO: "registered"})

    def test_one(self) -> None:
        """With a limit of one only the best target is dialled, and while it works no other."""
        self.start(at(ONE), at(TWO, 20), limit=1)
        self.network.accept(ONE).register()
        self.assertEqual(self.network.dialled(), [HOSTS[ONE]])

    def test_next_and_back(self) -> None:
        """When the preferred target fails the next one takes over, until the first is back."""
        self.start(at(ONE), at(TWO, 20), limit=1)
        self.network.refuse(ONE)
        self.assertEqual(self.network.dialled(), [HOSTS[ONE], HOSTS[TWO]])
        second = self.network.accept(TWO).register()
        self.assertEqual(self.using(), [TWO])
        self.network.pass_time(1)
        self.assertEqual(self.network.dialled(), [HOSTS[ONE]], "it is tried in the background")
        self.network.accept(ONE).register()
        self.assertEqual(self.using(), [TWO, ONE])
        self.delegate.draining[0].callback(None)
        self.network.settle()
        self.assertEqual(self.using(), [ONE])
        self.assertTrue(second.lost)
        self.assertEqual(self.states(), {ONE: "registered"})

    def test_registered_one_lost(self) -> None:
        """When the registered target is lost, the next one is dialled at once."""
        self.start(at(ONE), at(TWO), limit=1)
        server = self.network.accept(ONE).register()
        self.network.dialled()
        server.vanish()
        self.assertEqual(self.network.dialled(), [HOSTS[TWO]])

    def test_same_priority(self) -> None:
        """Within a priority there is no way back: what works is kept."""
        self.start(at(ONE), at(TWO), limit=1)
        self.network.refuse(ONE)
        self.network.accept(TWO).register()
        self.network.dialled()
        self.network.pass_time(10)
        self.assertEqual(self.states(), {TWO: "registered"})
        self.assertEqual(self.network.dialled(), [])

    def test_no_spinning_between_two(self) -> None:
        """One target refuses and the other drops every registration: neither is hammered."""
        self.start(at(ONE), at(TWO), limit=1)
        dials = 0
        while self.network.seconds() < 120:
            for address in self.network.dialled():
                dials += 1
                if address == HOSTS[ONE]:
                    self.network.refuse(ONE)
                else:
                    self.network.accept(TWO).register().vanish()
            self.network.pass_time(0.25, 0.25)
        self.assertLess(dials, 25)
        self.assertGreater(dials, 10)

    def test_wanted_again_while_closing(self) -> None:
        """A target that is wanted again while its link still drains gets a new one after that."""
        self.start(at(ONE), at(TWO, 20), limit=1)
        self.network.refuse(ONE)
        second = self.network.accept(TWO).register()
        self.network.pass_time(1)
        first = self.network.accept(ONE).register()
        first.vanish()
        self.network.dialled()
        self.assertFalse(second.lost)
        self.delegate.draining[0].callback(None)
        self.network.settle()
        self.assertTrue(second.lost)
        self.assertIn(HOSTS[TWO], self.network.dialled())

    def test_random_is_the_default(self) -> None:
        """Without a random generator the system's is used."""
        links = Links(self.network, self.zone, self.zone, settings(), self.delegate)
        self.assertIsInstance(links._random, Random)


class StoppingTests(LinksTestCase):
    """The end of the service."""

    def stop(self) -> Deferred[None]:
        stopped = self.links.stopService()
        self.network.settle()
        return stopped

    def test_drains(self) -> None:
        """Logins under way are waited for; then the stream is closed, and the connection too."""
        self.start()
        server = self.network.accept(ONE).register()
        server.read()
        stopped = self.stop()
        self.assertEqual(len(self.delegate.draining), 1)
        self.assertEqual(self.using(), [ONE])
        self.network.pass_time(5)
        self.assertNoResult(stopped)
        self.delegate.draining[0].callback(None)
        self.network.settle()
        self.assertTrue(server.read().endswith("</stream:stream>"))
        self.assertTrue(server.lost)
        self.successResultOf(stopped)
        self.assertEqual(self.using(), [])
        self.assertEqual(self.network.getDelayedCalls(), [])

    def test_drains_in_time(self) -> None:
        """Logins that do not come to an end are waited for no longer than ten seconds."""
        self.start()
        server = self.network.accept(ONE).register()
        stopped = self.stop()
        self.network.pass_time(10)
        self.assertTrue(server.lost)
        self.successResultOf(stopped)

    def test_lost_while_draining(self) -> None:
        """A link that breaks while it drains is over."""
        self.start()
        server = self.network.accept(ONE).register()
        stopped = self.stop()
        server.vanish()
        self.successResultOf(stopped)
        self.assertEqual(self.using(), [])

    def test_anywhere(self) -> None:
        """Wherever a link is, stopping leaves nothing behind."""
        for reach in ("asking", "connecting", "securing", "registering", "waiting"):
            self.setUp()
            if reach == "asking":
                self.zone.held = Deferred()
            self.start()
            if reach == "waiting":
                self.network.refuse(ONE)
            if reach in ("securing", "registering"):
                self.network.accept(ONE, plain=reach == "securing")
            if reach != "asking":
                self.assertEqual(self.states(), {ONE: reach})
            stopped = self.stop()
            self.successResultOf(stopped)
            self.assertEqual(self.network.getDelayedCalls(), [], reach)

    def test_deaf_server(self) -> None:
        """A server that does not close its side is cut off."""
        self.start()
        self.network.accept(ONE).register()
        pumps, self.network._pumps = self.network._pumps, []
        stopped = self.stop()
        self.delegate.draining[0].callback(None)
        self.network.pass_time(4.5)
        self.assertNoResult(stopped)
        self.network.pass_time(0.5)
        self.network._pumps = pumps
        self.network.settle()
        self.successResultOf(stopped)
