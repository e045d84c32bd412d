"""Tests for `callbridged.logins.token_store`."""

from __future__ import annotations

import hmac
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from callbridged.logins import token_store
from callbridged.logins.token_store import (
    MAX_AGENTS,
    REMEMBERED,
    Checked,
    Claim,
    Outcome,
    TokenStore,
    TokenStoreFault,
)

MECHANISM = "HT-SHA-256-NONE"
PRINT = b"f" * 32


def claim(secret: str, username: str = "alice", agent: str = "phone") -> Claim:
    proof = hmac.digest(secret.encode(), b"Initiator", "sha256")
    return Claim(username, agent, MECHANISM, proof, b"", PRINT)


class StoreCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute() / "state"
        self.store = TokenStore(self.directory)
        self.addCleanup(self.store.close)

    def issue(self, username: str = "alice", agent: str = "phone", now: float = 0.0) -> str:
        return self.store.issue(username, agent, MECHANISM, PRINT, now, 100.0)[0]

    def outcome(self, secret: str, now: float = 1.0, **changes: object) -> Outcome:
        changed: Claim = replace(claim(secret), **changes)  # type: ignore[arg-type]
        return self.store.check(changed, now).outcome

    def rows(self) -> int:
        with sqlite3.connect(self.store.path) as database:
            count: int = database.execute("SELECT count(*) FROM token").fetchone()[0]
        database.close()
        return count


class Checks(StoreCase):
    """Which claims are right."""

    def test_right(self) -> None:
        """Whoever knows the token is right, and is answered with a proof of it."""
        secret, expiry = self.store.issue("alice", "phone", MECHANISM, PRINT, 5.0, 100.0)
        checked = self.store.check(claim(secret), 6.0)
        response = hmac.digest(secret.encode(), b"Responder", "sha256")
        self.assertEqual(checked, Checked(Outcome.RIGHT, response, 5.0, 105.0))
        self.assertEqual(expiry, 105.0)
        self.assertGreaterEqual(len(secret), 43)  # 256 bits

    def test_wrong(self) -> None:
        """Anything else is wrong: another token, user, user agent, mechanism or binding, and what
        is no proof at all."""
        secret = self.issue()
        self.assertEqual(self.outcome("x"), Outcome.WRONG)
        for changes in (
            {"username": "bob"},
            {"agent": "laptop"},
            {"mechanism": "HT-SHA-256-ENDP"},
            {"binding": b"x"},
            {"proof": b"x"},
            {"proof": b""},
        ):
            self.assertEqual(self.outcome(secret, **changes), Outcome.WRONG, changes)
        self.assertEqual(self.outcome(secret), Outcome.RIGHT)

    def test_no_file(self) -> None:
        """Before the first token nothing is right, and no file is made."""
        self.assertEqual(self.outcome("x"), Outcome.WRONG)
        self.assertFalse(self.directory.exists())

    def test_expired(self) -> None:
        """After its time a token is known to have run out; long after, it is not known at all."""
        secret = self.issue(now=0.0)
        self.assertEqual(self.outcome(secret, now=99.9), Outcome.RIGHT)
        self.assertEqual(self.outcome(secret, now=100.0), Outcome.EXPIRED)
        self.issue("bob", now=100.0 + REMEMBERED)
        self.assertEqual(self.rows(), 2)
        self.issue("bob", now=101.0 + REMEMBERED)
        self.assertEqual(self.outcome(secret), Outcome.WRONG)

    def test_new_password(self) -> None:
        """With another password the token has run out, for good; with no user, it is wrong."""
        secret = self.issue()
        self.assertEqual(self.outcome(secret, fingerprint=b"g" * 32), Outcome.EXPIRED)
        self.assertEqual(self.outcome(secret), Outcome.WRONG)
        secret = self.issue()
        self.assertEqual(self.outcome(secret, fingerprint=None), Outcome.WRONG)
        self.assertEqual(self.outcome(secret), Outcome.WRONG)


