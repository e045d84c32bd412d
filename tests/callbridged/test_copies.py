"""Files that systemd has brought along: operators read their names on the host, not the copies'."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.internet.defer import Deferred

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.alarms.conditions import conditions
from callbridged.alarms.facts import gather
from callbridged.bridge import Bridge
from callbridged.check import walk
from callbridged.check.running import Running
from callbridged.check.trace import Trace
from callbridged.config import load
from tests.callbridged.test_reload import ReloadCase


class CopiesTests(ReloadCase):
    """Our certificate ends in five days."""

    def setUp(self) -> None:
        super().setUp()
        now = datetime.now(UTC)
        begin, end = now - timedelta(days=90), now + timedelta(days=5)
        self.ca.issue("cb1", dns=["cb1.example.com"], not_before=begin, not_after=end)
        self.copies = self.directory / "copies"
        self.copies.mkdir()
        for name in ("cb1.crt", "cb1.key", "secret", self.ca.certificate_path.name):
            shutil.copy(self.directory / name, self.copies)
        self.patch(os, "environ", {**os.environ, "CREDENTIALS_DIRECTORY": str(self.copies)})

    def report(self) -> dict[str, Any]:
        """What a check says that finds no server."""

        def nowhere(*_: object) -> None:
            raise StepFailure(Step.SRV, Reason.NO_SUCH_SERVICE, "There is none.")

        self.patch(walk, "lookup", nowhere)
        config = load(self.path)
        self.assertEqual(config.tls.certificate.parent, self.copies)
        checking = walk.check(self.reactor, config, Trace(None), Running(down=True))
        return self.successResultOf(Deferred.fromCoroutine(checking)).as_json()

    def test_alarms(self) -> None:
        """An alarm says which file on the host is to be renewed."""
        bridge = Bridge(self.reactor, load(self.path))
        now = datetime.now(UTC)
        (one,) = conditions(gather(bridge, now), bridge.config.alarms, now)
        self.assertEqual(one.subject, str(self.directory / "cb1.crt"))
        self.assertIn(f"({self.directory / 'cb1.crt'}, ", one.text)

    def test_check(self) -> None:
        """So does a check that the daemon runs."""
        os.chmod(self.copies / "cb1.key", 0o644)
        shown = self.report()["warnings"]
        self.assertIn(f"Renew {self.directory / 'cb1.crt'}, and run", " ".join(shown))
        self.assertIn(str(self.directory / "cb1.key"), " ".join(shown))
        self.assertNotIn(str(self.copies), " ".join(shown))

    def test_check_of_faults(self) -> None:
        """And one that finds that the files cannot be used."""
        (self.copies / "cb1.crt").write_text("no certificate")
        (step,) = self.report()["steps"]
        self.assertIn(f"{self.directory / 'cb1.crt'}: there is no PEM certificate", step["text"])
        self.assertNotIn(str(self.copies), step["text"])
