"""Tests for `callbridged.backends.sql.backend`, on SQLite files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from callbridged.backends import (
    AccountRefused,
    BackendFault,
    BackendUnavailable,
    BrokenAccount,
    IAccounts,
    IDecoySource,
    ISettingsReader,
    IUserBackend,
    IUserBackendFactory,
    configured,
    find_factory,
)
from callbridged.backends.sql.backend import SqlBackend, SqlBackendFactory
from callbridged.backends.sql.hashes import Argon2Hash, BcryptHash, ScramSecret
from callbridged.backends.sql.questions import Questions
from callbridged.backends.sql.rows import Rows
from callbridged.backends.sql.settings import SqlSettings
from callbridged.backends.sql.sqlite import SqliteConnection
from callbridged.logins.directory import Directory
from callbridged.scram_keys import ITERATIONS, SCHEMES, ScramKeys
from callbridged.scram_text import format_keys
from daemonkit.ini import IniReader
from daemonkit.workers import Workers
from tests.callbridged.people import Threads
from tests.support.users_table import TABLE

T = TypeVar("T")
SCHEME = "SCRAM-SHA-256"
BCRYPT = f"$2b$05${'a' * 53}"


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


class SqlBackendCase(SynchronousTestCase):
    """A backend on a file, whose threads run at once."""

    lines: tuple[str, ...] = ()
    #: In the place of the file.
    database = ""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.path = self.directory / "users 100%?.db"
        self.threads = Threads()
        self.execute(TABLE)
        self.put("alice", "wonderland")
        self.backend = self.open(*self.lines)

    def settings(self, *lines: str) -> SqlSettings:
        ini = self.directory / "callbridged.ini"
        database = self.database or f"sqlite:{self.path}"
        ini.write_text("\n".join(["[sql meet]", f"database = {database}", *lines]))
        reader = IniReader(ini)
        settings: SqlSettings = configured("sql:meet", reader).argument
        reader.finish()
        return settings

    def open(self, *lines: str) -> SqlBackend:
        settings = self.settings(*lines)
        questions = Questions(
            self.threads,
            Workers(self.threads, 1, "sql", self.threads),
            lambda _: SqliteConnection(self.path, settings.query),
            settings.timeout,
        )
        return SqlBackend(settings, questions, Workers(self.threads, 1, "hash", self.threads))

    def execute(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = OFF")
            database.execute(statement, values)

    def put(self, name: str, password: str, **more: object) -> None:
        keys = ScramKeys.derive(SCHEME, password, 4096)
        row = {"name": name, "scram": format_keys(SCHEME, keys), **more}
        places = ", ".join("?" * len(row))
        self.execute(
            f"REPLACE INTO callbridge_users ({', '.join(row)}) VALUES ({places})", *row.values()
        )

    def start(self, work: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        return Deferred.fromCoroutine(work)

    def check(self, name: str, password: str) -> bool | str:
        return self.successResultOf(self.start(self.backend.check_password(name, password)))

    def keys(self, name: str, mechanism: str = SCHEME) -> ScramKeys | None:
        return self.successResultOf(self.start(self.backend.scram_keys(name, mechanism)))

    def fingerprint(self, name: str) -> bytes | None:
        return self.successResultOf(self.start(self.backend.fingerprint(name)))

    def why_not(self, name: str = "alice") -> str:
        asked = self.start(self.backend.scram_keys(name, SCHEME))
        fault = str(self.failureResultOf(asked, BackendUnavailable).value)
        asked = self.start(self.backend.check_password(name, "wonderland"))
        self.assertEqual(str(self.failureResultOf(asked, BackendUnavailable).value), fault)
        return fault


class Looking(SqlBackendCase):
    """What the backend answers, with a database and nothing else in its section."""

    def test_interfaces(self) -> None:
        """It is what the interfaces say, and is found as a plugin."""
        factory, _ = find_factory("sql:meet")
        self.assertIsInstance(factory, SqlBackendFactory)
        for interface in (IUserBackendFactory, ISettingsReader):
            verifyObject(interface, factory)
        for interface in (IUserBackend, IAccounts, IDecoySource):
            verifyObject(interface, self.backend)

    def test_password(self) -> None:
        """The right password of a user is right, and nothing else."""
        self.assertIs(self.check("alice", "wonderland"), True)
        for name, password in (("alice", "x"), ("bob", "wonderland"), ("ALICE", "wonderland")):
            self.assertIs(self.check(name, password), False)

    def test_keys(self) -> None:
        """Users have their keys, others none."""
        keys = self.keys("alice")
        assert keys is not None
        self.assertTrue(keys.check(SCHEME, "wonderland"))
        self.assertIsNone(self.keys("bob"))

    def test_no_keys(self) -> None:
        """A user without keys for a mechanism of all users is not told of a wrong password."""
        self.put("bob", "x", scram=None, password_hash=BCRYPT)
        asked = self.start(self.backend.scram_keys("bob", SCHEME))
        fault = self.failureResultOf(asked, BrokenAccount).value
        self.assertIn("mechanisms has SCRAM-SHA-256, and 'bob' has no keys", str(fault))

    def test_no_password(self) -> None:
        """A user without any password cannot log in by one, and is a user all the same."""
        self.put("bob", "x", scram=None)
        self.assertIs(self.check("bob", "x"), False)
        self.assertIsNone(self.keys("bob"))
        self.assertIsNotNone(self.fingerprint("bob"))

    def test_refused(self) -> None:
        """Who is disabled or has expired hears so after the right password, and not before; and
        has no certificate or token any more."""
        for column, condition in (
            ("disabled", "account-disabled"),
            ("expired", "credentials-expired"),
        ):
            self.put("bob", "builder", **{column: True})
            asked = self.start(self.backend.check_password("bob", "builder"))
            refusal = self.failureResultOf(asked, AccountRefused).value
            self.assertEqual(refusal.condition, condition)
            self.assertIs(self.check("bob", "wrong"), False)
            keys = self.keys("bob")
            assert keys is not None
            self.assertEqual(keys.refusal, condition)
            self.assertIsNone(self.fingerprint("bob"))

    def test_fingerprint(self) -> None:
        """It changes with the password, and who is no user has none."""
        before = self.fingerprint("alice")
        self.assertIsNotNone(before)
        self.assertEqual(before, self.fingerprint("alice"))
        self.put("alice", "wonderland")  # with another salt
        self.assertNotEqual(before, self.fingerprint("alice"))
        self.assertIsNone(self.fingerprint("bob"))

    def test_counts_at_once(self) -> None:
        """A new password counts at once, and the old one no more."""
        self.assertTrue(self.check("alice", "wonderland"))
        self.put("alice", "other")
        self.assertFalse(self.check("alice", "wonderland"))
        self.assertTrue(self.check("alice", "other"))

    @settings(max_examples=100)
    @given(
        st.sampled_from(
            ["' OR 1=1 --", "%", ";", "\0", "alice\0", "x" * 2000, ":username", "\ud800", '"', "\\"]
        )
        | st.text(max_size=20)
    )
    def test_hostile_names(self, name: str) -> None:
        """Whatever a name is made of, it is a name: of that user, or of nobody."""
        if name != "alice":
            self.assertIs(self.check(name, "wonderland"), False)
            self.assertIsNone(self.keys(name))
            self.assertIsNone(self.fingerprint(name))
        if name.isprintable() and name:
            self.put(name, "secret")
            self.assertIs(self.check(name, "secret"), True)
            self.execute("DELETE FROM callbridge_users WHERE name = ?", name)
            self.put("alice", "wonderland")


class Names(SqlBackendCase):
    """A database that knows users under other names than the one that was asked for."""

    lines = (
        "query = SELECT scram, name AS username FROM callbridge_users",
        "    WHERE name = :username COLLATE NOCASE OR mail = :username",
    )

    def setUp(self) -> None:
        super().setUp()
        self.execute("ALTER TABLE callbridge_users ADD COLUMN mail TEXT")
        self.execute("UPDATE callbridge_users SET mail = 'a.liddell'")

    def test_alias(self) -> None:
        """The column username is whom an alias is let in as."""
        self.assertEqual(self.check("a.liddell", "wonderland"), "alice")
        keys = self.keys("a.liddell")
        assert keys is not None
        self.assertEqual(keys.username, "alice")
        self.assertIs(self.check("alice", "wonderland"), True)

    def test_case(self) -> None:
        """However the database writes a name, the user is let in under the one normal form."""
        self.put("Bob", "builder")
        directory = Directory(self.backend, b"key")
        answer = self.successResultOf(self.start(directory.check_password("bob", "builder")))
        self.assertEqual(answer, "bob")

    def test_no_localpart(self) -> None:
        """A name that is none is the database's fault, and no wrong password."""
        self.put("no body", "x", mail="nobody")
        directory = Directory(self.backend, b"key")
        asked = self.start(directory.check_password("nobody", "x"))
        self.failureResultOf(asked, BackendUnavailable)

    def test_two(self) -> None:
        """Two users that one name finds are nobody."""
        self.put("Alice", "wonderland")
        self.assertIn("Is it two users?", self.why_not())


