"""Tests of callbridged.links.dns: what becomes of dnspython's answers and errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dns.exception
import dns.message
import dns.rcode
import dns.rdata
import dns.resolver
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.dns import Answer, Resolver, SrvRecord, show_address
from tests.callbridged.coroutines import result_of

SERVER = [("192.0.2.53", 5353)]
SERVICE = "_xmpp-component._tcp.example.com"


class Pool:
    """A thread pool whose one thread is ours."""

    def callInThreadWithCallback(
        self, tell: Callable[[bool, Any], None], what: Callable[[], Any]
    ) -> None:
        try:
            result = what()
        except Exception:  # noqa: BLE001 - told as it is
            tell(False, Failure())
        else:
            tell(True, result)


class SlowPool:
    """A thread pool that works when told to."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []

    def callInThreadWithCallback(self, tell: Any, what: Callable[[], Any]) -> None:
        self.work.append(lambda: Pool().callInThreadWithCallback(tell, what))


class Reactor(Clock):
    """Enough of a reactor: time, threads and a name resolver."""

    def __init__(self, pool: Any = None) -> None:
        super().__init__()
        self.pool = pool or Pool()
        self.nameResolver = self
        self.system: list[Any] | None = []

    def getThreadPool(self) -> Any:
        return self.pool

    def callFromThread(self, what: Callable[..., None], *arguments: object) -> None:
        what(*arguments)

    def resolveHostName(self, receiver: Any, name: str) -> None:
        for address in self.system or []:
            receiver.addressResolved(address)
        if self.system is not None:
            receiver.resolutionComplete()


