"""`daemonkit.room` and `daemonkit.open_files`: what may run out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from daemonkit import open_files, room


class RoomTests(SynchronousTestCase):
    """A disk."""

    def left(self, blocks: int) -> str:
        found = SimpleNamespace(f_bavail=blocks, f_frsize=4096)
        self.patch(room.os, "statvfs", lambda _: found)
        return room.describe_room(Path("/var/lib/xmppd"))

    def test_enough(self) -> None:
        """Nothing is said."""
        self.assertEqual(self.left(room.LITTLE // 4096), "")

    def test_little(self) -> None:
        """How much there is, and where."""
        self.assertIn("Only 40 KiB are left on the disk of /var/lib/xmppd", self.left(10))

    def test_unknown(self) -> None:
        """Of a directory that is not there nothing is said."""
        self.assertEqual(room.describe_room(Path("/nonexistent")), "")


class OpenFilesTests(SynchronousTestCase):
    """Files, which are connections."""

    def test_few(self) -> None:
        """A low limit, or one that is nearly reached."""
        self.assertTrue(open_files.are_few(10, 1024))
        self.assertTrue(open_files.are_few(60_000, 65_536))
        self.assertFalse(open_files.are_few(10, 65_536))
        self.assertFalse(open_files.are_few(1_000_000, None))

    def test_counted(self) -> None:
        """Those of this process are counted."""
        before = open_files.in_use()
        with Path("/dev/null").open():
            self.assertEqual(open_files.in_use(), before + 1)
