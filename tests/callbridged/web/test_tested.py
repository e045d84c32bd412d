"""Tests of callbridged.web.pages.tested: a check's report as the page shows it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.check.report import Outcome, Report, Walk
from callbridged.web.pages.tested import Tested, make_tested


def report(common: list[Outcome], *servers: Walk) -> Report:
    return Report("cb1", "example.com", Walk("example.com", common), list(servers), None, ["Look."])


def good(*steps: Step) -> list[Outcome]:
    return [Outcome(step, f"{step}!", 0.5) for step in steps]


def failed(step: Step) -> Outcome:
    return Outcome.failed(StepFailure(step, Reason.LINK_LOST, "It broke.", "Mend it."), 0.25)


COMMON = good(Step.CONFIGURATION, Step.PORT, Step.SRV)


class TestedTests(SynchronousTestCase):
    """Rows for each XMPP server, the steps before there is one included."""

    def progress(self, tested: Tested) -> list[str]:
        """For each server the first letters of steps 2 to 11."""
        return ["".join(row.progress[0] for row in walk.rows) for walk in tested.walks]

    def test_success(self) -> None:
        """All steps of a check that found nothing wrong are done."""
        steps = good(*(step for step in Step if 5 <= step.number <= 11))
        tested = make_tested(report(COMMON, Walk("a:1", steps), Walk("b:1", steps)))
        self.assertEqual(self.progress(tested), ["d" * 10] * 2)
        self.assertEqual([walk.target for walk in tested.walks], ["a:1", "b:1"])
        self.assertIsNone(tested.failed)
        self.assertEqual(tested.warnings, ["Look."])

    def test_failure(self) -> None:
        """Of several failures the earliest step counts, with what to do about it."""
        first = Walk("a:1", [*good(Step.ADDRESS, Step.CONNECT), failed(Step.TLS)])
        second = Walk("b:1", [failed(Step.ADDRESS)])
        tested = make_tested(report(COMMON, first, second))
        self.assertEqual(self.progress(tested), ["dddddfoooo", "dddfoooooo"])
        assert tested.failed is not None
        assert tested.failed.error is not None
        self.assertEqual(tested.failed.step, Step.ADDRESS)
        self.assertEqual((tested.failed.seconds, tested.failed.error.remedy), (0.25, "Mend it."))

    def test_no_servers(self) -> None:
        """Where the DNS names none the steps end there, and stand under the domain."""
        tested = make_tested(report([*good(Step.CONFIGURATION), failed(Step.SRV)]))
        self.assertEqual(self.progress(tested), ["ddfooooooo"])
        self.assertEqual(tested.walks[0].target, "example.com")

    def test_address_set(self) -> None:
        """With a server address the DNS is not asked for servers."""
        common = good(Step.CONFIGURATION, Step.PORT)
        tested = make_tested(report(common, Walk("a:1", [failed(Step.ADDRESS)])))
        self.assertEqual(self.progress(tested), ["ddsfoooooo"])
