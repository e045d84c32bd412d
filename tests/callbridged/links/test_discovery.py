"""Tests of callbridged.links.discovery: which targets there are, in which order, and wanted."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.discovery import (
    MAX_TARGETS,
    Candidate,
    FixedAddress,
    Found,
    SrvDiscovery,
    Target,
    order,
    settle,
    wanted,
)
from callbridged.links.dns import SrvRecord
from tests.callbridged.coroutines import result_of


class Zone:
    """An SRV look-up with one answer."""

    def __init__(self, *records: SrvRecord, failure: StepFailure | None = None) -> None:
        self.records = list(records)
        self.failure = failure
        self.asked: list[str] = []

    async def srv(self, name: str) -> list[SrvRecord]:
        self.asked.append(name)
        if self.failure:
            raise self.failure
        return self.records


def find(zone: Zone, domain: str = "example.com") -> Found:
    return result_of(SrvDiscovery(Clock(), zone, domain, Random(1)).find())


class OrderTests(SynchronousTestCase):
    """The order of RFC 2782."""

    def first(self, *weights: int, draws: int = 10_000) -> Counter[int]:
        """How often each of the weights of one priority comes first."""
        random = Random(2782)
        records = [SrvRecord(0, weight, 5223, f"w{weight}") for weight in weights]
        return Counter(int(order(records, random)[0].host[1:]) for _ in range(draws))

    def test_priority(self) -> None:
        """A lower priority comes first, whatever the weights."""
        records = [SrvRecord(20, 65535, 1, "b"), SrvRecord(10, 0, 1, "a"), SrvRecord(30, 1, 1, "c")]
        for seed in range(50):
            self.assertEqual([one.host for one in order(records, Random(seed))], ["a", "b", "c"])

    def test_weights(self) -> None:
        """Within a priority, targets come first in proportion to their weights."""
        first = self.first(100, 300, 600)
        for weight in (100, 300, 600):
            self.assertLess(abs(first[weight] / 10_000 - weight / 1000), 0.02)

    def test_weight_zero(self) -> None:
        """A weight of 0 has a small chance beside others, and its turn after them."""
        first = self.first(0, 9)
        self.assertGreater(first[0], 0)
        self.assertLess(abs(first[0] / 10_000 - 0.1), 0.02)

    def test_all_weights_zero(self) -> None:
        """With weights of 0 only, every target is there once."""
        records = [SrvRecord(0, 0, 5223, name) for name in "abc"]
        self.assertEqual({one.host for one in order(records, Random(0))}, {"a", "b", "c"})

    def test_same_server_twice(self) -> None:
        """Of two records for the same host and port, the one with the better priority counts."""
        records = [SrvRecord(20, 0, 5223, "a"), SrvRecord(10, 0, 5223, "a")]
        found = order(records, Random(0))
        self.assertEqual([(one.host, one.priority) for one in found], [("a", 10)])

    def test_settled(self) -> None:
        """A new answer keeps the order drawn before; new targets come after, priorities first."""
        a, b, c = Target("a", 1, 10), Target("b", 1, 10), Target("c", 1, 10)
        best = Target("best", 1, 5)
        self.assertEqual(settle([b, a], [c, a, best, b]), [best, b, a, c])
        self.assertEqual(settle([b, a], [a]), [a])
        moved = settle([b, a], [Target("a", 1, 1), b])
        self.assertEqual([(one.host, one.priority) for one in moved], [("a", 1), ("b", 10)])


class DiscoveryTests(SynchronousTestCase):
    """Where the targets come from."""

    def test_fixed_address(self) -> None:
        """A server address is the one target, at 5223 unless it names a port."""
        found = result_of(FixedAddress("xmpp1.example.com").find())
        self.assertEqual(found.targets, (Target("xmpp1.example.com", 5223),))
        self.assertEqual(found.said[0][0], Step.PORT)
        self.assertIn("5223 by default", found.said[0][1])
        self.assertIsNone(found.ttl)
        found = result_of(FixedAddress("2001:db8::1", 5999).find())
        self.assertEqual([str(one) for one in found.targets], ["[2001:db8::1]:5999"])

    def test_srv(self) -> None:
        """Without one, the SRV records of the domain are asked for and told in full."""
        zone = Zone(
            SrvRecord(20, 5, 5224, "xmpp2.example.com", 300),
            SrvRecord(10, 5, 5223, "xmpp1.example.com", 60),
        )
        found = find(zone)
        self.assertEqual(zone.asked, ["_xmpp-component._tcp.example.com"])
        self.assertEqual(
            [str(one) for one in found.targets],
            ["xmpp1.example.com:5223", "xmpp2.example.com:5224"],
        )
        self.assertEqual(found.ttl, 60)
        self.assertEqual(
            found.said[-1],
            (
                Step.SRV,
                "_xmpp-component._tcp.example.com has 10 5 5223 xmpp1.example.com, "
                "20 5 5224 xmpp2.example.com",
            ),
        )

    def test_failure(self) -> None:
        """A failed question is the discovery's failure."""
        failure = StepFailure(Step.SRV, Reason.NO_SUCH_SERVICE, "There is no SRV record.")
        with self.assertRaises(StepFailure) as caught:
            find(Zone(failure=failure))
        self.assertIs(caught.exception, failure)

    def test_too_many(self) -> None:
        """Targets beyond the limit are left out, the last in order, and the log says so."""
        records = [SrvRecord(number, 0, 5223, f"x{number}") for number in range(MAX_TARGETS + 5)]
        with capturedLogs() as logged:
            found = find(Zone(*records))
        self.assertEqual([one.host for one in found.targets], [f"x{n}" for n in range(MAX_TARGETS)])
        (event,) = logged
        self.assertEqual((event["log_level"], event["count"]), (LogLevel.warn, MAX_TARGETS + 5))


