"""Tests for `daemonkit.replace`."""

from __future__ import annotations

import os
import pwd
import stat
import threading
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from daemonkit.replace import directory_lock, replace_file


class Replacing(SynchronousTestCase):
    """`replace_file`."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.path = self.directory / "users"

    def mode(self) -> int:
        return stat.S_IMODE(self.path.stat().st_mode)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.directory))

    def test_new(self) -> None:
        """A new file has the content, a mode for its owner alone, and no company."""
        replace_file(self.path, b"x")
        self.assertEqual(self.path.read_bytes(), b"x")
        self.assertEqual(self.mode(), 0o600)
        self.assertEqual(self.names(), ["users"])

    def test_mode_kept(self) -> None:
        """A group that may read the file still may; others never may."""
        self.path.write_bytes(b"x")
        self.path.chmod(0o644)
        replace_file(self.path, b"y")
        self.assertEqual((self.path.read_bytes(), self.mode()), (b"y", 0o640))

    def test_another_file(self) -> None:
        """Whoever has the old file open goes on reading the old content."""
        replace_file(self.path, b"old")
        with self.path.open("rb") as reader:
            replace_file(self.path, b"new")
            self.assertEqual(reader.read(), b"old")

    def test_failure(self) -> None:
        """When something fails the old file is there, and nothing else."""
        replace_file(self.path, b"old")

        def broken(*_: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "fsync", broken)
        self.assertRaises(OSError, replace_file, self.path, b"new")
        self.assertEqual((self.path.read_bytes(), self.names()), (b"old", ["users"]))

    def test_symbolic_link(self) -> None:
        """A symbolic link stays one; what it leads to is replaced."""
        link = self.directory / "link"
        link.symlink_to(self.path)
        replace_file(self.path, b"old")
        replace_file(link, b"new")
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.path.read_bytes(), b"new")

    def test_account(self) -> None:
        """What root makes in a directory of root's can be read by the daemon's group."""
        given: list[tuple[int, int]] = []
        self.patch(os, "geteuid", lambda: 0)
        self.patch(os, "fchown", lambda file, user, group: given.append((user, group)))
        nobody = pwd.getpwnam("nobody")
        above = os.stat_result((0o40700, 1, 1, 1, 0, 0, 0, 0, 0, 0))
        self.patch(
            Path, "stat", lambda path, **_: above if path == self.directory else os.stat(path)
        )
        replace_file(self.path, b"x", account="nobody")
        self.assertEqual(self.mode(), 0o640)
        self.assertEqual(given, [(0, nobody.pw_gid)])
        replace_file(self.directory / "other", b"x", account="no-such-user")
        self.assertEqual(stat.S_IMODE(os.stat(self.directory / "other").st_mode), 0o600)

    def test_owner(self) -> None:
        """As root: a new file belongs to its directory's owner, an old one to its own."""
        if os.geteuid() != 0:
            raise SkipTest("needs root")
        os.chown(self.directory, 12345, 12346)
        replace_file(self.path, b"x")
        self.assertEqual((self.path.stat().st_uid, self.path.stat().st_gid), (12345, 12346))
        os.chown(self.path, 23456, 23457)
        replace_file(self.path, b"y")
        self.assertEqual((self.path.stat().st_uid, self.path.stat().st_gid), (23456, 23457))
        self.assertEqual(self.mode(), 0o600)

    def test_lock(self) -> None:
        """Two who count up do not lose a step."""
        replace_file(self.path, b"0")

        def count() -> None:
            for _ in range(20):
                with directory_lock(self.path):
                    replace_file(self.path, b"%d" % (int(self.path.read_bytes()) + 1))

        threads = [threading.Thread(target=count) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.path.read_bytes(), b"60")
        self.assertEqual(self.names(), ["users"])
