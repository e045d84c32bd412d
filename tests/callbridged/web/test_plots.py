"""Tests of callbridged.web.pages.plots: samples, and the lines that are made of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twisted.trial.unittest import SynchronousTestCase

from callbridged.logins.login_rates import LoginRates
from callbridged.web.pages.plots import Counts, Sample, draw, samples
from daemonkit.login_record import LoginRecord

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def rates(*logins: tuple[int, str, float]) -> LoginRates:
    """Logins: how many seconds ago, how they ended, how long they took."""
    found = LoginRates()
    for ago, outcome, seconds in logins:
        found.add(
            LoginRecord(
                NOW - timedelta(seconds=ago), "1", "", "d", "PLAIN", "", (), outcome, seconds
            )
        )
    return found


class SampleTests(SynchronousTestCase):
    """What is sent to browsers."""

    def test_kinds(self) -> None:
        """Refused is not the same as not answered, and who gave up is not counted."""
        found = rates(
            (1, "success", 0.01), (1, "not-authorized", 0.02), (1, "temporary-auth-failure", 0.5),
            (1, "link-lost", 0.5), (1, "aborted", 0.1),
        )  # fmt: skip
        one = samples(found.seconds(NOW, 2))[0]
        self.assertEqual((one.success, one.refused, one.failed), (1, 1, 2))
        self.assertEqual(one.slowest, 500)

    def test_empty_second(self) -> None:
        """A second without logins has no latency."""
        (one,) = samples(rates().seconds(NOW, 1))
        self.assertEqual(one, Sample(int(NOW.timestamp()), 0, 0, 0, None, None))

    def test_counts(self) -> None:
        """The same for longer times."""
        found = Counts.of(rates((1, "success", 0.01), (90, "success", 0.02)).summary(NOW))
        self.assertEqual((found.success, found.refused, found.failed), (2, 0, 0))


class DrawTests(SynchronousTestCase):
    """Paths in a box of 300 by 100."""

    def test_nothing(self) -> None:
        """Without a sample, or with none that counts, there is no line."""
        for found in ([], [Sample(1, 0, 0, 0, None, None), Sample(2, 0, 0, 0, None, None)]):
            for plot in draw(found).values():
                self.assertEqual(plot.top, 1)
                self.assertEqual(set(plot.paths.values()), {""})

    def test_stacked(self) -> None:
        """Who was refused stands on top of who was let in, and the scale holds both."""
        plot = draw([Sample(10, 3, 0, 0, 5, 5), Sample(11, 3, 2, 0, 5, 5)])["rate"]
        self.assertEqual(plot.top, 5)
        self.assertEqual(plot.paths["success"], "M299 100L299 41.2L300 41.2L300 100")
        self.assertEqual(plot.paths["refused"], "M299 100L299 41.2L300 2L300 100")

    def test_lines(self) -> None:
        """Latencies are joined across seconds in which nobody logged in; one alone is a dot."""
        plot = draw(
            [
                Sample(10, 1, 0, 0, 20, 40),
                Sample(11, 0, 0, 0, None, None),
                Sample(12, 1, 0, 0, 10, 50),
            ]
        )["latency"]
        self.assertEqual(plot.top, 50)
        self.assertEqual(plot.paths["slowest"], "M298 21.6L300 2")
        alone = draw([Sample(10, 1, 0, 0, 20, 40)])["latency"]
        self.assertEqual(alone.paths["slowest"], "M300 21.6h.5")

    def test_rounded(self) -> None:
        """Halves are rounded up, as the browser does it: a line that it draws anew stays."""
        plot = draw([Sample(10, 1, 0, 0, 0.5, 150)])["latency"]
        self.assertEqual((plot.top, plot.paths["median"]), (200, "M300 99.76h.5"))

    def test_scale(self) -> None:
        """The scale ends at 1, 2 or 5, with zeros."""
        for most, top in ((1, 1), (2, 2), (3, 5), (7, 10), (10, 10), (11, 20), (501, 1000)):
            self.assertEqual(draw([Sample(1, most, 0, 0, 1, 1)])["rate"].top, top)
