"""Tests of callbridged.web.admins_file, .accounts and .admins_store: who the administrators are."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from callbridged.backends.sql.hashes import Argon2Hash
from callbridged.events import ADMIN_HASH_WEAK, ADMINS_FAULT, ADMINS_UNREADABLE
from callbridged.web.accounts import MAX_PASSWORD, MAX_WAITING, Accounts, Busy
from callbridged.web.admins_file import MAX_FILE, Account, parse, put
from callbridged.web.admins_store import AdminsStore
from daemonkit.terminal import CtlFailure
from daemonkit.workers import Workers
from tests.callbridged.web.administrators import AdminsCase, fake_hash
from tests.support.logged import written


class FileTests(AdminsCase):
    """What stands in the file."""

    def test_parse(self) -> None:
        """Names, roles, hashes; comments and empty lines; names in their normal form."""
        admins = parse(f"# who\n\n Alice : admin : {fake_hash('x')} \n".encode())
        self.assertEqual(admins.faults, ())
        self.assertEqual(
            [(one.name, one.role) for one in admins.accounts.values()], [("alice", "admin")]
        )

    def test_faults(self) -> None:
        """Each broken line is a fault, none shows a hash, and the others count."""
        good = f"carol:viewer:{fake_hash('x')}"
        for line in (
            "carol",
            f"carol:root:{fake_hash('marker')}",
            f"a b:admin:{fake_hash('marker')}",
            f"{'x' * 65}:admin:{fake_hash('marker')}",
            "carol:admin:plain-marker",
            "carol:admin:$2b$12$" + "a" * 53,
            "carol:admin:" + fake_hash("marker").replace("argon2id", "argon2i"),
            "carol:admin:" + fake_hash("marker", "m=4194304,t=3,p=4"),
            "alice:admin:" + fake_hash("again"),
            b"\xff:admin:x".decode("latin-1"),
        ):
            content = f"alice:admin:{fake_hash('1')}\n{line}\n{good}\n".encode("latin-1")
            admins = parse(content)
            self.assertEqual(len(admins.faults), 1, line)
            self.assertIn("line 2: ", str(admins.faults[0]))
            self.assertNotIn("marker", str(admins.faults[0]))
            self.assertEqual(set(admins.accounts), {"alice", "carol"})

    def test_put(self) -> None:
        """One line changes, wherever it stands; the others stay as they are, comments too."""
        account = parse(f"bob:admin:{fake_hash('new')}".encode()).accounts["bob"]
        before = b"# first\nalice:x\n  BOB :broken\n\nlast"
        after = put(before, "bob", account)
        self.assertEqual(
            after, b"# first\nalice:x\nbob:admin:" + fake_hash("new").encode() + b"\n\nlast\n"
        )
        self.assertEqual(put(after, "bob", None), b"# first\nalice:x\n\nlast\n")
        self.assertEqual(put(b"", "bob", None), b"")

    @given(st.binary() | st.text(":\n#$argon2id alice", max_size=60).map(str.encode))
    def test_anything(self, content: bytes) -> None:
        """Whatever stands in a file, it is read; a new line of it counts, and the others stay."""
        before = parse(content)
        account = Account("zoe", "viewer", Argon2Hash(fake_hash("x")))
        after = parse(put(content, "zoe", account))
        self.assertEqual(after.accounts, {**before.accounts, "zoe": account})
        others = [one for one in before.faults if one.user != "zoe"]
        self.assertEqual(len(after.faults), len(others))

    def test_no_secrets_in_reprs(self) -> None:
        """An account's repr has no hash in it."""
        self.assertNotIn("argon2", repr(self.accounts.find("alice")))


class LookTests(AdminsCase):
    """The file as it changes."""

    def test_changes(self) -> None:
        """What has become of whom is told, each time; nothing at the start."""
        told: list[object] = []
        self.accounts.changed = told.append
        self.set("alice", "viewer", "wonderland")
        self.set("bob", "viewer", "another12")
        self.set("carol", "admin", "x")
        self.accounts.look()
        self.accounts.look()
        self.set("carol", "admin", None)
        self.accounts.look()
        self.assertEqual(
            told,
            [{"alice": "role", "bob": "password", "carol": "added"}, {"carol": "removed"}],
        )

    def test_unreadable(self) -> None:
        """Without the file, or with one that is some other, nobody is there; that is said once."""
        lines = self.enterContext(written(self.clock))
        self.path.unlink()
        self.assertIsNone(self.accounts.find("alice"))
        self.assertIsNone(self.accounts.find("alice"))
        self.set("alice", "admin", "x")
        self.assertIsNotNone(self.accounts.find("alice"))
        self.path.write_bytes(b"#" * (MAX_FILE + 1))
        self.assertIsNone(self.accounts.find("alice"))
        self.assertIsNone(self.accounts.find("alice"))
        said = [line.text for line in lines if line.event is ADMINS_UNREADABLE]
        self.assertEqual(len(said), 2)
        self.assertIn("callbridgectl admin add NAME", said[0])

    def test_never_there(self) -> None:
        """A file that is not there at the start is said, and read when it comes."""
        lines = self.enterContext(written(self.clock))
        accounts = Accounts(self.directory / "others", Workers(self.clock, 1, "", self.clock))
        accounts.look()
        self.assertEqual([line.event for line in lines], [ADMINS_UNREADABLE])
        os.link(self.path, self.directory / "others")
        self.assertIsNotNone(accounts.find("alice"))

    def test_move(self) -> None:
        """Another file counts from the next look, and nobody is said to have changed."""
        other = self.directory / "others"
        other.write_text(f"carol:admin:{fake_hash('x')}\n")
        told: list[object] = []
        self.accounts.changed = told.append
        self.accounts.move(other)
        self.assertIsNone(self.accounts.find("alice"))
        self.assertIsNotNone(self.accounts.find("carol"))

    def test_faults_are_said(self) -> None:
        """Broken lines are in the log, a few of them."""
        lines = self.enterContext(written(self.clock))
        self.path.write_text("x\n" * 100)
        self.accounts.look()
        self.assertEqual(sum(line.event is ADMINS_FAULT for line in lines), 5)


