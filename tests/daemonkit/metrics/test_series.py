"""Tests of series that are looked at, of the reactor's lag, and of logins that are counted."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client import REGISTRY, Counter, ProcessCollector
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from daemonkit import open_files
from daemonkit.feed import Feed
from daemonkit.login_record import LoginRecord
from daemonkit.metrics import common
from daemonkit.metrics.lag import INTERVAL, ReactorLag
from daemonkit.metrics.logins import LoginMetrics
from daemonkit.metrics.process import Process
from daemonkit.metrics.series import AtScrape, counters, gauge, gauges, new_registry
from daemonkit.reload import Outcome, Reload
from tests.daemonkit.records import a_record
from tests.support.exposed import exposed, series


class SeriesTests(SynchronousTestCase):
    """What is looked at when it is scraped."""

    def test_as_it_is_then(self) -> None:
        """Each scrape sees what is there then, and nothing of what was."""
        registry = new_registry()
        rooms = {"red": 1.0}
        registry.register(AtScrape("rooms", lambda: [gauges("rooms", "R.", "name", rooms)]))
        self.assertEqual(exposed(registry), {("rooms", "red"): 1.0})
        del rooms["red"]
        rooms["blue"] = 2.0
        self.assertEqual(exposed(registry), {("rooms", "blue"): 2.0})

    def test_labels(self) -> None:
        """Several labels are given in order, and any value is told as it is."""
        values = {("a", 'b"\n\\'): 1.0}
        registry = new_registry()
        registry.register(AtScrape("x", lambda: [counters("x", "X.", ("one", "two"), values)]))
        self.assertEqual(exposed(registry), {("x_total", "a", 'b"\n\\'): 1.0})

    def test_defect(self) -> None:
        """What fails in one part is logged once, and leaves the others as they are."""
        registry = new_registry()
        registry.register(AtScrape("bad", lambda: [gauge("bad", "B.", 1 / 0)]))
        registry.register(AtScrape("good", lambda: [gauge("good", "G.", 1)]))
        for _ in range(3):
            self.assertEqual(exposed(registry), {("good",): 1.0})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_no_globals(self) -> None:
        """A daemon's registry has nothing of another one's, nor of the library's own."""
        one, other = new_registry(), new_registry()
        before = series(REGISTRY.collect()).keys()
        Counter("spoons", "S.", registry=one)
        self.assertEqual((exposed(one), exposed(other)), ({("spoons_total",): 0.0}, {}))
        self.assertEqual(series(REGISTRY.collect()).keys(), before)


