"""Tests of callbridged.links.dialer: a whole link, over real TLS in memory."""

from __future__ import annotations

from typing import Any

from twisted.logger import LogLevel, capturedLogs, formatEvent

from bridgewire.steps import Step
from tests.callbridged.links.links_case import NO_RECORD, ONE, TWO, LinksTestCase, at
from tests.callbridged.network import HOSTS, certificates


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