class Time(SqlBackendCase):
    """Who exists is not to be told by how long an answer takes."""

    def checked(self, name: str) -> object:
        """What the password of ``name`` is checked against."""
        checked: list[object] = []

        def check(self: object, password: str) -> bool:
            checked.append(self)
            return False

        with (
            mock.patch.object(ScramSecret, "check", check),
            mock.patch.object(BcryptHash, "check", check),
            mock.patch.object(Argon2Hash, "check", check),
        ):
            self.check(name, "x")
        self.assertEqual(len(checked), 1)
        return checked[0]

    def test_at_first(self) -> None:
        """As long as nobody came, it is what users have by default."""
        decoy = self.checked("nobody")
        assert isinstance(decoy, ScramSecret)
        self.assertEqual((decoy.mechanism, decoy.keys.iterations), (SCHEME, ITERATIONS))
        self.backend = self.open("mechanisms = PLAIN")
        self.assertIn("m=65536,t=3,p=4", getattr(self.checked("nobody"), "text", ""))

    def test_same_work(self) -> None:
        """Who does not exist takes what most users take."""
        self.put("bob", "x", password_hash=BCRYPT)
        self.put("carol", "x", password_hash=BCRYPT)
        real = self.checked("alice")
        assert isinstance(real, ScramSecret)
        decoy = self.checked("nobody")
        assert isinstance(decoy, ScramSecret)
        self.assertEqual((decoy.mechanism, decoy.keys.iterations), (SCHEME, 4096))
        self.assertNotEqual(decoy, real)
        self.checked("bob")
        self.checked("carol")
        decoy = self.checked("nobody")
        assert isinstance(decoy, BcryptHash)
        self.assertEqual(decoy.text[:7], "$2b$05$")
        self.put("dave", "x", scram=None)
        self.assertEqual(self.checked("dave"), decoy)

    def test_iterations(self) -> None:
        """SCRAM shows the iterations of most users for those who do not exist, too."""
        self.assertEqual(self.backend.iterations, ITERATIONS)
        self.keys("nobody")
        self.assertEqual(self.backend.iterations, ITERATIONS)
        self.keys("alice")
        self.assertEqual(self.backend.iterations, 4096)


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
