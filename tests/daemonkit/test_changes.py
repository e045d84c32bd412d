"""Tests of daemonkit.changes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.changes import Changes
from daemonkit.ini_edit import Value
from daemonkit.terminal import CtlFailure

INI = "[a]\nname = mine ; why\nport = 1\n"


class ChangesTests(SynchronousTestCase):
    """One directory."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.path = self.directory / "file"
        self.changes = Changes(replace=False)

    def test_files(self) -> None:
        """Files are written at the end, with their modes, and those that are there are kept."""
        self.addCleanup(os.umask, os.umask(0o077))
        kept = self.directory / "kept"
        kept.write_bytes(b"same")
        self.changes.file(self.path, b"secret", "a secret")
        self.changes.file(self.directory / "tls" / "public", b"public", "seen by all", public=True)
        self.changes.file(kept, b"same", "as it was")
        self.changes.check()
        self.assertFalse(self.path.exists())
        self.changes.apply()
        self.assertEqual(self.path.read_bytes(), b"secret")
        modes = [
            stat.S_IMODE(path.stat().st_mode)
            for path in (self.path, self.directory / "tls", self.directory / "tls" / "public")
        ]
        self.assertEqual(modes, [0o600, 0o700, 0o644])
        changed = [one.as_json()["changed"] for one in self.changes.all]
        self.assertEqual(changed, [True, True, False])

    def test_in_the_way(self) -> None:
        """What is there and differs is told, all of it, and nothing is changed."""
        self.path.write_bytes(b"other")
        empty = self.directory / "empty"
        empty.write_bytes(b"\n")
        self.changes.file(empty, b"new", "the secret")
        self.changes.file(self.path, b"new", "the key")
        self.changes.settings(self.directory / "ini", INI, [Value("a", "name", "yours")])
        said = str(self.assertRaises(CtlFailure, self.changes.check))
        self.assertIn(f"{self.path} is there already", said)
        self.assertIn("line 2, has [a] name = mine, and it was to be yours", said)
        self.assertNotIn("empty", said)

    def test_replace(self) -> None:
        """With --replace it gives way."""
        changes = Changes(replace=True)
        self.path.write_bytes(b"other")
        changes.file(self.path, b"new", "the key")
        text = changes.settings(self.directory / "ini", INI, [Value("a", "name", "yours")])
        changes.check()
        changes.apply()
        self.assertEqual(self.path.read_bytes(), b"new")
        self.assertEqual((self.directory / "ini").read_text(), text)
        self.assertIn("name = yours ; why", text)

    def test_settings(self) -> None:
        """Shipped values, and those for which others are told to, give way without a word."""
        text = self.changes.settings(
            self.path,
            INI,
            [Value("a", "name", "yours")],
            shipped=[Value("a", "name", "mine")],
            told=[Value("a", "port", "2"), Value("b", "x", "1")],
        )
        self.assertEqual(text, "[a]\nname = yours ; why\nport = 2\n\n[b]\nx = 1\n")
        self.changes.check()
        again = Changes(replace=False)
        self.assertEqual(again.settings(self.path, text, [Value("a", "name", "yours")]), text)
        self.assertFalse(again.any)

    def test_public_file_stays_public(self) -> None:
        """A configuration that others may read can be read by them afterwards."""
        self.path.write_text(INI)
        self.path.chmod(0o644)
        self.changes.settings(self.path, INI, [], told=[Value("a", "port", "2")])
        self.changes.apply()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o644)

    def test_other_things(self) -> None:
        """What is no file makes its directory itself, with the owner that it needs."""
        path = self.directory / "state" / "registry"
        seen: list[bool] = []
        self.changes.add(path, "cb1 may connect", lambda: seen.append(path.parent.exists()))
        self.changes.check()
        self.changes.apply()
        self.assertEqual(seen, [False])

    def test_no_place(self) -> None:
        """Where nothing may be written, that is told before anything is."""
        self.patch(os, "access", lambda path, mode: path != self.directory)
        self.changes.file(self.path, b"x", "the key")
        said = str(self.assertRaises(CtlFailure, self.changes.check))
        self.assertIn(f"{self.directory} may not be written to by this user. Run this as", said)

    def test_cut_off(self) -> None:
        """Where writing fails, the text says that a second run goes on."""
        self.changes.file(self.path, b"x", "the key")
        self.changes.file(self.directory / "a" / "more", b"y", "impossible")
        (self.directory / "a").write_bytes(b"")
        said = str(self.assertRaises(CtlFailure, self.changes.apply))
        self.assertIn("run the same command again", said)
        self.assertEqual(self.path.read_bytes(), b"x")

    def test_not_readable(self) -> None:
        """What cannot be looked at is a failure in words."""
        said = self.assertRaises(CtlFailure, self.changes.file, self.directory, b"x", "the key")
        self.assertIn("cannot be read", str(said))