class Network:
    """Answers look-ups from a table: (name, kind) to lines of a zone file, or an exception."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[Any, str, str, float]] = []

    def __call__(
        self, nameservers: Sequence[tuple[str, int]], name: str, kind: str, timeout: float
    ) -> Answer:
        self.asked.append((nameservers, name, kind, timeout))
        answer = self.answers.get((name, kind), dns.resolver.NXDOMAIN())
        if isinstance(answer, Exception):
            raise answer
        return Answer(tuple(dns.rdata.from_text("IN", kind, line) for line in answer), 300)


class SrvTests(SynchronousTestCase):
    """SRV records."""

    def setUp(self) -> None:
        self.network = Network()
        self.resolver = Resolver(Reactor(), SERVER, 5.0, self.network)

    def fails(self, *mentions: str) -> StepFailure:
        with self.assertRaises(StepFailure) as caught:
            result_of(self.resolver.srv(SERVICE))
        failure: StepFailure = caught.exception
        self.assertEqual(failure.step, Step.SRV)
        for mention in mentions:
            self.assertIn(mention, failure.text)
        return failure

    def test_records(self) -> None:
        """Records come with all their fields, names lower case and without the final dot."""
        self.network.answers[SERVICE, "SRV"] = ["10 5 5223 XMPP1.example.com."]
        records = result_of(self.resolver.srv(SERVICE))
        self.assertEqual(records, [SrvRecord(10, 5, 5223, "xmpp1.example.com", 300)])
        self.assertEqual(str(records[0]), "10 5 5223 xmpp1.example.com")
        self.assertEqual(self.network.asked, [(tuple(SERVER), SERVICE, "SRV", 5.0)])

    def test_asked_anew(self) -> None:
        """Nothing is kept between two questions."""
        self.network.answers[SERVICE, "SRV"] = ["10 5 5223 xmpp1.example.com."]
        result_of(self.resolver.srv(SERVICE))
        self.network.answers[SERVICE, "SRV"] = ["10 5 5223 xmpp2.example.com."]
        (record,) = result_of(self.resolver.srv(SERVICE))
        self.assertEqual(record.target, "xmpp2.example.com")

    def test_none(self) -> None:
        """No record, or no such name: no-such-service, with what to add or set."""
        for error in (dns.resolver.NXDOMAIN(), dns.resolver.NoAnswer(response=_response())):
            self.network.answers[SERVICE, "SRV"] = error
            failure = self.fails(SERVICE)
            self.assertEqual(failure.reason, Reason.NO_SUCH_SERVICE)
            self.assertIn("server_address", failure.remedy)

    def test_not_offered(self) -> None:
        """A single record with the target "." says that the service is not offered."""
        for root in (".", "\\."):  # the second is how Twisted Names' own server writes it
            self.network.answers[SERVICE, "SRV"] = [f"0 0 0 {root}"]
            self.assertEqual(self.fails("not offered").reason, Reason.NO_SUCH_SERVICE)

    def test_timeout(self) -> None:
        """No answer in time: dns-failure that names the servers asked."""
        self.network.answers[SERVICE, "SRV"] = dns.resolver.LifetimeTimeout(timeout=5, errors=[])
        self.assertEqual(self.fails("192.0.2.53:5353", "within 5 s").reason, Reason.DNS_FAILURE)

    def test_server_failure(self) -> None:
        """SERVFAIL: dns-failure with what the servers said."""
        said = [("192.0.2.53", False, 5353, "SERVFAIL", None)]
        self.network.answers[SERVICE, "SRV"] = dns.resolver.NoNameservers(
            request=_response(), errors=said
        )
        self.assertEqual(self.fails("192.0.2.53:5353", "SERVFAIL").reason, Reason.DNS_FAILURE)

    def test_other_errors(self) -> None:
        """Whatever else can go wrong is a dns-failure too."""
        for error in (
            dns.resolver.NoResolverConfiguration("no resolv.conf"),
            OSError("network is unreachable"),
            dns.exception.SyntaxError("bad"),
        ):
            self.network.answers[SERVICE, "SRV"] = error
            self.assertEqual(self.fails().reason, Reason.DNS_FAILURE)


class AddressTests(SynchronousTestCase):
    """Addresses, asked at the name servers of the settings."""

    def setUp(self) -> None:
        self.network = Network()
        self.pool = SlowPool()
        self.reactor = Reactor()
        self.resolver = Resolver(self.reactor, SERVER, 5.0, self.network)

    def addresses(self, host: str = "xmpp1.example.com") -> list[str]:
        return result_of(self.resolver.addresses(host))

    def fails(self) -> StepFailure:
        with self.assertRaises(StepFailure) as caught:
            self.addresses()
        self.assertEqual(
            (caught.exception.step, caught.exception.reason), (Step.ADDRESS, Reason.DNS_FAILURE)
        )
        failure: StepFailure = caught.exception
        return failure

    def answers(self, v6: Any = None, v4: Any = None) -> None:
        for kind, answer in (("AAAA", v6), ("A", v4)):
            if answer is not None:
                self.network.answers["xmpp1.example.com", kind] = answer

    def test_both_families(self) -> None:
        """A and AAAA are both asked, and all addresses are answered."""
        self.answers(["2001:db8::1"], ["192.0.2.1", "192.0.2.2"])
        self.assertEqual(self.addresses(), ["2001:db8::1", "192.0.2.1", "192.0.2.2"])

    def test_one_family(self) -> None:
        """A family without a record, or without an answer, does not spoil the other."""
        self.answers(v4=["192.0.2.1"])
        self.assertEqual(self.addresses(), ["192.0.2.1"])
        self.answers(v6=dns.resolver.LifetimeTimeout(timeout=5, errors=[]))
        self.assertEqual(self.addresses(), ["192.0.2.1"])

    def test_literal(self) -> None:
        """An address literal is not asked for."""
        for literal in ("192.0.2.9", "2001:db8::9"):
            self.assertEqual(self.addresses(literal), [literal])
        self.assertEqual(self.network.asked, [])

    def test_none(self) -> None:
        """A name without addresses is a dns-failure that names it."""
        self.assertIn("xmpp1.example.com has neither", self.fails().text)

    def test_timeout(self) -> None:
        """No answer about one family and nothing in the other: the text says who was silent."""
        self.answers(v6=dns.resolver.LifetimeTimeout(timeout=5, errors=[]))
        self.assertIn("No answer to A and AAAA xmpp1.example.com", self.fails().text)

    def slow(self) -> tuple[Deferred[list[str]], list[Any]]:
        self.resolver = Resolver(Reactor(self.pool), SERVER, 5.0, self.network)
        self.reactor = self.resolver._reactor
        results: list[Any] = []
        work = Deferred.fromCoroutine(self.resolver.addresses("xmpp1.example.com"))
        work.addBoth(results.append)
        return work, results

    def test_slow_family(self) -> None:
        """Once one family has an address, the other gets little more time (RFC 8305)."""
        self.answers(["2001:db8::1"], ["192.0.2.1"])
        _, results = self.slow()
        self.assertEqual(len(self.pool.work), 2, "both are asked at once")
        self.pool.work[1]()
        self.assertEqual(results, [])
        self.reactor.advance(0.05)
        self.assertEqual(results, [["192.0.2.1"]])
        self.pool.work[0]()

    def test_cancelled(self) -> None:
        """Giving up is silent, and a late answer does no harm."""
        work, results = self.slow()
        work.cancel()
        results[0].trap(CancelledError)
        for late in self.pool.work:
            late()


class SystemTests(SynchronousTestCase):
    """Addresses, asked from the system's resolver."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.network = Network()
        self.resolver = Resolver(self.reactor, (), 5.0, self.network)

    def test_hosts_file(self) -> None:
        """Without name servers of our own the system is asked, hosts file included."""
        self.reactor.system = [IPv6Address("TCP", "::1", 0), IPv4Address("TCP", "127.0.0.2", 0)]
        self.assertEqual(result_of(self.resolver.addresses("localhost")), ["::1", "127.0.0.2"])
        self.assertEqual(self.network.asked, [])

    def test_none(self) -> None:
        """A name that the system does not know is a dns-failure."""
        with self.assertRaises(StepFailure) as caught:
            result_of(self.resolver.addresses("xmpp1.example.com"))
        self.assertIn("the system's resolver", caught.exception.text)

    def test_silent_system(self) -> None:
        """A system that does not answer is given up after the timeout."""
        self.reactor.system = None
        results: list[Any] = []
        work = Deferred.fromCoroutine(self.resolver.addresses("xmpp1.example.com"))
        work.addBoth(results.append)
        self.reactor.advance(5)
        self.assertEqual(results[0].value.reason, Reason.DNS_FAILURE)


class ShowTests(SynchronousTestCase):
    """How addresses are written."""

    def test_brackets(self) -> None:
        """An IPv6 address stands in brackets before its port."""
        self.assertEqual(show_address("192.0.2.1", 53), "192.0.2.1:53")
        self.assertEqual(show_address("2001:db8::1", 53), "[2001:db8::1]:53")


def _response() -> dns.message.Message:
    return dns.message.make_response(dns.message.make_query(SERVICE, "SRV"))