class CheckTests(AdminsCase):
    """Passwords."""

    def check(self, name: str, password: str) -> Account | None:
        return self.successResultOf(Deferred.fromCoroutine(self.accounts.check(name, password)))

    def test_right(self) -> None:
        """The right one is the account."""
        account = self.check("alice", "wonderland")
        assert account is not None
        self.assertEqual((account.name, account.role), ("alice", "admin"))

    def test_wrong(self) -> None:
        """A wrong one, and one that is too long, is nobody; and so is a name that is not there,
        after just as much work."""
        for name, password in (
            ("alice", "wrong"),
            ("alice", "wonderland" + "x" * MAX_PASSWORD),
            ("nobody", "wonderland"),
        ):
            self.checked.clear()
            self.assertIsNone(self.check(name, password))
            self.assertEqual(len(self.checked), 1)

    def test_composed(self) -> None:
        """However a keyboard composes a letter, it is the same one."""
        self.set("alice", "admin", "caf\u00e9-12345")
        self.assertIsNotNone(self.check("alice", "cafe\u0301-12345"))

    def test_weak(self) -> None:
        """A hash with other parameters works, and the log says how to make a better one."""
        lines = self.enterContext(written(self.clock))
        self.path.write_text(f"alice:admin:{fake_hash('wonderland', 'm=8192,t=1,p=1')}\n")
        self.assertIsNotNone(self.check("alice", "wonderland"))
        (line,) = [line for line in lines if line.event is ADMIN_HASH_WEAK]
        self.assertIn("callbridgectl admin passwd alice", line.text)

    def test_removed_meanwhile(self) -> None:
        """One that is taken away while the password is checked is nobody."""
        self.clock.at_once = False
        checking = Deferred.fromCoroutine(self.accounts.check("alice", "wonderland"))
        self.set("alice", "admin", None)
        self.clock.work()
        self.assertIsNone(self.successResultOf(checking))

    def test_busy(self) -> None:
        """So many at once, and those that end make room."""
        self.clock.at_once = False
        for _ in range(MAX_WAITING):
            Deferred.fromCoroutine(self.accounts.check("alice", "x"))
        self.failureResultOf(Deferred.fromCoroutine(self.accounts.check("alice", "x")), Busy)
        self.clock.work()
        self.clock.at_once = True
        self.assertIsNotNone(self.check("alice", "wonderland"))


class StoreTests(AdminsCase):
    """The file as callbridgectl changes it."""

    def setUp(self) -> None:
        super().setUp()
        self.store = AdminsStore(self.path)

    def test_life(self) -> None:
        """An account is added, gets another password and another role, and is removed."""
        self.store.add("carol", "viewer", fake_hash("1"))
        self.store.set_hash("carol", fake_hash("2"))
        self.store.set_role("carol", "admin")
        carol = self.store.read().accounts["carol"]
        self.assertEqual((carol.role, carol.hash.text), ("admin", fake_hash("2")))
        self.store.remove("carol")
        self.assertEqual(set(self.store.read().accounts), {"alice", "bob"})

    def test_refused(self) -> None:
        """What cannot be done says what can, and changes nothing."""
        before = self.path.read_bytes()
        for words, call in (
            ("callbridgectl admin passwd alice", lambda: self.store.add("alice", "admin", "x")),
            ("callbridgectl admin list", lambda: self.store.set_hash("carol", "x")),
            ("callbridgectl admin list", lambda: self.store.set_role("carol", "admin")),
            ("callbridgectl admin list", lambda: self.store.remove("carol")),
        ):
            self.assertIn(words, str(self.assertRaises(CtlFailure, call)))
        self.assertEqual(self.path.read_bytes(), before)

    def test_broken_line(self) -> None:
        """A broken line is in the way of a new account; a password mends it, as a viewer's."""
        self.path.write_text("carol:admin:nonsense\n")
        self.assertRaises(CtlFailure, self.store.add, "carol", "admin", fake_hash("1"))
        self.assertRaises(CtlFailure, self.store.set_role, "carol", "admin")
        self.store.set_hash("carol", fake_hash("1"))
        self.assertEqual(self.store.read().accounts["carol"].role, "viewer")

    def test_mode(self) -> None:
        """A new file is for its owner alone."""
        store = AdminsStore(self.directory / "new-file")
        store.add("carol", "admin", fake_hash("1"))
        self.assertEqual(store.path.stat().st_mode & 0o7777, 0o600)

    def test_no_directory(self) -> None:
        """A directory that is not there is named."""
        store = AdminsStore(self.directory / "nowhere" / "admins")
        failure = self.assertRaises(CtlFailure, store.add, "carol", "admin", fake_hash("1"))
        self.assertIn("users_file in [admin]", str(failure))