A, B, C = Target("a", 5223, 10), Target("b", 5223, 10), Target("c", 5223, 20)


def candidates() -> st.SearchStrategy[list[Candidate]]:
    """Targets in settled order: by priority."""
    one = st.builds(lambda p, r, h: (p, r, h), st.integers(0, 3), st.booleans(), st.booleans())
    return st.lists(one, max_size=8).map(
        lambda drawn: [
            Candidate(Target(f"x{index}", 5223, priority), registered, hopeful)
            for index, (priority, registered, hopeful) in enumerate(sorted(drawn))
        ]
    )


class WantedTests(SynchronousTestCase):
    """How many links, to which targets."""

    def test_all(self) -> None:
        """Without a limit every target is wanted, up or down."""
        down = [Candidate(one, hopeful=False) for one in (A, B, C)]
        self.assertEqual(wanted(down, None), [A, B, C])

    def test_first_only(self) -> None:
        """With a limit of one, the first target is tried alone at first."""
        self.assertEqual(wanted([Candidate(A), Candidate(B)], 1), [A])

    def test_next_when_one_is_down(self) -> None:
        """A target that is down brings in the next one, and stays wanted."""
        self.assertEqual(
            wanted([Candidate(A, hopeful=False), Candidate(B), Candidate(C)], 1), [A, B]
        )

    def test_back_to_the_preferred(self) -> None:
        """When the target of the better priority is back, the other is wanted no more."""
        waiting = Candidate(B, hopeful=False)
        self.assertEqual(wanted([waiting, Candidate(C, registered=True)], 1), [B, C])
        back = Candidate(B, registered=True)
        self.assertEqual(wanted([back, Candidate(C, registered=True)], 1), [B])

    def test_no_wandering(self) -> None:
        """Within a priority, whichever is registered is kept, and the one that was down let go."""
        up = Candidate(B, registered=True)
        self.assertEqual(wanted([Candidate(A, hopeful=False), up], 1), [B])
        self.assertEqual(wanted([Candidate(A), up], 1), [B])

    @given(candidates(), st.integers(1, 5))
    def test_limit(self, known: list[Candidate], limit: int) -> None:
        """No more than the limit count, and as many count as there are that could."""
        chosen = wanted(known, limit)
        counting = [one.target for one in known if one.registered or one.hopeful]
        self.assertEqual(sum(one in counting for one in chosen), min(limit, len(counting)))
        self.assertEqual(len(chosen), len(set(chosen)))

    @given(candidates(), st.integers(1, 5))
    def test_nothing_better_is_left_out(self, known: list[Candidate], limit: int) -> None:
        """Whoever is left out is no better than anybody who is wanted."""
        chosen = set(wanted(known, limit))
        worst = max((one.target.priority for one in known if one.target in chosen), default=0)
        for one in known:
            if one.target not in chosen:
                self.assertGreaterEqual(one.target.priority, worst)

    @given(candidates(), st.integers(1, 5))
    def test_enough_up(self, known: list[Candidate], limit: int) -> None:
        """What is registered is let go only where enough others of its rank or better are up."""
        chosen = set(wanted(known, limit))
        for one in known:
            if one.registered and one.target not in chosen:
                better = [
                    other
                    for other in known
                    if other.target in chosen
                    and (other.registered or other.hopeful)
                    and other.target.priority <= one.target.priority
                ]
                self.assertGreaterEqual(len(better), limit)

    @given(candidates())
    def test_more_is_more(self, known: list[Candidate]) -> None:
        """A greater limit never loses a target."""
        for limit in range(1, 5):
            self.assertLessEqual(set(wanted(known, limit)), set(wanted(known, limit + 1)))
