"""Tests of callbridged.links.links and .dialer: whole links, over real TLS in memory."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.discovery import Target
from callbridged.links.links import Links
from tests.callbridged.links.test_registration import Delegate
from tests.callbridged.links.test_retry import Highest
from tests.callbridged.network import HOSTS, Network, Zone, certificates, settings

ONE, TWO, THREE = list(HOSTS)[:3]
NO_RECORD = StepFailure(Step.SRV, Reason.NO_SUCH_SERVICE, "There is no SRV record.")


def at(host: str, priority: int = 10) -> Target:
    return Target(host, 5223, priority)


class LinksTestCase(SynchronousTestCase):
    """Links over a network in memory, that hold links to ``xmpp1`` and so on."""

    links: Links

    def setUp(self) -> None:
        self.network = Network()
        self.zone = Zone(at(ONE))
        self.delegate = Delegate()
        self.steps: list[tuple[Step, str, str]] = []

    def start(self, *targets: Target, limit: int | None = None, **changes: Any) -> None:
        if targets:
            self.zone.targets = targets
        self.links = Links(
            self.network,
            self.zone,
            self.zone,
            settings(**changes),
            self.delegate,
            limit=limit,
            on_step=lambda *step: self.steps.append(step),
            random=Highest(),
        )
        self.links.startService()
        self.network.settle()

    def states(self) -> dict[str, str]:
        return {str(one["target"]).split(":")[0]: str(one["state"]) for one in self.links.status()}

    def error(self, index: int = 0) -> tuple[str, str]:
        last: Any = self.links.status()[index]["last_error"]
        return last["step"], last["reason"]

    def using(self) -> list[str]:
        """Which servers the delegate may use."""
        return [link.target.host for link in self.delegate.links]


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


class OneLinkTests(LinksTestCase):
    """One link, from the first question to its end."""

    def test_registered(self) -> None:
        """A link goes through all steps and is handed over; status and steps tell the values."""
        self.start()
        self.assertEqual(self.states(), {ONE: "connecting"})
        server = self.network.accept(ONE)
        self.assertEqual(self.states(), {ONE: "registering"})
        server.register()
        (status,) = self.links.status()
        self.assertEqual(status["target"], f"{ONE}:5223")
        self.assertEqual(status["address"], "192.0.2.1:5223")
        self.assertEqual(status["state"], "registered")
        self.assertEqual(status["tls"], "TLSv1.3")
        self.assertIsNone(status["last_error"])
        self.assertRegex(str(status["since"]), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")
        self.assertEqual(self.using(), [ONE])
        self.assertEqual(self.links.registered, 1)
        told = {step: text for step, _, text in self.steps}
        self.assertEqual(
            list(told),
            [step for step in Step if Step.SRV.number <= step.number <= Step.REGISTERED.number],
        )
        self.assertIn("192.0.2.1", told[Step.ADDRESS])
        self.assertIn("TLSv1.3, TLS_", told[Step.TLS])
        self.assertIn(f"example.com and {ONE}", told[Step.CERTIFICATE])

    def test_steps_in_status(self) -> None:
        """The status has each step that was passed, the common ones included, with its time."""
        self.start()
        server = self.network.accept(ONE)
        self.network.pass_time(0.25)
        server.register()
        (status,) = self.links.status()
        steps: Any = status["steps"]
        self.assertEqual([one["step"] for one in steps[:3]], ["srv", "address", "connect"])
        self.assertEqual([one["step"] for one in steps[-2:]], ["register", "registered"])
        self.assertEqual(steps[-1]["number"], 10)
        self.assertEqual(steps[-2]["seconds"], 0.25)  # what the server took to begin
        self.assertIn("cb1.example.com", steps[-1]["text"])
        self.assertRegex(steps[-1]["at"], r"^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$")

    def test_steps_of_an_attempt(self) -> None:
        """Those of the attempt that failed stay until the next one begins."""
        self.start()
        self.network.accept(ONE).refuse("not-authorized")
        (status,) = self.links.status()
        self.assertEqual([one["step"] for one in status["steps"]][-1], "register")  # type: ignore[attr-defined]
        self.assertEqual(status["last_error"]["remedy"][-1], ".")  # type: ignore[index]
        self.network.pass_time(70)
        (status,) = self.links.status()
        self.assertEqual([one["step"] for one in status["steps"]], ["srv", "address"])  # type: ignore[attr-defined]

    def test_no_steps_without_servers(self) -> None:
        """Where the DNS has failed there are none, and the failure is the first of them."""
        self.zone.failure = NO_RECORD
        self.start()
        (status,) = self.links.status()
        self.assertEqual(status["steps"], [])
        self.assertEqual(self.error(), ("srv", "no-such-service"))

    def test_steps_logged(self) -> None:
        """Every step is one line of the log, in one form."""
        with capturedLogs() as logged:
            self.start()
            self.network.accept(ONE).register()
        lines = [formatEvent(event) for event in logged if "step" in event]
        self.assertIn(f"step 5 (address), {ONE}:5223: {ONE} has 192.0.2.1 (0.0 ms)", lines)
        self.assertIn(f"step 6 (connect), {ONE}:5223: connected to 192.0.2.1:5223 (0.0 ms)", lines)

    def test_wrong_certificate(self) -> None:
        """A certificate without the host name ends the attempt before anything is sent."""
        self.start()
        server = self.network.accept(ONE, identity=certificates().misnamed)
        self.assertEqual(self.error(), ("certificate", "certificate-name-mismatch"))
        self.assertEqual(self.states(), {ONE: "waiting"})
        self.assertEqual(server.read(), "")
        self.assertTrue(server.lost)

    def test_domain_suffices(self) -> None:
        """Where only the domain is verified, a certificate for it will do."""
        self.start(verify="domain")
        self.network.accept(ONE, identity=certificates().misnamed).register()
        self.assertEqual(self.states(), {ONE: "registered"})

    def test_refusal_waits(self) -> None:
        """A refusal is tried again after about retry_max, and logged once."""
        with capturedLogs() as logged:
            self.start()
            for _ in range(3):
                self.network.dialled()
                self.network.accept(ONE).refuse("not-authorized")
                self.assertEqual(self.error(), ("register", "authentication-failure"))
                self.network.pass_time(65)
                self.assertEqual(self.network.dialled(), [])
                self.network.pass_time(2)
                self.assertEqual(self.network.dialled(), [HOSTS[ONE]])
            warnings = [one for one in logged if one["log_level"] is LogLevel.warn]
            self.assertEqual(len(warnings), 1)
            self.network.accept(ONE).register()
        self.assertIn("works again after", formatEvent(logged[-1]))
        self.assertIn("3 failed attempts", formatEvent(logged[-1]))

    def test_silent(self) -> None:
        """A server that is silent in TLS, or after it, is given up in time."""
        self.start()
        server = self.network.accept(ONE, plain=True)
        self.network.pass_time(9.5)
        self.assertEqual(self.states(), {ONE: "securing"})
        self.network.pass_time(0.5)
        self.assertEqual(self.error(), ("tls", "timeout"))
        self.assertTrue(server.lost)
        self.network.pass_time(1)
        self.network.accept(ONE)
        self.network.pass_time(10)
        self.assertEqual(self.error(), ("register", "timeout"))

    def test_garbage(self) -> None:
        """A server that speaks no TLS is a tls-failure."""
        self.start()
        self.network.accept(ONE, plain=True).type("220 smtp.example.com ready\r\n")
        self.assertEqual(self.error(), ("tls", "tls-failure"))

    def test_unknown_host(self) -> None:
        """A target without an address fails at that step, and is asked for again."""
        self.start(at("nowhere.example.com"))
        self.assertEqual(self.error(), ("address", "dns-failure"))
        self.assertEqual(self.network.dialled(), [])

    def test_lost_and_back(self) -> None:
        """A registered link that is lost is taken from its users and comes back by itself."""
        self.start()
        self.network.accept(ONE).register().vanish()
        self.assertEqual(self.using(), [])
        self.assertEqual(self.error(), ("active", "link-lost"))
        self.network.dialled()
        self.network.pass_time(1)
        self.network.accept(ONE).register()
        self.assertEqual(self.using(), [ONE])
        self.assertIsNone(self.links.status()[0]["last_error"])

    def test_dead_peer(self) -> None:
        """A network that swallows everything is noticed within interval and timeout."""
        self.start()
        self.network.accept(ONE).register()
        self.network._pumps.clear()
        self.network.pass_time(19.5)
        self.assertEqual(self.states(), {ONE: "registered"})
        self.network.pass_time(0.5)
        self.assertEqual(self.states(), {ONE: "waiting"})
        self.assertEqual(self.error(), ("active", "timeout"))

    def test_no_spinning(self) -> None:
        """A server that registers and drops us, again and again, is tried less and less often."""
        self.start()
        self.network.dialled()
        times = []
        for _ in range(6):
            self.network.accept(ONE).register().vanish()
            began = self.network.seconds()
            while not self.network.dialled():
                self.network.pass_time(0.25)
            times.append(self.network.seconds() - began)
        self.assertEqual(times, [1, 2, 4, 8, 16, 32])

    def test_rediscovers(self) -> None:
        """Before each repeated attempt the DNS is asked anew."""
        self.start()
        self.assertEqual(self.zone.asked, 1)
        self.network.refuse(ONE)
        self.zone.targets = (at(TWO),)
        self.network.dialled()
        self.network.pass_time(1)
        self.assertEqual(self.zone.asked, 2)
        self.assertEqual(self.network.dialled(), [HOSTS[TWO]])
        self.assertEqual(self.states(), {TWO: "connecting"})


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
