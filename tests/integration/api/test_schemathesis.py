"""schemathesis asks a real daemon whatever openapi.json allows and forbids, and finds nothing.

All of its checks are on. It signs in with a wrong name once for each operation: so the daemon,
which would soon make it wait, is started anew between two halves of the document.
"""

from __future__ import annotations

import os
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.api.case import ACCOUNTS, started
from tests.support.processes import BIN, ROOT

#: A change of another version than the one in use (If-Match) is refused though it is well-formed.
CONFIGURATION = """\
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "412"]
negative_data_rejection.expected-statuses = [
    "400", "401", "403", "404", "405", "406", "409", "411", "412", "415", "431"
]
"""


class SchemathesisTests(SynchronousTestCase):
    """One run for each half."""

    def setUp(self) -> None:
        self.site = started()
        self.addCleanup(self.site.close)

    def find(self, *arguments: str) -> str:
        """What it says in the end; fails where it has found something."""
        (self.site.directory / "schemathesis.toml").write_text(CONFIGURATION)
        done = subprocess.run(
            [
                BIN / "schemathesis",
                *("--no-color", "--config-file", "schemathesis.toml", "run"),
                *("--auth", f"carol:{ACCOUNTS['carol']}"),
                *("--tls-verify", self.site.ca.certificate_path),
                *("--checks", "all", "--generation-deterministic", "--continue-on-failure"),
                *arguments,
                f"https://127.0.0.1:{self.site.port}/api/v1/openapi.json",
            ],
            cwd=self.site.directory,
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": "tests.integration.api.formats",
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
            timeout=600,
        )
        self.assertEqual(done.returncode, 0, f"{done.stdout[-8000:]}\n{done.stderr[-2000:]}")
        return done.stdout

    def test_nothing_is_found(self) -> None:
        """Every operation is tried with good and bad requests; each answer is as described."""
        said = self.find("--include-tag", "users", "--include-tag", "api", "--max-examples", "20")
        self.assertIn("Tested: 7", said)
        self.assertIn("Stateful", said)
        self.site.callbridge.stop()
        self.site.callbridge.start()
        said = self.find(
            *("--include-tag", "system", "--max-examples", "10"),
            *("--phases", "examples,coverage,fuzzing"),
        )
        self.assertIn("Tested: 7", said)
        log = self.site.callbridge.process.text()
        self.assertNotIn("Traceback", log)
        self.assertIn("admin-changed", log)
