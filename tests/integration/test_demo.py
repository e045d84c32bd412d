"""``./demo.sh`` shows all twelve steps; here without its own environment."""

from __future__ import annotations

import sys

from twisted.trial import unittest

from bridgewire.steps import Step
from tests.support.processes import run


class DemoTests(unittest.SynchronousTestCase):
    """The README's first command."""

    def test_all_steps(self) -> None:
        """It ends well, has shown every step, and a login of each kind."""
        said = run(sys.executable, "-m", "demo").stdout
        for step in Step:
            self.assertRegex(said, rf"(?m)^ *{step.number}  {step}\b")
        for word in (
            "SCRAM-SHA-",
            "ANONYMOUS",
            "not-authorized",
            "temporary-auth-failure",
            "default-src",
        ):
            self.assertIn(word, said)