class LagTests(SynchronousTestCase):
    """How late the reactor is."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.registry = new_registry()
        self.lag = ReactorLag(self.clock, "x", self.registry)
        self.lag.startService()

    def found(self) -> tuple[float, float]:
        seen = exposed(self.registry)
        return seen[("x_reactor_lag_seconds_count",)], seen[("x_reactor_lag_seconds_sum",)]

    def test_in_time(self) -> None:
        """A reactor that does everything in time has no lag, and is looked at all the time."""
        self.clock.pump([INTERVAL] * 10)
        self.assertEqual(self.found(), (10.0, 0.0))

    def test_late(self) -> None:
        """One that was stuck for a while is late by that, and then is not any more."""
        self.clock.advance(INTERVAL + 0.75)
        self.assertEqual(self.found(), (1.0, 0.75))
        self.clock.advance(INTERVAL)
        self.assertEqual(self.found(), (2.0, 0.75))

    def test_stopped(self) -> None:
        """Stopped, it leaves nothing behind."""
        self.lag.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LoginTests(SynchronousTestCase):
    """Logins, counted as they end."""

    def setUp(self) -> None:
        self.registry = new_registry()
        self.feed: Feed[LoginRecord] = Feed(kept=2)
        LoginMetrics(
            self.registry,
            "x",
            self.feed,
            mechanisms=("PLAIN", "EXTERNAL"),
            outcomes=("success", "not-authorized"),
            parts=lambda record: {"whole": record.seconds},
            about="whole.",
        )

    def count(self, mechanism: str, outcome: str) -> float:
        return exposed(self.registry).get(("x_logins_total", mechanism, outcome), 0.0)

    def test_counted(self) -> None:
        """Each login is counted, by mechanism and outcome, and how long it took."""
        self.feed.add(a_record(mechanism="PLAIN", seconds=0.25))
        self.feed.add(a_record(mechanism="PLAIN", outcome="not-authorized", seconds=0.5))
        self.feed.add(a_record(mechanism="EXTERNAL", seconds=0.125))
        seen = exposed(self.registry)
        self.assertEqual(seen[("x_login_duration_seconds_sum", "whole")], 0.875)
        self.assertEqual(seen[("x_login_duration_seconds_count", "whole")], 3)
        found = [self.count("PLAIN", "success"), self.count("PLAIN", "not-authorized")]
        self.assertEqual([*found, self.count("EXTERNAL", "success")], [1, 1, 1])

    def test_bounded(self) -> None:
        """A thousand mechanisms and outcomes that nobody has heard of are one series."""
        self.feed.add(a_record(mechanism="PLAIN", outcome="success"))
        before = len(exposed(self.registry))
        for number in range(1000):
            self.feed.add(a_record(mechanism=f'X-"{number}', outcome=f"bad-{number}"))
        self.assertEqual(self.count("other", "other"), 1000)
        self.assertEqual(len(exposed(self.registry)), before + 1)


class CommonTests(SynchronousTestCase):
    """What both daemons tell of themselves."""

    def test_build(self) -> None:
        """The versions that run are labels of a series that is always 1."""
        [family] = common.BuildInfo("x")()
        [sample] = family.samples
        self.assertEqual((sample.name, sample.value), ("x_build_info", 1))
        self.assertEqual(sorted(sample.labels), ["openssl", "python", "twisted", "version"])
        self.assertRegex(sample.labels["openssl"], r"^\d+\.\d+")

    def test_process(self) -> None:
        """What prometheus_client says of the process is said, under the same names."""
        found = series(Process(Clock())())
        usual = series(ProcessCollector(registry=None).collect())
        self.assertEqual(set(found), set(usual))
        self.assertEqual(found["process_max_fds",], usual["process_max_fds",])
        started = ("process_start_time_seconds",)
        self.assertLess(abs(found[started] - usual[started]), 2)  # the kernel tells its own in s
        memory = ("process_resident_memory_bytes",)
        self.assertLess(abs(found[memory] / usual[memory] - 1), 0.2)
        files = ("process_open_fds",)
        self.assertLess(abs(found[files] - usual[files]), 3)

    def test_open_files(self) -> None:
        """Open files are not counted each second: there may be thousands."""
        clock, counted = Clock(), iter((5, 6))
        self.patch(open_files, "in_use", lambda: next(counted))
        process = Process(clock)
        seen = []
        for _ in range(12):
            seen.append(series(process())["process_open_fds",])
            clock.advance(1)
        self.assertEqual(seen, [5.0] * 10 + [6.0] * 2)

    def test_reload(self) -> None:
        """A reload that failed is told, with when what is in use was read."""
        reload: Reload[None] = Reload(Clock(), lambda _: None, lambda: None, lambda _: None)  # type: ignore[arg-type,return-value]
        reload.succeeded_at = datetime(2026, 1, 1, tzinfo=UTC)
        at = reload.succeeded_at.timestamp()
        name = "x_config_last_reload_success_timestamp_seconds"
        for ok, successful in ((None, 1.0), (False, 0.0), (True, 1.0)):
            reload.last = None if ok is None else Outcome(datetime.now(UTC), ok=ok)
            found = series(common.of_reload("x", reload))
            self.assertEqual(found[("x_config_last_reload_successful",)], successful)
            self.assertEqual(found[(name,)], at)

    def test_certificates(self) -> None:
        """The end of each certificate is a UNIX time, by its role and domain."""
        until = datetime(2027, 1, 1, tzinfo=UTC)
        expiry = common.Expiry("certificate", "example.com", until)
        found = series(common.of_certificates("x", [expiry]))
        name = "x_certificate_expiry_timestamp_seconds"
        self.assertEqual(found, {(name, "example.com", "certificate"): until.timestamp()})
