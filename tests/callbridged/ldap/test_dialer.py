"""Tests of callbridged.backends.ldap.dialer: the first server that can be used."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.backends.ldap.dialer import AVOIDED, Dialer
from callbridged.backends.ldap.urls import parse_url
from tests.callbridged.ldap.directories import settings
from tests.callbridged.ldap.servers import Started, WordCodec
from tests.callbridged.network import HOSTS, Network

FIRST, SECOND = "xmpp1.example.com", "xmpp2.example.com"


class DialerCase(SynchronousTestCase):
    """A network with servers that accept, refuse or are silent."""

    hosts: tuple[str, ...] = (FIRST, SECOND)

    def setUp(self) -> None:
        self.network = Network()
        urls = tuple(parse_url(f"ldap://{host}") for host in self.hosts)
        self.dialer = Dialer(self.network, settings(urls=urls), self.find, WordCodec)
        self.lookups: list[Deferred[None]] = []
        self.hold = False
        self.said: list[str] = []
        self.logged: list[str] = []

        def observe(event: Any) -> None:
            self.logged.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    async def find(self, host: str) -> list[str]:
        if self.hold:
            self.lookups.append(Deferred())
            await self.lookups[-1]
        if host not in HOSTS:
            raise StepFailure(Step.ADDRESS, Reason.DNS_FAILURE, f"No {host}.", "Correct it.")
        return [HOSTS[host]]

    def open(self, seconds: float = 4.0) -> Started:
        until = self.network.seconds() + seconds
        started = Started(self.dialer.open(until, self.said.append))
        self.network.settle()
        return started

    def connected(self, opened: Started) -> str:
        """To which server."""
        name: str = getattr(opened.outcome, "name", repr(opened.outcome))
        return name


class Opening(DialerCase):
    """Which server is taken."""

    def test_first(self) -> None:
        """The first server is the first choice; what is waited for is said."""
        opened = self.open()
        self.assertEqual(self.network.dialled(), [HOSTS[FIRST]])
        self.network.accept(FIRST, plain=True)
        self.assertEqual(self.connected(opened), f"ldap://{FIRST}")
        self.assertEqual(
            self.said, [f"the address of {FIRST}", f"the connection to ldap://{FIRST}"]
        )

    def test_refused(self) -> None:
        """If the first one refuses, the second one is taken, and the log says why."""
        opened = self.open()
        self.network.refuse(FIRST)
        self.network.accept(SECOND, plain=True)
        self.assertEqual(self.connected(opened), f"ldap://{SECOND}")
        (line,) = [line for line in self.logged if "cannot be used" in line]
        self.assertIn(f"[ldap office]: ldap://{FIRST} cannot be used, and ldap://{SECOND} is", line)
        self.assertIn("connect-refused: No connection to 192.0.2.1 port 389", line)

    def test_silent(self) -> None:
        """A server that is silent gets its share of the time, and leaves some for the next."""
        opened = self.open(4.0)
        self.network.pass_time(2.0)
        self.network.accept(SECOND, plain=True)
        self.assertEqual(self.connected(opened), f"ldap://{SECOND}")

    def test_avoided(self) -> None:
        """One that failed is tried after the others for a while, and then first again."""
        self.open()
        self.network.refuse(FIRST)
        self.network.accept(SECOND, plain=True)
        self.network.dialled()
        self.open()
        self.assertEqual(self.network.dialled(), [HOSTS[SECOND]])
        self.network.pass_time(AVOIDED, AVOIDED)
        self.network.dialled()
        self.open()
        self.assertEqual(self.network.dialled(), [HOSTS[FIRST]])

    def test_blamed(self) -> None:
        """One that did not answer later on is avoided likewise."""
        self.dialer.avoid(f"ldap://{FIRST}")
        self.open()
        self.assertEqual(self.network.dialled(), [HOSTS[SECOND]])

    def test_none(self) -> None:
        """If none can be used, the failure is that of all of them."""
        opened = self.open()
        self.network.refuse(FIRST)
        self.network.refuse(SECOND)
        self.assertIsInstance(opened.outcome, StepFailure)
        self.assertIs(opened.outcome.reason, Reason.CONNECT_REFUSED)
        for host in self.hosts:
            self.assertIn(f"{HOSTS[host]} port 389: connection refused", str(opened.outcome))
        self.assertIn("does url in [ldap office] name its port", str(opened.outcome))

    def test_cancelled(self) -> None:
        """Who gives up tries no further server."""
        opened = self.open()
        opened.deferred.cancel()
        self.assertIsInstance(opened.outcome, CancelledError)
        self.network.settle()
        self.assertEqual(self.network.dialled(), [HOSTS[FIRST]])


class One(DialerCase):
    """With one server alone."""

    hosts = ("nowhere.example.com",)

    def test_no_address(self) -> None:
        """A name without an address says so."""
        opened = self.open()
        self.assertIs(opened.outcome.reason, Reason.DNS_FAILURE)

    def test_slow_lookup(self) -> None:
        """A lookup that hangs is given up in time."""
        self.hold = True
        opened = self.open(4.0)
        self.network.pass_time(4.0)
        self.assertIs(opened.outcome.reason, Reason.TIMEOUT)
        self.assertIn(f"what was waited for is the address of {self.hosts[0]}", str(opened.outcome))
        self.assertEqual(self.network.dialled(), [])
