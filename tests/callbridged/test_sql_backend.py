"""Tests for `callbridged.backends.sql.backend`: who may log in, on SQLite files."""

from __future__ import annotations

from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from callbridged.backends import (
    AccountRefused,
    BackendUnavailable,
    BrokenAccount,
    IAccounts,
    IDecoySource,
    ISettingsReader,
    IUserBackend,
    IUserBackendFactory,
    find_factory,
)
from callbridged.backends.sql.backend import SqlBackendFactory
from callbridged.backends.sql.hashes import Argon2Hash, BcryptHash, ScramSecret
from callbridged.logins.directory import Directory
from callbridged.scram_keys import ITERATIONS
from tests.callbridged.sql_case import BCRYPT, SCHEME, SqlBackendCase


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
