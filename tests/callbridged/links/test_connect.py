"""Tests of callbridged.links.connect: the first of several addresses that answers."""

from __future__ import annotations

from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.connect import connect, interleave


class ConnectTests(SynchronousTestCase):
    """Happy Eyeballs."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.built: list[Protocol] = []
        self.results: list[Any] = []

    def dial(self, *addresses: str) -> Deferred[Any]:
        def build() -> Protocol:
            self.built.append(Protocol())
            return self.built[-1]

        factory = Factory.forProtocol(build)
        work = Deferred.fromCoroutine(connect(self.reactor, addresses, 5223, factory, 10.0))
        work.addBoth(self.results.append)
        return work

    def dialled(self) -> list[tuple[str, int]]:
        return [(host, port) for host, port, *_ in self.reactor.tcpClients]

    def answer(self, index: int) -> Any:
        """Let an attempt succeed; answer its transport, None where it got no protocol."""
        factory = self.reactor.tcpClients[index][2]
        protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5223))
        if protocol is None:
            return None
        transport = StringTransport()
        protocol.makeConnection(transport)
        return transport

    def refuse(self, index: int, why: Exception) -> None:
        factory = self.reactor.tcpClients[index][2]
        factory.clientConnectionFailed(self.reactor.connectors[index], Failure(why))

    def failure(self) -> StepFailure:
        self.assertEqual(len(self.results), 1, "it still waits")
        failure = self.results[0].value
        assert isinstance(failure, StepFailure)
        self.assertEqual(failure.step, Step.CONNECT)
        return failure

    def test_order(self) -> None:
        """IPv6 and IPv4 take turns, IPv6 first."""
        self.assertEqual(
            interleave(["4a", "4b", "4c", "6:a", "6:b"]), ["6:a", "4a", "6:b", "4b", "4c"]
        )

    def test_first_answers(self) -> None:
        """The first address is connected to, and no other is tried."""
        self.dial("192.0.2.1", "192.0.2.2")
        self.answer(0)
        self.assertEqual(self.results, self.built)
        self.reactor.advance(60)
        self.assertEqual(self.dialled(), [("192.0.2.1", 5223)])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_slow_first(self) -> None:
        """A first address that is slow has company soon, and the one that answers is taken."""
        self.dial("192.0.2.1", "2001:db8::1")
        self.assertEqual(self.dialled(), [("2001:db8::1", 5223)])
        self.reactor.advance(0.25)
        self.assertEqual(self.dialled(), [("2001:db8::1", 5223), ("192.0.2.1", 5223)])
        self.answer(1)
        self.assertEqual(self.results, self.built)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)

    def test_both_at_once(self) -> None:
        """Of two that come up in the same moment, only one gets a protocol."""
        self.dial("192.0.2.1", "192.0.2.2")
        self.reactor.advance(0.25)
        first, second = (client[2] for client in self.reactor.tcpClients)
        address = IPv4Address("TCP", "192.0.2.1", 5223)
        protocol: Any = first.buildProtocol(address)
        self.assertIsNone(second.buildProtocol(address))
        protocol.makeConnection(StringTransport())
        self.assertEqual(len(self.built), 1)
        self.assertEqual(self.results, self.built)

    def test_refused(self) -> None:
        """When every address refuses, the failure names them all."""
        self.dial("192.0.2.2", "192.0.2.1")
        self.refuse(0, error.ConnectionRefusedError())
        self.reactor.advance(0.25)
        self.refuse(1, error.ConnectionRefusedError())
        self.reactor.advance(0.25)
        failure = self.failure()
        self.assertEqual(failure.reason, Reason.CONNECT_REFUSED)
        self.assertEqual(
            failure.text,
            "No connection to 192.0.2.1 and 192.0.2.2 port 5223: connection refused.",
        )

    def test_swallowed(self) -> None:
        """When nothing answers, the failure comes after the timeout, and everything is given up."""
        self.dial("192.0.2.1", "192.0.2.2")
        self.reactor.pump([0.25] * 40)
        failure = self.failure()
        self.assertEqual(failure.reason, Reason.CONNECT_TIMEOUT)
        self.assertIn("192.0.2.1 and 192.0.2.2 port 5223: no answer within 10 s", failure.text)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_mixed(self) -> None:
        """One refuses and one is silent: the failure says which did what."""
        self.dial("192.0.2.1", "192.0.2.2")
        self.refuse(0, error.ConnectionRefusedError())
        self.reactor.pump([0.25] * 41)
        self.assertEqual(self.failure().reason, Reason.CONNECT_TIMEOUT)
        self.assertIn("192.0.2.1 port 5223: connection refused; 192.0.2.2", self.failure().text)

    def test_unreachable(self) -> None:
        """What the network says is passed on."""
        self.dial("192.0.2.1")
        self.refuse(0, error.NoRouteError(osError=OSError(113, "No route to host")))
        self.reactor.advance(0.25)
        self.assertEqual(self.failure().reason, Reason.CONNECT_REFUSED)
        self.assertIn("192.0.2.1 port 5223: no route to host", self.failure().text)

    def test_cancelled(self) -> None:
        """Giving up stops every attempt and leaves nothing behind."""
        work = self.dial("192.0.2.1", "192.0.2.2")
        self.reactor.advance(0.25)
        work.cancel()
        self.results[0].trap(CancelledError)
        self.assertTrue(all(one.stoppedConnecting for one in self.reactor.connectors))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.built, [])