class Slots(StoreCase):
    """XEP-0484 section 5.1: the slots "current" and "new"."""

    def test_rotation(self) -> None:
        """The old token counts until the new one is used, and then no more."""
        old = self.issue(now=0.0)
        self.assertEqual(self.outcome(old), Outcome.RIGHT)
        new = self.issue(now=1.0)
        self.assertEqual(self.outcome(old), Outcome.RIGHT)
        self.assertEqual(self.outcome(new), Outcome.RIGHT)
        self.assertEqual(self.outcome(old), Outcome.WRONG)
        self.assertEqual(self.outcome(new), Outcome.RIGHT)

    def test_unused(self) -> None:
        """A new token that was not used makes room for the next one."""
        old = self.issue()
        self.outcome(old)
        lost, new = self.issue(), self.issue()
        self.assertEqual(self.outcome(lost), Outcome.WRONG)
        self.assertEqual(self.outcome(old), Outcome.RIGHT)
        self.assertEqual(self.outcome(new), Outcome.RIGHT)

    def test_invalidate(self) -> None:
        """A token that is used up is gone, and so is one that was to follow it."""
        old = self.issue()
        self.outcome(old)
        new = self.issue()
        laptop = self.issue(agent="laptop")
        self.assertEqual(self.store.check(claim(old), 1.0, invalidate=True).outcome, Outcome.RIGHT)
        self.assertEqual(self.outcome(old), Outcome.WRONG)
        self.assertEqual(self.outcome(new), Outcome.WRONG)
        self.assertEqual(self.outcome(laptop, agent="laptop"), Outcome.RIGHT)

    def test_wrong_does_not_invalidate(self) -> None:
        """Nobody invalidates a token that they do not know."""
        secret = self.issue()
        self.store.check(claim("x"), 1.0, invalidate=True)
        self.assertEqual(self.outcome(secret), Outcome.RIGHT)


class Bounds(StoreCase):
    """How many there may be."""

    def test_agents(self) -> None:
        """A user has so many user agents; the one that has not renewed for longest goes."""
        first = self.issue(agent="first", now=0.0)
        kept = [self.issue(agent=f"agent{n}", now=1.0 + n) for n in range(MAX_AGENTS - 1)]
        others = self.issue("bob", now=0.0)
        self.assertEqual(self.outcome(first, agent="first"), Outcome.RIGHT)
        self.issue(agent="last", now=99.0)
        self.assertEqual(self.outcome(first, agent="first"), Outcome.WRONG)
        self.assertEqual(self.outcome(kept[0], agent="agent0"), Outcome.RIGHT)
        self.assertEqual(self.outcome(others, username="bob"), Outcome.RIGHT)

    def test_in_all(self) -> None:
        """There are so many in all; those that run out first go."""
        self.patch(token_store, "MAX_TOKENS", 3)
        self.patch(token_store, "_COUNT_EVERY", 1)
        tokens = [self.issue(f"user{n}", now=float(n)) for n in range(5)]
        found = [self.outcome(one, username=f"user{n}") for n, one in enumerate(tokens)]
        self.assertEqual(found, [Outcome.WRONG] * 2 + [Outcome.RIGHT] * 3)


class Files(StoreCase):
    """The file, and what becomes of it."""

    def test_mode(self) -> None:
        """The file and its directory are for the daemon alone."""
        self.issue()
        for path in (self.store.path, *self.directory.glob("tokens.sqlite-*")):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)
        self.assertEqual(stat.S_IMODE(self.directory.stat().st_mode), 0o700)

    def test_restart(self) -> None:
        """Tokens outlive the daemon."""
        secret = self.issue()
        self.store.close()
        self.store = TokenStore(self.directory)
        self.addCleanup(self.store.close)
        self.assertEqual(self.outcome(secret), Outcome.RIGHT)

    def test_removed(self) -> None:
        """Who removes the file revokes all tokens, also of a daemon that runs."""
        secret = self.issue()
        for path in self.directory.glob("tokens.sqlite*"):
            path.unlink()
        self.assertEqual(self.outcome(secret), Outcome.WRONG)
        new = self.issue()
        self.assertEqual(self.outcome(secret), Outcome.WRONG)
        self.assertEqual(self.outcome(new), Outcome.RIGHT)

    def test_damaged(self) -> None:
        """What is no store is a fault in words, and works again when it is gone."""
        self.directory.mkdir(parents=True)
        self.store.path.write_bytes(b"nonsense" * 200)
        for work in (lambda: self.issue(), lambda: self.outcome("x")):
            self.assertIn("Remove it", str(self.assertRaises(TokenStoreFault, work)))
        self.store.path.unlink()
        self.issue()

    def test_newer(self) -> None:
        """A file of a newer version is left alone."""
        self.issue()
        self.store.close()
        with sqlite3.connect(self.store.path) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
        self.assertIn("newer version", str(self.assertRaises(TokenStoreFault, self.issue)))

    def test_no_directory(self) -> None:
        """A directory that cannot be made is a fault in words."""
        self.directory.parent.mkdir(parents=True)
        self.directory.write_text("in the way")
        self.assertIn("state_directory", str(self.assertRaises(TokenStoreFault, self.issue)))

    def test_nothing_shown(self) -> None:
        """No representation shows a proof."""
        self.assertNotIn("proof", repr(claim("x")))
