"""Tests for `callbridged.logins.decoy_key`."""

from __future__ import annotations

from pathlib import Path

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from callbridged.logins.decoy_key import NAME, load_decoy_key


class DecoyKeyTests(SynchronousTestCase):
    """A file that is made once."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.logged: list[object] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def test_kept(self) -> None:
        """It is the same after a restart, another one elsewhere, and nobody else may read it."""
        key = load_decoy_key(self.directory)
        self.assertEqual(load_decoy_key(self.directory), key)
        self.assertEqual((self.directory / NAME).stat().st_mode & 0o777, 0o600)
        other = self.directory / "other"
        other.mkdir()
        self.assertNotEqual(load_decoy_key(other), key)
        self.assertEqual(self.logged, [])

    def test_unusable(self) -> None:
        """One that cannot be kept, or is none, is random, with a warning."""
        (self.directory / NAME).write_bytes(b"short")
        for directory in (self.directory, self.directory / "absent"):
            keys = {load_decoy_key(directory) for _ in range(2)}
            self.assertEqual([len(key) for key in keys], [32, 32])
        self.assertEqual(len(self.logged), 4)
