"""Tests of callbridged.links.moving: links that move."""

from __future__ import annotations

from twisted.logger import capturedLogs, formatEvent

from callbridged.links.moving import MovingLinks
from tests.callbridged.links.links_case import ONE, THREE, TWO
from tests.callbridged.links.moving_case import AFTER_REFUSAL, Deaf, MovingCase, plan
from tests.callbridged.links.test_renewal import Slow
from tests.callbridged.links.test_retry import Highest
from tests.callbridged.network import HOSTS


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
