"""Tests of xmppd.components.registry."""

from __future__ import annotations

import os
import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.files import mark
from xmppd.components.registry import SCHEMA, Known, Registry, RegistryFault, normal_name

COM, ORG = "example.com", "example.org"

#: What the first version of this program made.
OLD_FILE = """
PRAGMA journal_mode = WAL;
CREATE TABLE callbridge (
    name TEXT NOT NULL PRIMARY KEY,
    secret TEXT NOT NULL,
    added TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID;
INSERT INTO callbridge VALUES ('cb1', 'hunter2', '2026-01-02 03:04:05');
INSERT INTO callbridge (name, secret) VALUES ('cb2', 'swordfish');
PRAGMA user_version = 1;
"""

#: What came next: it knows of no secret that expires.
SCHEMA_2 = """
CREATE TABLE callbridge (
    domain TEXT NOT NULL,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    added TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (domain, name)
) WITHOUT ROWID;
INSERT INTO callbridge (domain, name, secret) VALUES ('example.com', 'cb1', 'hunter2');
PRAGMA user_version = 2;
"""


class RegistryTests(SynchronousTestCase):
    """One state directory, seen by the daemon and by xmppctl."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.registry = self.open()
        self.daemon = self.open()

    def open(self) -> Registry:
        registry = Registry(self.directory, COM)
        self.addCleanup(registry.close)
        return registry

    def test_nothing_yet(self) -> None:
        """Looking into a registry that is not there makes nothing."""
        self.assertEqual(self.registry.names(COM), [])
        self.assertIs(self.registry.secret(COM, "cb1"), None)
        self.assertIs(self.registry.delete(COM, "cb1"), False)
        self.assertFalse(self.directory.exists())

    def test_add(self) -> None:
        """A new Call Bridge gets a secret of its own with 256 random bits."""
        secrets = {self.registry.add(COM, f"cb{number}") for number in range(20)}
        self.assertEqual(len(secrets), 20)
        self.assertEqual({len(secret) for secret in secrets}, {43})
        self.assertIn(self.registry.secret(COM, "cb7"), secrets)

    def test_add_twice(self) -> None:
        """A name that is there keeps its secret, and adding it fails."""
        secret = self.registry.add(COM, "cb1")
        self.assertRaises(RegistryFault, self.registry.add, COM, "CB1")
        self.assertEqual(self.registry.secret(COM, "cb1"), secret)

    def test_add_secret(self) -> None:
        """A known secret is kept as it is, and can be changed."""
        self.assertIs(self.registry.add_secret(COM, "cb1", "hünter 2"), True)
        self.assertEqual(self.registry.secret(COM, "cb1"), "hünter 2")
        self.assertIs(self.registry.add_secret(COM, "cb1", "other"), False)
        self.assertEqual(self.registry.secret(COM, "cb1"), "other")

    def test_no_secret(self) -> None:
        """Empty, huge and unprintable secrets are refused."""
        for secret in ("", "x" * 1025, "a\nb", "a\x00"):
            self.assertRaises(RegistryFault, self.registry.add_secret, COM, "cb1", secret)
        self.assertEqual(self.registry.names(COM), [])

    def test_names(self) -> None:
        """Names come in order, in lower case."""
        for name in ("cb2", "CB10", "cb1"):
            self.registry.add(COM, name)
        self.assertEqual(self.registry.names(COM), ["cb1", "cb10", "cb2"])
        self.assertEqual(normal_name("CB1"), "cb1")

    def test_no_name(self) -> None:
        """What cannot be the first part of a component's address is refused."""
        for name in ("", "cb1.example.com", "cb 1", "cb_1", "-", "a" * 64, "'; DROP TABLE"):
            self.assertRaises(RegistryFault, self.registry.add, COM, name)

    def test_delete(self) -> None:
        """A Call Bridge that was removed is gone, once."""
        self.registry.add(COM, "cb1")
        self.assertIs(self.registry.delete(COM, "CB1"), True)
        self.assertIs(self.registry.delete(COM, "cb1"), False)
        self.assertIs(self.registry.secret(COM, "cb1"), None)

    def test_deleted_secret_is_overwritten(self) -> None:
        """A secret that was removed is in none of the files, even while the daemon runs."""
        secret = self.registry.add(COM, "cb1").encode()
        self.assertEqual(self.daemon.names(COM), ["cb1"])
        self.registry.delete(COM, "cb1")
        files = list(self.directory.iterdir())
        self.assertTrue(files)
        self.assertEqual([file.name for file in files if secret in file.read_bytes()], [])

    def test_running_daemon_sees_changes(self) -> None:
        """Whoever has the registry open sees every change of another process at once."""
        self.assertIs(self.daemon.secret(COM, "cb1"), None)
        secret = self.registry.add(COM, "cb1")
        self.assertEqual(self.daemon.secret(COM, "cb1"), secret)
        self.registry.add_secret(COM, "cb1", "changed")
        self.assertEqual(self.daemon.secret(COM, "cb1"), "changed")
        self.registry.delete(COM, "cb1")
        self.assertIs(self.daemon.secret(COM, "cb1"), None)

    def test_running_daemon_sees_another_file(self) -> None:
        """A registry that is restored from a backup counts at once."""
        self.registry.add_secret(COM, "cb1", "old")
        self.registry.close()
        backup = self.registry.path.read_bytes()
        self.registry.add_secret(COM, "cb1", "new")
        self.assertEqual(self.daemon.secret(COM, "cb1"), "new")
        for file in list(self.directory.iterdir()):
            file.unlink()
        self.assertIs(self.daemon.secret(COM, "cb1"), None)
        self.registry.path.write_bytes(backup)
        self.assertEqual(self.daemon.secret(COM, "cb1"), "old")

    def test_modes(self) -> None:
        """Nobody but the owner can read the registry, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        self.registry.add(COM, "cb1")
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
        self.registry.add(COM, "cb1")
        self.registry.add(COM, "cb2")
        self.assertEqual(given, [(owner.st_uid, owner.st_gid)])

    def test_link_in_the_way(self) -> None:
        """A link that somebody put there does not make root write elsewhere."""
        self.directory.mkdir()
        elsewhere = self.directory / "elsewhere"
        self.registry.path.symlink_to(elsewhere)
        self.assertRaises(RegistryFault, self.registry.add, COM, "cb1")
        self.assertFalse(elsewhere.exists())

    def test_journal(self) -> None:
        """Reading never waits for writing: the journal is a write-ahead log."""
        self.registry.add(COM, "cb1")
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
        for use in (lambda: self.registry.names(COM), lambda: self.registry.add(COM, "cb1")):
            self.assertIn("newer version", str(self.assertRaises(RegistryFault, use)))

    def test_no_registry(self) -> None:
        """A damaged file is a fault that names it and says what to do."""
        self.directory.mkdir()
        self.registry.path.write_bytes(b"nonsense" * 1000)
        for use in (lambda: self.registry.names(COM), lambda: self.registry.add(COM, "cb1")):
            fault = str(self.assertRaises(RegistryFault, use))
            self.assertIn(str(self.registry.path), fault)
            self.assertIn("damaged", fault)

    def test_no_directory(self) -> None:
        """A state directory that is a file is a fault."""
        self.directory.write_text("")
        self.assertRaises(RegistryFault, self.registry.add, COM, "cb1")
        self.assertRaises(RegistryFault, self.registry.names, COM)

    def test_domains(self) -> None:
        """The same name in two domains is two Call Bridges."""
        com, org = self.registry.add(COM, "cb1"), self.registry.add(ORG, "cb1")
        self.registry.add(ORG, "cb2")
        self.assertNotEqual(com, org)
        self.assertEqual(self.daemon.secret(COM, "cb1"), com)
        self.assertEqual(self.daemon.secret(ORG, "cb1"), org)
        self.assertEqual(
            (self.daemon.names(COM), self.daemon.names(ORG)), (["cb1"], ["cb1", "cb2"])
        )
        self.registry.delete(ORG, "cb1")
        self.assertEqual(self.daemon.secret(COM, "cb1"), com)
        self.assertIs(self.daemon.secret(ORG, "cb1"), None)
        self.assertEqual(self.daemon.domains(), [COM, ORG])

    def test_expires(self) -> None:
        """A secret of a join file expires until it is taken, or another one is typed in."""
        secret = self.registry.add(COM, "cb1", expires=1000)
        self.assertEqual(self.daemon.find(COM, "cb1"), Known(secret, 1000))
        self.daemon.take(COM, "cb1")
        self.assertEqual(self.registry.find(COM, "cb1"), Known(secret))
        self.registry.add_secret(COM, "cb1", "other", expires=2000)
        self.assertEqual(self.registry.find(COM, "cb1"), Known("other", 2000))
        self.registry.add_secret(COM, "cb1", "other")
        self.assertEqual(self.registry.find(COM, "cb1"), Known("other"))

    def test_give_out(self) -> None:
        """A later join file has the secret that is in use; what nobody used gives way."""
        self.assertIs(self.registry.give_out(COM, "cb1", 1000), None)
        first = self.registry.add(COM, "cb1", expires=1000)
        second = self.registry.give_out(COM, "CB1", 2000)
        assert second is not None
        self.assertNotEqual(second.secret, first)
        self.assertEqual(second.expires, 2000)
        self.assertEqual(self.daemon.find(COM, "cb1"), second)
        self.daemon.take(COM, "cb1")
        self.assertEqual(self.registry.give_out(COM, "cb1", 3000), Known(second.secret))
        self.assertNotIn(second.secret, repr(second))

    def test_file_of_schema_2(self) -> None:
        """In a file from before no secret expires, and each can be rotated."""
        self.directory.mkdir()
        with sqlite3.connect(self.registry.path) as connection:
            connection.executescript(SCHEMA_2)
        connection.close()
        self.assertEqual(self.daemon.find(COM, "cb1"), Known("hunter2"))
        self.registry.add(ORG, "cb1", expires=1000)
        self.assertEqual(self.daemon.domains(), [COM, ORG])
        self.registry.rotate(COM, "cb1", "new")
        self.assertEqual(self.daemon.secret(COM, "cb1"), "hunter2")

    def test_file_without_domains(self) -> None:
        """In a file from before there were domains all names are of the first one."""
        self.directory.mkdir()
        with sqlite3.connect(self.registry.path) as connection:
            connection.executescript(OLD_FILE)
        connection.close()
        self.assertEqual(self.daemon.names(COM), ["cb1", "cb2"])
        self.assertEqual(self.daemon.names(ORG), [])
        self.assertEqual(self.daemon.secret(COM, "cb2"), "swordfish")
        self.registry.add(ORG, "cb1")
        self.assertEqual(self.registry.secret(COM, "cb1"), "hunter2")
        with sqlite3.connect(self.registry.path) as connection:
            added = connection.execute("SELECT added FROM callbridge WHERE secret = 'hunter2'")
            self.assertEqual(added.fetchone(), ("2026-01-02 03:04:05",))
            self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (SCHEMA,))
        connection.close()

    def test_rotated_secret_is_overwritten(self) -> None:
        """The secret that a rotation leaves behind is in none of the files, however it ended."""
        ends = {
            "old": lambda new: self.daemon.used(COM, "cb1", mark(new.encode())),
            "older": lambda new: self.registry.finish(COM, "cb1"),
            "oldest": lambda new: self.registry.add_secret(COM, "cb1", "other"),
        }
        for secret, end in ends.items():
            old = f"{secret} secret that is to go"
            self.registry.add_secret(COM, "cb1", old)
            new = self.registry.rotate(COM, "cb1")
            self.assertEqual(self.daemon.secret(COM, "cb1"), old)
            end(new)
            files = list(self.directory.iterdir())
            self.assertEqual([one.name for one in files if old.encode() in one.read_bytes()], [])
        given_up = self.registry.rotate(COM, "cb1").encode()
        self.registry.abort(COM, "cb1")
        files = list(self.directory.iterdir())
        self.assertEqual([one.name for one in files if given_up in one.read_bytes()], [])

    def test_rotation_ends_expiry(self) -> None:
        """Who has the new secret needs no join file; one that is made meanwhile has it."""
        self.registry.add(COM, "cb1", expires=1000)
        new = self.registry.rotate(COM, "cb1")
        given = self.registry.give_out(COM, "cb1", 2000)
        assert given is not None
        self.assertEqual((given.secret, given.expires), (new, None))
        self.assertIs(self.daemon.used(COM, "cb1", mark(new.encode())), True)
        self.assertEqual(self.daemon.find(COM, "cb1"), Known(new))
        self.assertIs(self.daemon.used(COM, "cb1", mark(new.encode())), False)

    def test_time_of_rotation(self) -> None:
        """Since when a rotation goes on is remembered, whoever looks."""
        self.registry.add(COM, "cb1")
        self.registry.rotate(COM, "cb1")
        known = self.daemon.find(COM, "cb1")
        assert known is not None
        assert known.rotated_at is not None
        self.assertLess(abs((datetime.now(UTC) - known.rotated_at).total_seconds()), 60)

    def test_old_file_opened_twice(self) -> None:
        """A file is brought up to date once, whoever comes first; who has it open sees it."""
        self.directory.mkdir()
        with sqlite3.connect(self.registry.path) as connection:
            connection.executescript(OLD_FILE)
            for one in (self.registry, self.daemon):
                self.assertEqual(one.secret(COM, "cb1"), "hunter2")
            # As a daemon of the version before asks, that still runs.
            old = connection.execute("SELECT secret FROM callbridge WHERE name = 'cb1'")
            self.assertEqual(old.fetchall(), [("hunter2",)])
        connection.close()
