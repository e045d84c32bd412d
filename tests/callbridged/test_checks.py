"""Tests of callbridged.check.checks: checks within the daemon."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from callbridged.check import checks
from callbridged.check.checks import Busy, Checks
from callbridged.check.running import Running

TARGET = "xmpp1.example.com:5223"


def a_config(name: str) -> Any:
    return SimpleNamespace(callbridge=SimpleNamespace(name=name, domain="example.com"))


class ChecksTests(SynchronousTestCase):
    """One at a time, and whose links they may meet."""

    def setUp(self) -> None:
        self.status: dict[str, Any] = {"callbridge": "cb1", "domain": "example.com"}
        self.status |= {"links": [], "former": []}
        self.checks = Checks(Clock(), lambda: self.status)
        self.under_way: list[Deferred[str]] = []
        self.told: list[Running] = []
        self.patch(checks, "check", self.check)

    async def check(self, _reactor: Any, _config: Any, _trace: Any, running: Running) -> Any:
        self.told.append(running)
        self.under_way.append(Deferred())
        return await self.under_way[-1]

    def run_check(self, name: str) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.checks.run(a_config(name)))

    def test_one_at_a_time(self) -> None:
        """A second one is refused while one runs, and not when that is over."""
        first = self.run_check("cb1")
        self.failureResultOf(self.run_check("cb1"), Busy)
        self.under_way[0].callback("what was found")
        self.assertEqual(self.successResultOf(first), "what was found")
        self.assertNoResult(self.run_check("cb1"))

    def test_after_an_error(self) -> None:
        """One that ends by an error of ours is over, too."""
        first = self.run_check("cb1")
        self.under_way[0].errback(ZeroDivisionError())
        self.failureResultOf(first, ZeroDivisionError)
        self.assertNoResult(self.run_check("cb1"))

    def test_own_links(self) -> None:
        """With the name in use, links of this name are ours; with another one, somebody else's."""
        self.run_check("cb1")
        self.under_way[0].callback("")
        self.run_check("cb2")
        own, other = self.told
        self.assertIs(own.status, self.status)
        self.assertFalse(other.may_hold(TARGET))

    def test_former_links(self) -> None:
        """While the Call Bridge moves, links under the former name are ours as well."""
        former = {"callbridge": "cb0", "domain": "example.com", "target": TARGET}
        self.status["former"] = [{**former, "last_error": None, "clock_skew": 3}]
        self.run_check("cb0")
        (running,) = self.told
        self.assertTrue(running.may_hold(TARGET))
        self.assertEqual(running.clock_skew(TARGET), 3)
