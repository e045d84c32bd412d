"""Tests of callbridged.backends.ldap.backend: logins by search and bind."""

from __future__ import annotations

from typing import Any

from callbridged.backends import (
    AccountRefused,
    BackendUnavailable,
    BrokenAccount,
    IAccounts,
)
from callbridged.backends.ldap.interface import Entry, PolicyError, Result, ResultCode
from callbridged.backends.ldap.settings import UserSearch
from callbridged.backends.ldap.templates import parse_filter, parse_user_dn
from tests.callbridged.ldap.directories import BASE, SERVICE, BackendCase
from tests.callbridged.ldap.servers import Started


class Passwords(BackendCase):
    """By PLAIN."""

    def test_right_and_wrong(self) -> None:
        """The right password is right, and nothing else."""
        self.assertIs(self.check(), True)
        for name, password in (("alice", "x"), ("bob", "wonderland"), ("*", "wonderland")):
            self.assertIs(self.check(name, password), False)

    def test_connections(self) -> None:
        """A connection that a user was bound on is not used for a search."""
        for _ in range(3):
            self.check()
        self.assertEqual(len(self.directory.connections), 2)
        searchers = {one[2] for one in self.directory.asked if one[0] == "search"}
        self.assertEqual(searchers, {SERVICE})

    def test_nobody(self) -> None:
        """Who does not exist is searched for and bound like anybody, as nobody."""
        self.check("bob", "x")
        dn = self.asked("bind")[-1]
        self.assertTrue(dn.endswith(f",{BASE}"))
        self.check("bob", "x")
        self.assertNotEqual(self.asked("bind")[-1], dn)

    def test_nobody_takes_as_long(self) -> None:
        """Who does not exist hears so after as long as the last one who does."""
        self.check()
        self.directory.hold = True
        started = Started(self.backend.check_password("alice", "x"))
        self.directory.held.pop().callback(None)
        self.clock.advance(0.3)
        self.directory.hold = False
        self.directory.held.pop().callback(None)
        self.assertIs(started.outcome, False)
        started = Started(self.backend.check_password("nobody", "x"))
        self.clock.advance(0.29)
        self.assertIsNone(started.outcome)
        self.clock.advance(0.02)
        self.assertIs(started.outcome, False)

    def test_nobody_let_in(self) -> None:
        """A directory that lets everybody in does not let in who does not exist."""
        usual = self.directory.passwords

        class Anything(dict[str, str]):
            def get(self, dn: str, _default: object = None) -> str:
                return usual.get(dn, "x")

        self.directory.passwords = Anything()
        self.assertIs(self.check("bob", "x"), False)

    def test_never_sent(self) -> None:
        """Passwords that are empty, or become so, or have a NUL, are not sent anywhere."""
        for password in ("", "\u00ad", "wonderland\0"):
            self.assertIs(self.check(password=password), False)
        self.assertEqual(self.directory.asked, [])

    def test_filter(self) -> None:
        """A name is put into the filter as it is, and never as a part of the filter."""
        self.check(")(uid=*")
        self.assertEqual(self.asked("search"), [r"(uid=\29\28uid=\2a)"])

    def test_several(self) -> None:
        """Two entries for one name are nobody: neither is bound, and both are named."""
        self.directory.add("alice", "wonderland", dn=f"uid=alice,ou=b,{BASE}")
        broken = self.check()
        self.assertIsInstance(broken, BrokenAccount)
        self.assertIn(f"finds uid=alice,{BASE} and uid=alice,ou=b,{BASE}", str(broken))
        self.assertEqual(self.asked("bind"), [SERVICE])

    def test_no_dn(self) -> None:
        """An entry without a DN, as a directory's root has, is no user: that bind would succeed."""
        self.directory.entries = [Entry("", self.alice.attributes)]
        self.assertIsInstance(self.check(), BrokenAccount)
        self.assertEqual(self.asked("bind"), [SERVICE])

    def test_anonymous(self) -> None:
        """A bind that succeeds and binds nobody lets nobody in."""
        self.directory.who = (Result(ResultCode.SUCCESS), "")
        fault = self.check()
        self.assertIsInstance(fault, BackendUnavailable)
        self.assertIn("that nobody is bound", str(fault))

    def test_no_who_am_i(self) -> None:
        """A directory that cannot say who is bound is asked once, and the log says so."""
        self.directory.who = (Result(ResultCode.PROTOCOL_ERROR, "unsupported"), "")
        for _ in range(2):
            self.assertIs(self.check(), True)
        self.assertEqual(self.directory.asked.count(("who am i",)), 1)
        (line,) = [line for line in self.logged if "does not say who is bound" in line]
        self.assertIn("protocol error (2): unsupported", line)

    def test_broken_entry(self) -> None:
        """Whose entry has no localpart hears so with the right password alone."""
        self.directory.add("bob", "builder", uid=("bob", "robert"))
        self.assertIs(self.check("bob", "x"), False)
        broken = self.check("bob", "builder")
        self.assertIsInstance(broken, BrokenAccount)
        self.assertIn(f"the attribute uid of uid=bob,{BASE} is wrong: it has 2 values", str(broken))


