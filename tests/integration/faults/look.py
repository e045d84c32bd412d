"""What an operator reads who runs ``check`` and ``status``, and the tests that hold it to a row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from twisted.trial import unittest

from tests.integration.faults.table import Row
from tests.support.site import Daemon

#: What stands before a failure in `callbridgectl check`; elsewhere it is "step, reason: text".
_FAILED = re.compile(r"\b\d+ (\w+) FAILED ")
_CONNECTION = "XMPP connection: "


@dataclass(frozen=True)
class Seen:
    """What the two commands have printed, whitespace apart as it was."""

    check: str
    status: str

    def of(self, target: str) -> Seen:
        """Answer what is about one XMPP server, ``host`` or ``host:port``."""
        blocks = [one for one in self.check.split("\n\n") if one.startswith(f"{target}:")]
        links = _plain(self.status).split(_CONNECTION)
        return Seen(" ".join(blocks), " ".join(one for one in links if f" {target}:" in one))


def look(daemon: Daemon, *arguments: str, typed: str = "", prefix: Sequence[str] = ()) -> Seen:
    """Run ``check``, with ``arguments``, and ``status``, both at once.

    The exit status is 1 where they say that something failed, and 0 where not.
    """

    def run(*words: str) -> str:
        done = daemon.command(*words, typed=typed, check=False, prefix=prefix)
        text: str = done.stdout + done.stderr
        failed = f"{daemon.ctl}: " in text or "FAILURE" in text
        assert done.returncode == (1 if failed else 0), f"exit {done.returncode}: {text}"
        return text

    with ThreadPoolExecutor(2) as pool:
        status = pool.submit(run, "status")
        return Seen(run("check", *arguments), status.result())


def _plain(text: str) -> str:
    return " ".join(text.split())


class FaultCase(unittest.SynchronousTestCase):
    """A test of it is a row of a table."""

    def shows(self, row: Row, seen: Seen) -> None:
        """Both commands say what the row says."""
        check, status = _FAILED.sub(r"\1, ", _plain(seen.check)), _plain(seen.status)
        missing = row.missing_in(check, status)
        self.assertEqual(missing, [], f"\ncheck: {seen.check}\nstatus: {seen.status}")
        self.assertNotIn("Traceback", check + status)
