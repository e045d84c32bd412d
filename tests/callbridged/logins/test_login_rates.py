"""Tests of callbridged.logins.login_rates: counts and latencies of the last five minutes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.logins.login_rates import MAX_OUTCOMES, OTHER, WINDOW, LoginRates, Summary
from tests.daemonkit.records import a_record

NOW = datetime(2026, 11, 25, 12, 0, 0, 900_000, UTC)


class RatesTests(SynchronousTestCase):
    """What is said of logins that were counted."""

    def setUp(self) -> None:
        self.rates = LoginRates()

    def ended(self, outcome: str = "success", ago: float = 0.0, took: float = 0.01) -> None:
        ended = NOW - timedelta(seconds=ago)
        self.rates.add(a_record(outcome=outcome, ended=ended, seconds=took))

    def test_outcomes(self) -> None:
        """Logins are counted by outcome; who has given up has not failed."""
        for outcome, times in (("success", 3), ("not-authorized", 2), ("aborted", 1)):
            for _ in range(times):
                self.ended(outcome)
        summary = self.rates.summary(NOW)
        self.assertEqual(summary.outcomes, {"success": 3, "not-authorized": 2, "aborted": 1})
        self.assertEqual((summary.total, summary.succeeded, summary.failed), (6, 3, 2))

    def test_nothing(self) -> None:
        """Where no login has ended, nothing is said of how long they took."""
        self.assertEqual(self.rates.summary(NOW), Summary({}, None))
        self.assertIsNone(self.rates.summary(NOW).as_json()["latency"])

    def test_seconds(self) -> None:
        """Each second is there, also one in which nothing ended; the present one is the last."""
        self.ended(ago=2)
        self.ended("not-authorized")
        seconds = self.rates.seconds(NOW, 4)
        self.assertEqual([at for at, _ in seconds], list(range(1795608000 - 3, 1795608001)))
        self.assertEqual([one.total for _, one in seconds], [0, 1, 0, 1])
        self.assertEqual(len(self.rates.seconds(NOW)), WINDOW)

    def test_forgotten(self) -> None:
        """After five minutes a second is forgotten, whether or not another has taken its place."""
        self.ended(ago=WINDOW)
        self.ended(ago=WINDOW - 1)
        self.assertEqual(self.rates.summary(NOW).total, 1)
        self.ended()
        self.assertEqual(self.rates.summary(NOW).total, 2)

    def test_recent_ones(self) -> None:
        """The last few seconds can be asked for alone."""
        self.ended(ago=10)
        self.ended(ago=9)
        self.assertEqual(self.rates.summary(NOW, 10).total, 1)

    def test_latency(self) -> None:
        """Half of the logins were as fast as the median, and 5 % slower than the next number."""
        for number in range(100):
            self.ended(took=0.011 if number < 60 else 0.110 if number < 97 else 4.0)
        latency = self.rates.summary(NOW).latency
        assert latency is not None
        for said, took in ((latency.median, 0.011), (latency.p95, 0.110)):
            self.assertTrue(took <= said <= took * 1.26, (said, took))
        self.assertEqual(latency.longest, 4.0)
        self.assertAlmostEqual(latency.mean, 0.1673)
        self.assertEqual(latency.as_json()["longest_ms"], 4000.0)

    def test_very_slow(self) -> None:
        """A login that took longer than the last class reaches took as long as it took."""
        self.ended(took=1000.0)
        latency = self.rates.summary(NOW).latency
        assert latency is not None
        self.assertEqual((latency.median, latency.p95), (1000.0, 1000.0))

    def test_many_outcomes(self) -> None:
        """Outcomes that somebody makes up take no more room than others."""
        for number in range(1000):
            self.ended(f"made-up-{number}")
        outcomes = self.rates.summary(NOW).outcomes
        self.assertEqual(len(outcomes), MAX_OUTCOMES + 1)
        self.assertEqual(outcomes[OTHER], 1000 - MAX_OUTCOMES)

    def test_clock_set_back(self) -> None:
        """Logins that ended later than now, since the clock was set, count when that is over."""
        self.ended(ago=-60)
        self.assertEqual(self.rates.summary(NOW).total, 0)
        self.assertEqual(self.rates.summary(NOW + timedelta(seconds=60)).total, 1)

    @given(
        st.lists(
            st.tuples(st.integers(0, 400), st.sampled_from(["success", "aborted", "x"])),
            max_size=60,
        )
    )
    def test_sums(self, logins: Sequence[tuple[int, str]]) -> None:
        """The seconds together are what the summary says, which is what was counted."""
        rates = LoginRates()
        for ago, outcome in sorted(logins, reverse=True):
            rates.add(a_record(outcome=outcome, ended=NOW - timedelta(seconds=ago), seconds=0.5))
        summary = rates.summary(NOW)
        self.assertEqual(summary.total, sum(ago < WINDOW for ago, _ in logins))
        self.assertEqual(summary.total, sum(one.total for _, one in rates.seconds(NOW)))
        self.assertEqual(summary.failed, sum(ago < WINDOW and how == "x" for ago, how in logins))
