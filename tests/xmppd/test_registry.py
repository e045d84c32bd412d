"""Tests of xmppd.components.registry."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xmppd.components.registry import SCHEMA, Registry, RegistryFault, normal_name


class RegistryTests(SynchronousTestCase):
    """One state directory, seen by the daemon and by xmppctl."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.registry = self.open()
        self.daemon = self.open()

    def open(self) -> Registry:
        registry = Registry(self.directory)
        self.addCleanup(registry.close)
        return registry

    def test_nothing_yet(self) -> None:
        """Looking into a registry that is not there makes nothing."""
        self.assertEqual(self.registry.names(), [])
        self.assertIs(self.registry.secret("cb1"), None)
        self.assertIs(self.registry.delete("cb1"), False)
        self.assertFalse(self.directory.exists())

    def test_add(self) -> None:
        """A new Call Bridge gets a secret of its own with 256 random bits."""
        secrets = {self.registry.add(f"cb{number}") for number in range(20)}
        self.assertEqual(len(secrets), 20)
        self.assertEqual({len(secret) for secret in secrets}, {43})
        self.assertIn(self.registry.secret("cb7"), secrets)

    def test_add_twice(self) -> None:
        """A name that is there keeps its secret, and adding it fails."""
        secret = self.registry.add("cb1")
        self.assertRaises(RegistryFault, self.registry.add, "CB1")
        self.assertEqual(self.registry.secret("cb1"), secret)

    def test_add_secret(self) -> None:
        """A known secret is kept as it is, and can be changed."""
        self.assertIs(self.registry.add_secret("cb1", "hünter 2"), True)
        self.assertEqual(self.registry.secret("cb1"), "hünter 2")
        self.assertIs(self.registry.add_secret("cb1", "other"), False)
        self.assertEqual(self.registry.secret("cb1"), "other")

    def test_no_secret(self) -> None:
        """Empty, huge and unprintable secrets are refused."""
        for secret in ("", "x" * 1025, "a\nb", "a\x00"):
            self.assertRaises(RegistryFault, self.registry.add_secret, "cb1", secret)
        self.assertEqual(self.registry.names(), [])

    def test_names(self) -> None:
        """Names come in order, in lower case."""
        for name in ("cb2", "CB10", "cb1"):
            self.registry.add(name)
        self.assertEqual(self.registry.names(), ["cb1", "cb10", "cb2"])
        self.assertEqual(normal_name("CB1"), "cb1")

    def test_no_name(self) -> None:
        """What cannot be the first part of a component's address is refused."""
        for name in ("", "cb1.example.com", "cb 1", "cb_1", "-", "a" * 64, "'; DROP TABLE"):
            self.assertRaises(RegistryFault, self.registry.add, name)

    def test_delete(self) -> None:
        """A Call Bridge that was removed is gone, once."""
        self.registry.add("cb1")
        self.assertIs(self.registry.delete("CB1"), True)
        self.assertIs(self.registry.delete("cb1"), False)
        self.assertIs(self.registry.secret("cb1"), None)

    def test_deleted_secret_is_overwritten(self) -> None:
        """A secret that was removed is in none of the files, even while the daemon runs."""
        secret = self.registry.add("cb1").encode()
        self.assertEqual(self.daemon.names(), ["cb1"])
        self.registry.delete("cb1")
        files = list(self.directory.iterdir())
        self.assertTrue(files)
        self.assertEqual([file.name for file in files if secret in file.read_bytes()], [])

    def test_running_daemon_sees_changes(self) -> None:
        """Whoever has the registry open sees every change of another process at once."""
        self.assertIs(self.daemon.secret("cb1"), None)
        secret = self.registry.add("cb1")
        self.assertEqual(self.daemon.secret("cb1"), secret)
        self.registry.add_secret("cb1", "changed")
        self.assertEqual(self.daemon.secret("cb1"), "changed")
        self.registry.delete("cb1")
        self.assertIs(self.daemon.secret("cb1"), None)

    def test_running_daemon_sees_another_file(self) -> None:
        """A registry that is restored from a backup counts at once."""
        self.registry.add_secret("cb1", "old")
        self.registry.close()
        backup = self.registry.path.read_bytes()
        self.registry.add_secret("cb1", "new")
        self.assertEqual(self.daemon.secret("cb1"), "new")
        for file in list(self.directory.iterdir()):
            file.unlink()
        self.assertIs(self.daemon.secret("cb1"), None)
        self.registry.path.write_bytes(backup)
        self.assertEqual(self.daemon.secret("cb1"), "old")

    def test_modes(self) -> None:
        """Nobody but the owner can read the registry, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        self.registry.add("cb1")
        self.assertEqual(stat.S_IMODE(self.directory.stat().st_mode), 0o700)
        for file in self.directory.iterdir():
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600, file.name)

    def test_made_by_root(self) -> None:
        """What root makes belongs to the owner of the directory, the daemon's user."""
        self.directory.mkdir()
        owner = self.directory.stat()
        given: list[tuple[int, int]] = []
        self.patch(os, "geteuid", lambda: 0)
        self.patch(os, "fchown", lambda file, user, group: given.append((user, group)))
        self.registry.add("cb1")
        self.registry.add("cb2")
        self.assertEqual(given, [(owner.st_uid, owner.st_gid)])

    def test_link_in_the_way(self) -> None:
        """A link that somebody put there does not make root write elsewhere."""
        self.directory.mkdir()
        elsewhere = self.directory / "elsewhere"
        self.registry.path.symlink_to(elsewhere)
        self.assertRaises(RegistryFault, self.registry.add, "cb1")
        self.assertFalse(elsewhere.exists())

    def test_journal(self) -> None:
        """Reading never waits for writing: the journal is a write-ahead log."""
        self.registry.add("cb1")
        with sqlite3.connect(self.registry.path) as connection:
            self.assertEqual(connection.execute("PRAGMA journal_mode").fetchone(), ("wal",))
            self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (SCHEMA,))
        connection.close()

    def test_newer_version(self) -> None:
        """A registry with a newer schema is left alone."""
        self.directory.mkdir()
        with sqlite3.connect(self.registry.path) as connection:
            connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
        connection.close()
        for use in (self.registry.names, lambda: self.registry.add("cb1")):
            self.assertIn("newer version", str(self.assertRaises(RegistryFault, use)))

    def test_no_registry(self) -> None:
        """A damaged file is a fault that names it and says what to do."""
        self.directory.mkdir()
        self.registry.path.write_bytes(b"nonsense" * 1000)
        for use in (self.registry.names, lambda: self.registry.add("cb1")):
            fault = str(self.assertRaises(RegistryFault, use))
            self.assertIn(str(self.registry.path), fault)
            self.assertIn("damaged", fault)

    def test_no_directory(self) -> None:
        """A state directory that is a file is a fault."""
        self.directory.write_text("")
        self.assertRaises(RegistryFault, self.registry.add, "cb1")
        self.assertRaises(RegistryFault, self.registry.names)
