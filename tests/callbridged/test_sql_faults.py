"""Tests for `callbridged.backends.sql.backend`: databases that cannot be asked."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from unittest import mock

from callbridged.backends import (
    BackendFault,
    BackendUnavailable,
    configured,
)
from callbridged.backends.sql.backend import SqlBackendFactory
from callbridged.backends.sql.rows import Rows
from callbridged.backends.sql.sqlite import SqliteConnection
from callbridged.scram_keys import SCHEMES
from daemonkit.ini import IniReader
from tests.callbridged.sql_case import BCRYPT, SCHEME, SqlBackendCase
from tests.support.users_table import TABLE


@contextmanager
def unprivileged(directory: Path) -> Iterator[None]:
    """Somebody who may read and not write there; root is somebody else meanwhile."""
    directory.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        directory.chmod(0o755)


class Files(SqlBackendCase):
    """What may be wrong with an SQLite file. It is never a wrong password."""

    def test_missing(self) -> None:
        """A file that is not there is looked for at each login."""
        content = self.path.read_bytes()
        self.path.unlink()
        self.assertIn(f"no-such-service: {self.path} is not there.", self.why_not())
        self.assertFalse(self.path.exists())
        self.path.write_bytes(content)
        self.assertTrue(self.check("alice", "wonderland"))

    def test_replaced(self) -> None:
        """A file that was moved into its place counts at once."""
        self.assertTrue(self.check("alice", "wonderland"))
        new, old = self.directory / "new.db", self.path
        self.path = new
        self.execute(TABLE)
        self.put("alice", "other")
        new.rename(old)
        self.path = old
        self.assertFalse(self.check("alice", "wonderland"))
        self.assertTrue(self.check("alice", "other"))

    def test_damaged(self) -> None:
        """A damaged file, or one that is something else, is named for it."""
        self.path.write_bytes(b"What is this? " * 1000)
        self.assertIn("is no SQLite database", self.why_not())
        self.path.unlink()
        self.path.mkdir()
        self.assertIn("cannot be read", self.why_not())

    def test_corrupt(self) -> None:
        """A file whose pages are damaged is no empty one."""
        for number in range(500):
            self.execute("INSERT INTO callbridge_users (name) VALUES (?)", f"user{number}")
        content = self.path.read_bytes()
        self.path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
        self.assertIn("is damaged", self.why_not())

    def test_locked(self) -> None:
        """A lock is waited for, but not for ever."""
        self.backend = self.open("timeout = 100ms")
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            self.assertIn("is locked by another program", self.why_not())
            database.execute("ROLLBACK")
        self.assertTrue(self.check("alice", "wonderland"))

    def test_wal(self) -> None:
        """A file in WAL mode is read while somebody writes, and when nobody does."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("BEGIN IMMEDIATE")
            database.execute("DELETE FROM callbridge_users")
            self.assertTrue(self.check("alice", "wonderland"))
            database.execute("COMMIT")
            self.assertFalse(self.check("alice", "wonderland"))
        self.put("alice", "other")
        self.assertTrue(self.check("alice", "other"))

    def test_wal_read_only(self) -> None:
        """A file in WAL mode is read where we may not write, too; but not while somebody does, in a
        way that we cannot see."""
        readable = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, readable)
        readable.chmod(0o755)
        self.path = readable / "users.db"
        self.execute("PRAGMA journal_mode = WAL")
        self.execute(TABLE)
        self.put("alice", "wonderland")
        self.backend = self.open()
        with unprivileged(readable):
            self.assertTrue(self.check("alice", "wonderland"))
            self.assertEqual(os.listdir(readable), ["users.db"])
        look = SqliteConnection._look

        def look_on_read_only(one: SqliteConnection, name: str, seconds: float, how: str) -> Rows:
            if how == "mode=ro":
                error = sqlite3.OperationalError("unable to open database file")
                error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
                raise error
            return look(one, name, seconds, how)

        self.patch(SqliteConnection, "_look", look_on_read_only)
        self.assertTrue(self.check("alice", "wonderland"))
        states = count()
        self.patch(SqliteConnection, "_state", lambda _: (next(states),))
        self.assertIn("was written to while it was read", self.why_not())

    def test_wrong_query(self) -> None:
        """What SQLite says of the query is said to the operator."""
        self.execute("DROP TABLE callbridge_users")
        self.assertIn(
            "protocol-error: SQLite cannot answer: no such table: callbridge_users. Correct query.",
            self.why_not(),
        )
        self.backend = self.open("query = SELECT :username, ?")
        self.assertIn("SQLite cannot answer: ", self.why_not())

    def test_columns(self) -> None:
        """Columns that are missing are named."""
        self.backend = self.open(
            "query = SELECT name, disabled FROM callbridge_users WHERE name = :username"
        )
        self.assertIn("there is no column scram or password_hash", self.why_not("nobody"))

    def test_values(self) -> None:
        """Text that is none is not shown."""
        self.put("bob", "x", scram=b"hunter2\xff")
        self.execute("UPDATE callbridge_users SET scram = CAST(scram AS TEXT) WHERE name = 'bob'")
        fault = self.why_not("bob")
        self.assertIn("column scram: the keys are not", fault)
        self.assertNotIn("hunter2", fault)

    def test_slow(self) -> None:
        """A query that would run for ever is given up."""
        self.backend = self.open(
            "timeout = 100ms",
            "query = WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)",
            "  SELECT max(i) AS scram, :username FROM n",
        )
        self.assertIn("took too long", self.why_not())

    def test_read_only(self) -> None:
        """No query writes."""
        before = self.path.read_bytes()
        self.backend = self.open(
            "query = WITH n AS (SELECT :username) DELETE FROM callbridge_users"
        )
        self.why_not()
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual(set(os.listdir(self.directory)), {self.path.name, "callbridged.ini"})


