"""Tests of daemonkit.edited_file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from shutil import rmtree

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.edited_file import EditedFile


class EditedFileTests(SynchronousTestCase):
    """In a directory of its own."""

    def setUp(self) -> None:
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(rmtree, directory)
        self.path = directory / "file"
        self.file = EditedFile(self.path, 10, "nobody")

    def test_change(self) -> None:
        """What is not there yet is empty; each change gets what the one before has made."""
        self.assertEqual(self.file.read(), b"")
        for _ in range(2):
            self.file.change(lambda content: content + b"x\n")
        self.assertEqual(self.file.read(), b"x\nx\n")

    def test_refused(self) -> None:
        """What raises changes nothing, and holds nobody up."""

        def refuse(_: bytes) -> bytes:
            raise ValueError

        self.path.write_bytes(b"x")
        self.assertRaises(ValueError, self.file.change, refuse)
        self.file.change(lambda content: content + b"y")
        self.assertEqual(self.path.read_bytes(), b"xy")

    def test_limit(self) -> None:
        """Of a file that is too long nothing is read, nothing is changed, and none gets so long."""
        self.file.change(lambda _: b"x" * 10)
        self.assertRaises(OSError, self.file.change, lambda content: content + b"x")
        self.assertEqual(self.file.read(), b"x" * 10)
        self.path.write_bytes(b"x" * 11)
        self.assertIn("10 octets", str(self.assertRaises(OSError, self.file.read)))
        self.assertRaises(OSError, self.file.change, lambda _: b"")
        self.assertEqual(self.path.read_bytes(), b"x" * 11)
