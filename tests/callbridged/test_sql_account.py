"""Tests for `callbridged.backends.sql.account`, `rows`, and what `hashes` takes for a hash."""

from __future__ import annotations

import base64
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import BackendUnavailable, BrokenAccount
from callbridged.backends.sql.account import Account, read_account
from callbridged.backends.sql.hashes import Argon2Hash, BcryptHash, ScramSecret, parse_hash
from callbridged.backends.sql.rows import MAX_ROWS, Rows
from callbridged.scram_keys import SCHEMES, ScramKeys
from callbridged.scram_text import format_keys

MEMORY = 128 << 20
KEYS = {scheme: ScramKeys.derive(scheme, "wonderland", 4096) for scheme in SCHEMES}
TEXT = {scheme: format_keys(scheme, keys) for scheme, keys in KEYS.items()}
ARGON2 = f"$argon2id$v=19$m=65536,t=3,p=4${'A' * 22}${'B' * 43}"
BCRYPT = f"$2b$12${'a' * 53}"
SHA_256 = KEYS["SCRAM-SHA-256"]
PARTS = ("salt", "iterations", "stored_key", "server_key")


def account(columns: str, *rows: tuple[object, ...], asked: str = "alice") -> Account:
    found = read_account(asked, Rows(columns.split(), rows), MEMORY)
    assert found is not None
    return found


