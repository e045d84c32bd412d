"""slixmpp's integration tests, with the slixmpp that is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.suites import place
from tests.suites.results import Result, report

MODULES = [
    f"itests.test_{name}"
    for name in (
        "basic_connect_and_message",
        "disco",
        "ibb",
        "ping",
        "reconnect",
        "slow_filters",
        "version",
    )
]
NOT_APPLICABLE: dict[str, str] = {}

#: What ``unittest --verbose`` says, in one line or, with a docstring, in two.
_LINE = re.compile(r"^\w+ \((\S+)\)(?:\n[^\n]*)? \.\.\. (?:.*?)(ok|FAIL|ERROR|skipped .*)$", re.M)
_OUTCOMES = {"ok": "passed", "FAIL": "failed", "ERROR": "failed"}


def run(checkout: Path) -> int:
    """Run them in ``checkout``."""
    site = place.make([("one", "first"), ("two", "second")])
    try:
        site.start()
        # Its tests alone, so that ``import slixmpp`` does not find the checkout's.
        (site.directory / "itests").symlink_to(checkout / "itests")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "unittest", "--verbose", *MODULES],
            cwd=site.directory,
            env={
                **os.environ,
                "SSL_CERT_FILE": str(site.ca.certificate_path),
                "CI_ACCOUNT1": f"one@{place.DOMAIN}",
                "CI_ACCOUNT1_PASSWORD": "first",
                "CI_ACCOUNT2": f"two@{place.DOMAIN}",
                "CI_ACCOUNT2_PASSWORD": "second",
            },
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(done.stderr)
        results = [
            Result(name.removeprefix("itests."), _OUTCOMES.get(said, "skipped"), said)
            for name, said in _LINE.findall(done.stderr)
        ]
        return report(results, NOT_APPLICABLE)
    finally:
        site.close()