class States(BackendCase):
    """Accounts that must not be used."""

    def refused(self, password: str = "wonderland") -> Any:
        found = self.check(password=password)
        return found.condition if isinstance(found, AccountRefused) else found

    def end(self, result: Result) -> None:
        self.directory.results[self.alice.dn] = result

    def test_entry(self) -> None:
        """What the entry says is told with the right password alone."""
        self.directory.entries.clear()
        self.alice = self.directory.add("alice", "wonderland", nsAccountLock="true")
        self.assertEqual(self.refused(), "account-disabled")
        self.assertIs(self.refused("x"), False)

    def test_policy(self) -> None:
        """What the directory says at the bind is told."""
        self.end(Result(ResultCode.INVALID_CREDENTIALS, "", PolicyError.PASSWORD_EXPIRED))
        self.assertEqual(self.refused(), "credentials-expired")

    def test_unwilling(self) -> None:
        """389-ds is unwilling for an account that is locked; else that is no answer."""
        self.end(Result(ResultCode.UNWILLING_TO_PERFORM, "Account inactivated."))
        self.assertIsInstance(self.refused(), BackendUnavailable)
        self.directory.entries.clear()
        self.directory.add("alice", "wonderland", nsAccountLock="true")
        self.assertEqual(self.refused(), "account-disabled")

    def test_no_answer(self) -> None:
        """A directory that does not look is not heard as a wrong password, by nobody either."""
        self.end(Result(ResultCode.BUSY, "come back later"))
        fault = self.check()
        self.assertIsInstance(fault, BackendUnavailable)
        self.assertIn("has refused a user's bind: busy (51): come back later.", str(fault))
        self.assertNotIsInstance(fault, BrokenAccount)


class Mapping(BackendCase):
    """Names that are typed are not those that are let in."""

    changes = {
        "way": UserSearch(
            BASE, "sub", parse_filter("(mail={username}@example.com)"), SERVICE, "hunter2"
        )
    }

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.directory.add("Bob", "builder", mail="robert@example.com")

    def test_mapped(self) -> None:
        """The value of username_attribute, in normal form, is let in."""
        self.assertEqual(self.check("robert", "builder"), "bob")
        self.assertIs(self.check("robert", "x"), False)
        self.assertIs(self.check("bob", "builder"), False)

    def test_not_unique(self) -> None:
        """A localpart that two entries have is neither's."""
        self.directory.add("bob", "x", dn=f"uid=bob,ou=b,{BASE}")
        broken = self.check("robert", "builder")
        self.assertIsInstance(broken, BrokenAccount)
        self.assertIn(f"uid=bob,ou=b,{BASE} has it, too, and both would be bob", str(broken))

    def test_accounts(self) -> None:
        """By an alias nobody has an account: tokens and certificates are for localparts."""
        backend = IAccounts(self.backend)
        self.assertIsNone(self.outcome(backend.fingerprint("robert")))
        self.assertIsNone(self.outcome(backend.fingerprint("bob")))
        alias = self.directory.add("carol", "x", mail="carol@example.com")
        self.assertEqual(len(self.outcome(backend.fingerprint("carol"))), 32)
        self.assertEqual(self.check("carol", self.directory.passwords[alias.dn]), True)


class Addresses(BackendCase):
    """The localpart is that of an e-mail address."""

    changes = {"username_attribute": "mail", "username_domain": "example.com"}

    def test_address(self) -> None:
        """Two addresses with the same local part, one of another domain, are not one localpart."""
        self.directory.add("bob", "builder", mail="Robert@example.com")
        self.directory.add("carol", "x", mail="carol@example.org")
        self.assertEqual(self.check("bob", "builder"), "robert")
        self.assertIsInstance(self.check("carol", "x"), BrokenAccount)
        self.directory.add("dave", "x", mail="ROBERT@example.com")
        self.assertIsInstance(self.check("bob", "builder"), BrokenAccount)


class UserDn(BackendCase):
    """The name gives the DN."""

    changes = {"way": parse_user_dn(f"uid={{username}},{BASE}")}

    def test_right_and_wrong(self) -> None:
        """The right password is right; the own entry is read by its user."""
        self.assertIs(self.check(), True)
        self.assertIs(self.check(password="x"), False)
        self.assertIs(self.check("nobody"), False)
        (searcher,) = {one[2] for one in self.directory.asked if one[0] == "search"}
        self.assertEqual(searcher, self.alice.dn)

    def test_own_name(self) -> None:
        """The entry's own name counts: a directory may take another one for it."""
        self.directory.add("jose", "x", dn=f"uid=josé,{BASE}")
        self.assertEqual(self.check("josé", "x"), "jose")

    def test_states(self) -> None:
        """Accounts that must not be used are told with the right password."""
        self.directory.add("bob", "x", shadowExpire=1)
        self.assertEqual(self.check("bob", "x").condition, "account-disabled")
        result = Result(ResultCode.SUCCESS, "", PolicyError.CHANGE_AFTER_RESET)
        self.directory.results[self.alice.dn] = result
        self.assertEqual(self.check().condition, "credentials-expired")

    def test_unreadable(self) -> None:
        """Who may not read the own entry is told to the operator."""
        for code in (ResultCode.NO_SUCH_OBJECT, ResultCode.INSUFFICIENT_ACCESS_RIGHTS):
            self.directory.searched = Result(code)
            self.assertIn("may not read its own entry", str(self.check()))
        self.directory.searched = Result(ResultCode.SUCCESS)
        self.directory.entries.clear()
        self.assertIn("may not read its own entry", str(self.check()))

    def test_no_accounts(self) -> None:
        """Nobody can say who is a user: there are no keys, tokens and certificates."""
        self.assertFalse(IAccounts.providedBy(self.backend))
        self.assertIsNone(self.outcome(self.backend.scram_keys("alice", "SCRAM-SHA-256")))
