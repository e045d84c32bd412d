"""Tests of callbridged.links.renewal: links that give way to newer ones, by TLS in memory."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from bridgewire.handshake import component_digest
from bridgewire.steps import Reason
from callbridged.links.link_interface import ActiveLink
from callbridged.links.renewal import Renewed
from tests.callbridged.links.links_case import ONE, TWO, LinksTestCase, at
from tests.callbridged.links.test_registration import Delegate
from tests.callbridged.network import HOSTS, Server, settings

OLD, NEW, NEWER = "s3cret", "n3w", "newer"
#: A little more than a refusal waits.
AFTER_REFUSAL = 67


class Slow(Delegate):
    """Whose servers take their time to acknowledge an offer."""

    def __init__(self) -> None:
        super().__init__()
        self.offers: list[Deferred[None]] = []

    def link_registered(self, link: ActiveLink) -> Deferred[None]:
        super().link_registered(link)
        self.offers.append(Deferred())
        return self.offers[-1]


class RenewalCase(LinksTestCase):
    """Links that are up with one secret."""

    def up(self, *hosts: str) -> list[Server]:
        self.start(*map(at, hosts or (ONE,)), ping_interval=6000.0)
        servers = [self.network.accept(host).register() for host in hosts or (ONE,)]
        self.network.dialled()
        return servers

    def change(self, secret: str = NEW) -> None:
        """The settings have another secret."""
        changed = replace(settings(ping_interval=6000.0), secret=secret)
        self.links.reconfigure(changed, self.zone, self.zone, None)
        self.network.settle()

    def greet(self, host: str, secret: str, successor: str | None = None) -> Server:
        """Accept the last connection to ``host``, that comes with ``secret``, and open a stream."""
        server = self.network.accept(host)
        found = re.search(r"<handshake(?: successor='([^']+)')?>(\w+)</handshake>", server.open())
        assert found is not None
        self.assertEqual(found.groups(), (successor, component_digest("abc", secret)))
        return server

    def greet_successor(self, host: str, secret: str = NEW) -> Server:
        """The same for one that has been announced."""
        return self.greet(host, secret, self.delegate.announced[-1])

    def refuse(self, server: Server, condition: str = "not-authorized") -> None:
        server.type(
            f"<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
            "</stream:error></stream:stream>"
        )
        server.close()

    def drained(self) -> None:
        """The logins under way are over, on the last link that is to drain."""
        self.delegate.draining[-1].callback(None)
        self.network.settle()

    def status(self, index: int = 0) -> dict[str, Any]:
        return self.links.status()[index]


class SecretTests(RenewalCase):
    """Another secret."""

    def test_taken_over(self) -> None:
        """A newer link registers with it; only then the older one drains, and is closed."""
        (older,) = self.up()
        self.assertEqual(self.status()["secret_in_use"], "current")
        self.change()
        self.assertEqual(self.network.dialled(), [HOSTS[ONE]])
        self.assertEqual((self.using(), self.delegate.draining), ([ONE], []))
        self.assertEqual(self.status()["secret_in_use"], "former")
        self.assertEqual(
            (self.status()["state"], self.status()["newer"]), ("registered", "connecting")
        )
        newer = self.greet_successor(ONE)
        newer.type("<handshake/>")
        self.assertEqual(self.using(), [ONE, ONE])
        self.assertEqual(len(self.delegate.draining), 1)
        self.assertEqual(
            (self.status()["secret_in_use"], self.status()["newer"]), ("current", None)
        )
        self.assertFalse(older.lost)
        self.drained()
        self.assertTrue(older.lost)
        self.assertFalse(newer.lost)
        self.assertEqual((self.using(), self.links.registered), ([ONE], 1))
        self.network.pass_time(AFTER_REFUSAL)
        self.assertEqual(self.network.dialled(), [])

    def test_taken_over_is_an_ordinary_link(self) -> None:
        """The newer link, when it is lost, comes back by itself, and is nobody's successor."""
        self.up()
        self.change()
        newer = self.greet_successor(ONE)
        newer.type("<handshake/>")
        self.drained()
        newer.vanish()
        self.network.pass_time(1)
        self.greet(ONE, NEW).type("<handshake/>")
        self.assertEqual(self.states(), {ONE: "registered"})

    def test_offer_first(self) -> None:
        """The older link takes logins until the server has acknowledged the newer one's offer."""
        self.delegate = slow = Slow()
        self.up()
        self.change()
        self.greet_successor(ONE).type("<handshake/>")
        self.assertEqual(slow.draining, [])
        slow.offers[1].callback(None)
        self.network.settle()
        self.assertEqual(len(slow.draining), 1)

    def test_one_after_another(self) -> None:
        """The next link follows when the one before has registered."""
        self.up(ONE, TWO)
        self.change()
        self.assertEqual(self.network.dialled(), [HOSTS[ONE]])
        self.network.pass_time(5)
        self.assertEqual(self.network.dialled(), [])
        self.greet_successor(ONE).type("<handshake/>")
        self.assertEqual(self.network.dialled(), [HOSTS[TWO]])
        self.greet_successor(TWO).type("<handshake/>")
        self.assertEqual([one["secret_in_use"] for one in self.links.status()], ["current"] * 2)

    def test_refused(self) -> None:
        """If a server refuses it, the link there goes on with the old one, and says so."""
        (older, _) = self.up(ONE, TWO)
        with capturedLogs() as logged:
            self.change()
            self.refuse(self.greet_successor(ONE))
        warnings = [formatEvent(one) for one in logged if one["log_level"] is LogLevel.warn]
        self.assertIn("authentication-failure", warnings[0])
        self.assertIn("goes on as it was", warnings[1])
        self.assertEqual(len(warnings), 2)
        self.assertFalse(older.lost)
        self.assertEqual(self.states(), {ONE: "registered", TWO: "registered"})
        self.assertEqual(self.error(), ("register", "authentication-failure"))
        self.assertEqual(
            (self.status()["secret_in_use"], self.status()["newer"]), ("former", "waiting")
        )
        (warning,) = self.links.warnings()
        self.assertIn("goes on with the former secret", warning)
        self.assertIn("xmppctl callbridge rotate NAME --secret-stdin", warning)
        self.assertEqual(self.network.dialled(), [HOSTS[ONE], HOSTS[TWO]], "the next one's turn")
        self.greet_successor(TWO).type("<handshake/>")
        # When the server knows it, the next attempt brings it there as well.
        self.network.pass_time(50)
        self.assertEqual(self.network.dialled(), [])
        self.network.pass_time(AFTER_REFUSAL - 50)
        self.greet(ONE, NEW, self.delegate.announced[0]).type("<handshake/>")
        self.assertIsNone(self.status()["last_error"])
        self.assertEqual(self.status()["secret_in_use"], "current")
        self.assertEqual(self.links.warnings(), [])

    def test_refused_and_reloaded(self) -> None:
        """A reload lets a newer link that was refused try again at once, with what is new then."""
        self.up()
        self.change()
        self.refuse(self.greet_successor(ONE))
        self.links.hurry()
        self.network.settle()
        self.refuse(self.greet_successor(ONE))
        self.change(NEWER)
        self.greet_successor(ONE, NEWER).type("<handshake/>")
        self.assertEqual(self.status()["secret_in_use"], "current")

    def test_taken_back(self) -> None:
        """If the settings have the old secret again, the link stays as it is."""
        (older,) = self.up()
        self.change()
        newer = self.greet_successor(ONE)
        self.refuse(newer)
        self.change(OLD)
        self.assertEqual(
            (self.status()["secret_in_use"], self.status()["newer"]), ("current", None)
        )
        self.network.dialled()
        self.network.pass_time(AFTER_REFUSAL)
        self.assertEqual(self.network.dialled(), [])
        self.assertFalse(older.lost)

    def test_lost_while_the_new_one_is_refused(self) -> None:
        """A link that is lost comes back with the secret that was good there."""
        (older,) = self.up()
        self.change()
        self.refuse(self.greet_successor(ONE))
        older.vanish()
        self.network.pass_time(1)
        self.greet(ONE, OLD).type("<handshake/>")
        self.assertEqual(self.states(), {ONE: "registered"})
        self.assertEqual(self.status()["secret_in_use"], "former")

    def test_old_one_refused(self) -> None:
        """If the old secret is good no more, the new one is tried at once."""
        (older,) = self.up()
        self.change()
        self.refuse(self.greet_successor(ONE))
        older.vanish()
        self.network.pass_time(1)
        self.network.dialled()
        self.refuse(self.greet(ONE, OLD))
        self.network.settle()
        self.assertEqual(self.network.dialled(), [HOSTS[ONE]])
        self.greet(ONE, NEW).type("<handshake/>")
        self.assertEqual(self.states(), {ONE: "registered"})
        self.assertEqual(
            (self.status()["secret_in_use"], self.status()["newer"]), ("current", None)
        )

    def test_both_refused(self) -> None:
        """Where neither is good, the attempts are as far apart as after any refusal."""
        (older,) = self.up()
        self.change()
        self.refuse(self.greet_successor(ONE))
        older.vanish()
        self.network.pass_time(1)
        self.refuse(self.greet(ONE, OLD))
        self.network.settle()
        self.refuse(self.greet(ONE, NEW))
        self.network.dialled()
        self.network.pass_time(50)
        self.assertEqual(self.network.dialled(), [])
        self.network.pass_time(AFTER_REFUSAL - 50)
        self.assertEqual(self.network.dialled(), [HOSTS[ONE]])

    def test_never_accepted(self) -> None:
        """A link whose secret was never good takes the new one, and has no other."""
        self.start()
        self.refuse(self.greet(ONE, OLD))
        self.change()
        self.greet(ONE, NEW).type("<handshake/>")
        self.assertEqual(self.delegate.announced, [])

    def test_changed_while_registering(self) -> None:
        """A link that registers just now with the old secret is renewed after that."""
        self.start()
        server = self.greet(ONE, OLD)
        self.change()
        server.type("<handshake/>")
        self.greet_successor(ONE).type("<handshake/>")
        self.assertEqual(self.status()["secret_in_use"], "current")

    def test_server_without_successors(self) -> None:
        """A server that says conflict knows the secret: the older link makes room at once."""
        (older,) = self.up()
        self.change()
        self.network.dialled()
        self.refuse(self.greet_successor(ONE), "conflict")
        self.assertEqual(len(self.delegate.draining), 1)
        self.assertEqual(self.network.dialled(), [])
        self.drained()
        self.assertTrue(older.lost)
        self.greet_successor(ONE).type("<handshake/>")
        self.assertEqual((self.states(), self.using()), ({ONE: "registered"}, [ONE]))

    def test_target_gone(self) -> None:
        """A server that is wanted no more gets no newer link."""
        self.zone.ttl = 0
        self.up(ONE, TWO)
        self.change()
        self.zone.targets = (at(TWO),)
        self.network.pass_time(30)
        self.drained()
        self.assertEqual(self.states(), {TWO: "registered"})
        self.greet_successor(TWO).type("<handshake/>")