class Accounts(SynchronousTestCase):
    """What rows say."""

    def broken(self, columns: str, *rows: tuple[object, ...]) -> str:
        fault = self.assertRaises(BrokenAccount, account, columns, *rows)
        self.assertIn("answers for 'alice' cannot be used, column ", str(fault))
        return str(fault)

    def test_nobody(self) -> None:
        """No row is no user."""
        for columns in (["scram"], []):
            self.assertIsNone(read_account("alice", Rows(columns, []), MEMORY))

    def test_scram(self) -> None:
        """Keys are read as text; several mechanisms are in several rows, or columns."""
        one = account("name SCRAM", ("x", TEXT["SCRAM-SHA-256"]))
        self.assertEqual(one.scram, {"SCRAM-SHA-256": SHA_256})
        several = account("scram", *((text,) for text in TEXT.values()))
        self.assertEqual(several.scram, KEYS)
        beside = account(
            "scram_sha_1 scram_sha_256 scram_sha_512",
            (TEXT["SCRAM-SHA-1"], TEXT["SCRAM-SHA-256"], None),
        )
        self.assertEqual(set(beside.scram), {"SCRAM-SHA-1", "SCRAM-SHA-256"})
        self.assertEqual(several.checkable, ScramSecret("SCRAM-SHA-256", SHA_256))

    def test_parts(self) -> None:
        """Keys may be in their parts, as octets or base64; their length says the mechanism."""
        for scheme, keys in KEYS.items():
            octets = (keys.salt, keys.iterations, keys.stored_key, keys.server_key)
            self.assertEqual(account(" ".join(PARTS), octets).scram, {scheme: keys})
            text = [
                base64.b64encode(one).decode() + " " if isinstance(one, bytes) else one
                for one in octets
            ]
            self.assertEqual(account(" ".join(PARTS), tuple(text)).scram, {scheme: keys})

    def test_hash(self) -> None:
        """A hash is checked in the place of keys; spaces of CHAR(n) and octets are no matter."""
        for written, read in ((ARGON2 + "   ", ARGON2), (BCRYPT.encode(), BCRYPT)):
            found = account("password_hash scram", (written, TEXT["SCRAM-SHA-256"]))
            self.assertEqual(found.password_hash, read)
            self.assertEqual(found.checkable, parse_hash(read, MEMORY))
            self.assertEqual(set(found.scram), {"SCRAM-SHA-256"})

    def test_no_password(self) -> None:
        """A user may have no password."""
        for empty in (None, "", "  "):
            found = account("password_hash scram", (empty, empty))
            self.assertEqual((found.checkable, found.scram), (None, {}))
        self.assertIsNone(account(" ".join(PARTS), (None,) * 4).checkable)

    def test_username(self) -> None:
        """Whom the user is let in as is in the column username, if there is one and not NULL."""
        for name, result in ((None, None), ("alice", None), ("a.liddell  ", "a.liddell")):
            found = account("username scram", (name, TEXT["SCRAM-SHA-256"]))
            self.assertEqual(found.username, result)
            self.assertEqual(found.scram["SCRAM-SHA-256"].username, result)

    def test_refusal(self) -> None:
        """Accounts are disabled, or expired, by booleans or what SQLite has for them."""
        for disabled, expired, refusal in (
            (False, None, None),
            (0, 0, None),
            (True, True, "account-disabled"),
            (None, 1, "credentials-expired"),
        ):
            found = account("scram disabled expired", (TEXT["SCRAM-SHA-1"], disabled, expired))
            self.assertEqual(found.refusal, refusal)
            self.assertEqual(found.scram["SCRAM-SHA-1"].refusal, refusal)

    def test_fingerprint(self) -> None:
        """It changes with whatever is kept of the password, and with nothing else."""
        both = "password_hash scram username disabled"
        key = TEXT["SCRAM-SHA-256"]
        first = account(both, (ARGON2, key, None, False)).fingerprint()
        self.assertEqual(len(first), 32)
        self.assertEqual(first, account(both, (ARGON2, key, "bob", True)).fingerprint())
        others = {
            account(both, (BCRYPT, key, None, False)).fingerprint(),
            account(both, (ARGON2, TEXT["SCRAM-SHA-1"], None, False)).fingerprint(),
            account(both, (ARGON2, None, None, False)).fingerprint(),
            account(both, (None, key, None, False)).fingerprint(),
            account(both, (None, None, None, False)).fingerprint(),
        }
        self.assertEqual(len(others - {first}), 5)

    def test_wrong_columns(self) -> None:
        """A query without the columns is not one user's fault, and says which there are. It shows
        also where there is no such user."""
        for columns, said in (
            ("name mail", "there is no column scram or password_hash"),
            ("salt stored_key server_key", "beside the column salt these are missing: iterations"),
            ("scram username Username", "the column username is there twice"),
        ):
            fault = self.assertRaises(
                BackendUnavailable, read_account, "alice", Rows(columns.split(), []), MEMORY
            )
            self.assertNotIsInstance(fault, BrokenAccount)
            self.assertIn(said, str(fault))
            self.assertIn(columns.lower().replace(" ", ", "), str(fault))
            self.assertNotIn("alice", str(fault))

    def test_too_many(self) -> None:
        """A query that answers everybody is no user's fault either."""
        rows = Rows(["scram"], [(TEXT["SCRAM-SHA-256"],)] * (MAX_ROWS + 1))
        fault = self.assertRaises(BackendUnavailable, read_account, "alice", rows, MEMORY)
        self.assertIn("more than 16 rows", str(fault))

    def test_same_row_twice(self) -> None:
        """A join that finds the same user twice does no harm."""
        row = (TEXT["SCRAM-SHA-256"], ARGON2, "bob")
        self.assertEqual(account("scram password_hash username", row, row).username, "bob")

    def test_wrong_values(self) -> None:
        """A value that makes no sense is named by its column, and not shown."""
        good = (SHA_256.salt, 4096, SHA_256.stored_key, SHA_256.server_key)
        parts = " ".join(PARTS)
        key = TEXT["SCRAM-SHA-256"]
        for columns, row, said in (
            ("scram", ("hunter2",), "scram: the keys are not"),
            ("scram", (7,), "scram: it is int, and not text"),
            ("scram", (b"\xff",), "scram: the keys are not"),
            ("scram", ("x" * 2000,), "scram: it is longer than 1024"),
            (parts, (b"x" * 2000, *good[1:]), "salt: it is longer than 1024"),
            ("scram", (key.replace("4096", "4095"),), "scram: iterations go from"),
            ("password_hash", ("hunter2",), "password_hash: it is no whole hash"),
            ("password_hash", ("$5$rounds=1$x$y",), "password_hash: it is no whole hash"),
            ("password_hash", (BCRYPT[:-1],), "password_hash: it is no whole hash"),
            ("password_hash", (Decimal(1),), "password_hash: it is Decimal"),
            (parts, (None, *good[1:]), "a salt has at least"),
            (parts, (good[0], None, *good[2:]), "iterations: it is NoneType"),
            (parts, (good[0], "4096", *good[2:]), "iterations: it is str"),
            (parts, (good[0], True, *good[2:]), "iterations: it is bool"),
            (parts, (*good[:2], b"x", good[3]), "stored_key: no mechanism has keys of 1 octets"),
            (parts, (*good[:2], "???", good[3]), "stored_key: something in it is not base64"),
            (parts, (*good[:3], b"x"), "keys for SCRAM-SHA-256 have 32 octets"),
            ("scram disabled", (key, "no"), "disabled: it is str, and no boolean"),
            ("scram disabled", (key, 2), "disabled: it is int, and no boolean"),
            ("scram expired", (key, 0.5), "expired: it is float"),
            ("scram username", (key, " "), "username: it is empty"),
            ("scram username", (key, 5), "username: it is int"),
        ):
            fault = self.broken(columns, row)
            self.assertIn(said, fault)
            self.assertNotIn("hunter2", fault)

    def test_two_users(self) -> None:
        """Rows of two users are nobody's password."""
        other = format_keys("SCRAM-SHA-256", ScramKeys.derive("SCRAM-SHA-256", "x", 4096))
        key = TEXT["SCRAM-SHA-256"]
        for columns, rows, said in (
            ("scram", ((key,), (other,)), "scram: there are two SCRAM-SHA-256 keys"),
            ("password_hash", ((ARGON2,), (BCRYPT,)), "password_hash: there are different ones"),
            ("scram username", ((key, "Alice"), (key, None)), "username: there are different"),
        ):
            self.assertIn(said + "", self.broken(columns, *rows))

    @given(
        st.lists(st.sampled_from(["scram", "password_hash", "username", "disabled", *PARTS]))
        | st.just(list(PARTS)),
        st.lists(
            st.none()
            | st.integers()
            | st.binary()
            | st.text()
            | st.sampled_from([*TEXT.values(), ARGON2, BCRYPT]),
            min_size=12,
            max_size=12,
        ),
    )
    def test_anything(self, columns: list[str], values: list[object]) -> None:
        """Whatever a database answers is an account, or a fault of ours."""
        row = (values * 3)[: len(columns)]
        try:
            found = read_account("alice", Rows(columns, [row]), MEMORY)
        except BackendUnavailable:
            return
        assert found is not None
        found.fingerprint()


