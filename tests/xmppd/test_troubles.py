"""`xmppd.troubles`: what failed last."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from xmppd.troubles import KEPT, Recent, Trouble


def trouble(reason: Reason, text: str, step: Step = Step.LOGIN) -> Trouble:
    return Trouble.now(StepFailure(step, reason, text, "Mend it."), "192.0.2.1:4711")


class RecentTests(SynchronousTestCase):
    """The last one of each step and reason."""

    def setUp(self) -> None:
        self.recent = Recent()

    def texts(self) -> list[str]:
        return [one["text"] for one in self.recent.as_json()]

    def test_last_of_each(self) -> None:
        """One that comes again takes the place of the one before, and hides no other."""
        self.recent.add(trouble(Reason.TIMEOUT, "slow."))
        self.recent.add(trouble(Reason.TIMEOUT, "slow here, too.", Step.REGISTER))
        for number in range(3):
            self.recent.add(trouble(Reason.CONFLICT, f"twin {number}."))
        expected = ["twin 2. Mend it.", "slow here, too. Mend it.", "slow. Mend it."]
        self.assertEqual(self.texts(), expected)

    def test_forgotten(self) -> None:
        """What is older than a day is not shown."""
        old = trouble(Reason.TIMEOUT, "slow.")
        self.recent.add(replace(old, at=old.at - KEPT - timedelta(seconds=1)))
        self.assertEqual(self.texts(), [])