class AskedTests(RenewalCase):
    """Renewal because an operator asks."""

    def renew(self) -> Deferred[list[Renewed]]:
        renewed = self.links.renew()
        self.network.settle()
        return renewed

    def test_renewed(self) -> None:
        """All links that are up are renewed; the answer comes when they are."""
        self.up(ONE, TWO)
        renewed = self.renew()
        self.greet_successor(ONE, OLD).type("<handshake/>")
        self.assertNoResult(renewed)
        self.greet_successor(TWO, OLD).type("<handshake/>")
        self.assertEqual(
            self.successResultOf(renewed), [Renewed(at(ONE), None), Renewed(at(TWO), None)]
        )
        self.network.dialled()
        for draining in self.delegate.draining:
            draining.callback(None)
        self.network.settle()
        self.assertEqual((self.using(), self.network.dialled()), ([ONE, TWO], []))

    def test_failed(self) -> None:
        """One that fails is in the answer; asked again, a newer link is made at once."""
        self.up()
        renewed = self.renew()
        self.network.refuse(ONE)
        self.network.settle()
        (answer,) = self.successResultOf(renewed)
        assert answer.failure is not None
        self.assertIs(answer.failure.reason, Reason.CONNECT_REFUSED)
        renewed = self.renew()
        self.greet_successor(ONE, OLD).type("<handshake/>")
        self.assertEqual(self.successResultOf(renewed), [Renewed(at(ONE), None)])

    def test_nothing_up(self) -> None:
        """Links that are down make their next attempt instead."""
        self.start()
        self.network.refuse(ONE)
        self.network.dialled()
        self.assertEqual(self.successResultOf(self.renew()), [])
        self.assertEqual(self.network.dialled(), [HOSTS[ONE]])

    def test_stopped(self) -> None:
        """Wherever a renewal is, stopping leaves nothing behind."""
        for reach in ("connecting", "registering", "waiting", "ready"):
            self.setUp()
            self.up()
            self.change()
            if reach != "connecting":
                server = self.greet_successor(ONE)
                if reach == "waiting":
                    self.refuse(server)
                elif reach == "ready":
                    server.type("<handshake/>")
            stopped = self.links.stopService()
            self.network.settle()
            for draining in self.delegate.draining:
                draining.callback(None)
            self.network.settle()
            self.successResultOf(stopped)
            self.assertEqual(self.network.getDelayedCalls(), [], reach)