class Hashes(SynchronousTestCase):
    """What is taken for a hash; nothing is computed here."""

    def test_kinds(self) -> None:
        """Both are known by how they begin."""
        for text in (ARGON2, ARGON2.replace("id$v=19", "i$v=16")):
            self.assertEqual(parse_hash(text, MEMORY), Argon2Hash(text))
        for version in ("2a", "2b", "2y"):
            text = BCRYPT.replace("2b", version)
            self.assertEqual(parse_hash(text, MEMORY), BcryptHash(text))

    def test_secret(self) -> None:
        """A hash is in no log by accident."""
        self.assertNotIn("B" * 43, repr(parse_hash(ARGON2, MEMORY)))

    def test_too_much(self) -> None:
        """A hash that would take too much memory or time is not computed."""
        for before, after, said in (
            ("m=65536", "m=131073", "131073 KiB of memory, and hash_memory is 131072 KiB"),
            ("m=65536", "m=4294967295", "KiB of memory"),
            ("t=3", "t=17", "makes 17 passes over 65536 KiB"),
            ("t=3", "t=4294967295", "passes"),
            ("p=4", "p=17", "17 lanes"),
            ("m=65536,t=3,p=4", "m=16,t=3,p=4", "4 lanes for 16 KiB"),
        ):
            text = ARGON2.replace(before, after)
            fault = self.assertRaises(ValueError, parse_hash, text, MEMORY)
            self.assertIn(said, str(fault))
        parse_hash(ARGON2.replace("t=3", "t=16"), MEMORY)
        for cost in ("03", "16", "31", "99"):
            text = BCRYPT.replace("$12$", f"${cost}$")
            fault = self.assertRaises(ValueError, parse_hash, text, MEMORY)
            self.assertIn("from 4 to 15", str(fault))

    def test_decoys(self) -> None:
        """What takes as long has the same decoy, which is a hash like it."""
        for text, like, unlike in (
            (ARGON2, ARGON2.replace("B", "C"), ARGON2.replace("t=3", "t=4")),
            (BCRYPT, BCRYPT.replace("2b", "2y"), BCRYPT.replace("12", "11")),
        ):
            decoy = parse_hash(text, MEMORY).decoy()
            assert isinstance(decoy, Argon2Hash | BcryptHash)
            self.assertEqual(parse_hash(decoy.text, MEMORY), decoy)
            self.assertEqual(parse_hash(like, MEMORY).decoy(), decoy)
            self.assertNotEqual(parse_hash(unlike, MEMORY).decoy(), decoy)
            self.assertEqual(decoy.decoy(), decoy)
        other = ScramKeys.derive("SCRAM-SHA-256", "x", 4096)
        decoys = {
            ScramSecret("SCRAM-SHA-256", SHA_256).decoy(),
            ScramSecret("SCRAM-SHA-256", other).decoy(),
        }
        self.assertEqual(len(decoys), 1)
        self.assertFalse(decoys.pop().check("wonderland"))