class Opening(SqlBackendCase):
    """From the configuration to a backend."""

    def missing(self, module: str, *lines: str) -> str:
        factory = SqlBackendFactory()
        settings = self.settings(*lines)
        # None of them need be here.
        others = {name: mock.Mock() for name in ("argon2", "bcrypt") if name != module}
        with mock.patch.dict(sys.modules, {**others, module: None}):
            return str(self.assertRaises(BackendFault, factory.open, settings, self.threads))

    def test_no_name(self) -> None:
        """The backend needs a name."""
        ini = self.directory / "callbridged.ini"
        fault = self.assertRaises(BackendFault, configured, "sql:", IniReader(ini))
        self.assertIn("[sql meet]", str(fault))

    def test_missing_libraries(self) -> None:
        """A library that is not installed stops the start, with what to install."""
        for module, library in (("argon2", "argon2-cffi"), ("bcrypt", "bcrypt")):
            self.assertIn(f"pip install {library}", self.missing(module, "mechanisms = PLAIN"))
        self.database = "postgresql:///meet"
        self.assertIn("pip install 'psycopg[binary]'", self.missing("psycopg"))

    def test_missing_later(self) -> None:
        """Who has keys for all users needs no library for hashes; a hash then is a fault."""
        with mock.patch.dict(sys.modules, {"argon2": None, "bcrypt": None}):
            SqlBackendFactory().open(self.settings(), self.threads)
            self.put("bob", "x", password_hash=BCRYPT)
            asked = self.start(self.backend.check_password("bob", "x"))
            fault = self.failureResultOf(asked, BackendUnavailable).value
        self.assertIn("pip install bcrypt", str(fault))
        self.assertTrue(self.check("alice", "wonderland"))

    def test_no_database(self) -> None:
        """A database that is not there is no reason not to start."""
        self.path.unlink()
        backend = SqlBackendFactory().open(self.settings(), self.threads)
        self.assertEqual(backend.mechanisms, {SCHEME, "PLAIN"})

    def test_mechanisms(self) -> None:
        """They are what the operator says."""
        for scheme in SCHEMES:
            self.assertEqual(self.open(f"mechanisms = {scheme}").mechanisms, {scheme})
