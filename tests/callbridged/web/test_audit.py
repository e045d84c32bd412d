"""Tests of callbridged.web.audit: what is kept of what administrators do, and for how long."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from callbridged.events import ADMIN_CHANGED, ADMIN_REFUSED, AUDIT_LOST
from callbridged.web import audit as module
from callbridged.web.access import Caller
from callbridged.web.audit import FILES, KEPT, Audit, last
from tests.support.logged import written

ALICE = Caller("alice", "admin", "192.0.2.7")


class AuditTests(SynchronousTestCase):
    """In a state directory; each entry is a quarter of a second later than the one before."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(rmtree, self.directory)
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.audit = self.make()

    def make(self) -> Audit:
        def now() -> datetime:
            self.now += timedelta(seconds=0.25)
            return self.now

        return Audit(self.directory, now)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())

    def test_change(self) -> None:
        """A change has who, from where, what, the old and the new; of a secret, that it changed."""
        lines = self.enterContext(written(Clock()))
        self.audit.changed(
            ALICE,
            "[callbridge]",
            {"domain": ("example.com", "example.org"), "secret": ("marker-old", "marker-new")},
            secrets=("secret",),
        )
        (line,) = (self.directory / "audit.log").read_text().splitlines()
        self.assertEqual(
            json.loads(line),
            {
                "at": "2026-01-02T03:04:05.250+00:00",
                "action": "changed",
                "who": "alice",
                "peer": "192.0.2.7",
                "what": "[callbridge]",
                "values": {
                    "domain": {"old": "example.com", "new": "example.org"},
                    "secret": "changed",
                },
            },
        )
        (said,) = [one.text for one in lines if one.event is ADMIN_CHANGED]
        self.assertIn("alice from 192.0.2.7 has changed [callbridge]", said)
        self.assertIn("domain 'example.com' -> 'example.org', secret changed", said)
        self.assertNotIn("marker", said + line)

    def test_mode(self) -> None:
        """Its files are for the daemon's user alone."""
        self.audit.signed_in(ALICE, "page")
        self.audit.refused("", "192.0.2.8", "wrong name or password")
        for path in self.directory.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_refusals_apart(self) -> None:
        """Refusals are in the log and in a file of their own, and push nothing else out."""
        lines = self.enterContext(written(Clock()))
        self.audit.changed(ALICE, "[callbridge]", {"domain": ("a", "b")})
        for _ in range(KEPT * 2):
            self.audit.refused("alice", "192.0.2.8", "wrong name or password")
        self.assertTrue(any(line.event is ADMIN_REFUSED for line in lines))
        self.assertEqual(self.files(), ["audit.log", "refused.log"])
        (entry,) = self.audit.feed.last(10, lambda _: True)
        self.assertEqual(entry.action, "changed")
        self.assertEqual(len(self.audit.latest(KEPT * 2)), KEPT + 1)

    def test_order(self) -> None:
        """Both kinds are told in the order in which they came, the latest ones, also to others."""
        self.audit.signed_in(ALICE, "page")
        self.audit.refused("bob", "192.0.2.8", "paused")
        self.audit.signed_out(ALICE)
        self.audit.accounts_changed({"bob": "removed"})
        actions = ["refused", "signed-out", "changed"]
        self.assertEqual([one.action for one in self.audit.latest(3)], actions)
        self.assertEqual([one.action for one in last(self.directory, 3)], actions)
        self.assertEqual(last(self.directory, 0), [])
        self.assertEqual(last(self.directory, 1)[0].shown, "bob removed")
        self.assertEqual(last(self.directory / "nowhere", 3), [])

    def test_restart(self) -> None:
        """The entries of former runs are there again, but for lines that are no entries."""
        self.audit.changed(ALICE, "x", {"a": ("1", "2"), "b": ("3", "4")}, secrets="b")
        self.audit.refused("", "192.0.2.8", "wrong name or password")
        before = self.audit.latest(10)
        with (self.directory / "audit.log").open("ab") as file:
            file.write(b'{"at": "2026"}\n[]\n7\n\xff\n{"at": "2026-01-02T03:0')
        self.assertEqual(self.make().latest(10), before)

    def test_rotation(self) -> None:
        """Full files become older ones, and the oldest goes; the latest entries are there."""
        self.patch(module, "MAX_FILE", 1000)
        for number in range(100):
            self.audit.changed(ALICE, f"number {number}", {})
        names = ["audit.log", *(f"audit.log.{number}" for number in range(1, FILES))]
        self.assertEqual(self.files(), names)
        self.assertTrue(all((self.directory / name).stat().st_size <= 1000 for name in names))
        found = [one.what for one in last(self.directory, 30)]
        self.assertEqual(found, [f"number {number}" for number in range(100 - len(found), 100)])
        self.assertGreater(len(found), 20)

    def test_long(self) -> None:
        """What is long is cut, and what moves a terminal's cursor is spelled out."""
        self.audit.changed(ALICE, "x" * 5000, {"a": ("\x1b[2J\n", "y" * 5000)})
        (line,) = (self.directory / "audit.log").read_text().splitlines()
        self.assertLess(len(line), 2000)
        self.assertIn(r"\\x1b[2J\\x0a", line)

    def test_disk(self) -> None:
        """Where it cannot be written the log says so, and the entries are there until the end;
        what can be read of former runs still is."""
        lines = self.enterContext(written(Clock()))
        (self.directory / "audit.log").mkdir()
        self.audit.signed_in(ALICE, "page")
        self.assertEqual(lines[0].event, AUDIT_LOST)
        self.assertEqual(len(self.audit.latest(10)), 1)
        self.audit.refused("", "192.0.2.8", "wrong name or password")
        self.assertEqual([one.action for one in self.make().latest(10)], ["refused"])
        self.assertEqual(sum(line.event is AUDIT_LOST for line in lines), 1)
