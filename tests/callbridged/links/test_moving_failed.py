"""Tests of callbridged.links.moving: links that do not get where they should."""

from __future__ import annotations

from typing import Any

from twisted.logger import LogLevel, capturedLogs, formatEvent

from bridgewire.steps import Reason
from callbridged.links.generation import ANNOUNCE_TIMEOUT
from tests.callbridged.links.links_case import NO_RECORD, ONE, THREE, TWO
from tests.callbridged.links.moving_case import AFTER_REFUSAL, Deaf, MovingCase, plan
from tests.callbridged.network import HOSTS, Zone


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
