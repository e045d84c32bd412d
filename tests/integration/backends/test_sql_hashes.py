"""Password hashes of the sql: backend, against the libraries that others make hashes with."""

from __future__ import annotations

import argon2
import bcrypt
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import BackendUnavailable
from callbridged.backends.sql.hashes import USUAL_ARGON2, Checkable, parse_hash

MEMORY = 128 << 20


class Argon2Tests(SynchronousTestCase):
    """argon2-cffi."""

    def hash(self, password: str | bytes, **parameters: object) -> Checkable:
        small = {"time_cost": 1, "memory_cost": 64, "parallelism": 1}
        hasher = argon2.PasswordHasher(**(small | parameters))
        return parse_hash(hasher.hash(password), MEMORY)

    def test_check(self) -> None:
        """The right password is right as it was typed, and nothing else."""
        for kind in argon2.Type:
            kept = self.hash("käse €", type=kind)
            self.assertIs(kept.check("käse €"), True)
            for wrong in ("", "käse", "ka\u0308se €", "x" * 1024, "\0", "\ud800"):
                self.assertIs(kept.check(wrong), False)

    def test_defaults(self) -> None:
        """What the library makes by itself is taken, and its decoy is what it is thought to be."""
        kept = parse_hash(argon2.PasswordHasher().hash("x"), MEMORY)
        self.assertIs(kept.check("x"), True)
        self.assertEqual(kept.decoy(), USUAL_ARGON2)

    def test_decoy(self) -> None:
        """A decoy can be checked, and is nobody's."""
        self.assertIs(self.hash("x", salt_len=8, hash_len=12).decoy().check("x"), False)

    def test_broken(self) -> None:
        """What looks like a hash and is none is no wrong password."""
        broken = parse_hash(f"$argon2id$v=19$m=64,t=1,p=1${'A' * 13}${'A' * 21}", MEMORY)
        self.assertRaises(BackendUnavailable, broken.check, "x")


class BcryptTests(SynchronousTestCase):
    """bcrypt."""

    def hash(self, password: bytes, prefix: bytes = b"2b") -> str:
        hashed = bcrypt.hashpw(password, bcrypt.gensalt(4))
        return hashed.replace(b"2b", prefix, 1).decode()

    def test_check(self) -> None:
        """The right password is right, in any of bcrypt's spellings."""
        for prefix in (b"2a", b"2b", b"2y"):
            kept = parse_hash(self.hash("käse €".encode(), prefix), MEMORY)
            self.assertIs(kept.check("käse €"), True)
            for wrong in ("", "käse", "käse €\0", "\ud800"):
                self.assertIs(kept.check(wrong), False)

    def test_long(self) -> None:
        """Of a long password 72 octets count, as everywhere with bcrypt."""
        for password in ("x" * 100, "€" * 30):
            kept = parse_hash(self.hash(password.encode()[:72]), MEMORY)
            self.assertIs(kept.check(password), True)
            self.assertIs(kept.check("y" + password), False)

    def test_nul(self) -> None:
        """A hash of what stands before a NUL, as C programs make it, lets nobody in by more."""
        kept = parse_hash(self.hash(b"x"), MEMORY)
        self.assertIs(kept.check("x\0y"), False)
        kept = parse_hash(self.hash(b"\0y"), MEMORY)
        self.assertIs(kept.check("\0y"), False)

    def test_decoy(self) -> None:
        """A decoy can be checked, and is nobody's."""
        self.assertIs(parse_hash(self.hash(b"x"), MEMORY).decoy().check("x"), False)

    def test_broken(self) -> None:
        """What looks like a hash and is none is no wrong password."""
        broken = parse_hash(f"$2b$04${'a' * 53}", MEMORY)
        self.assertRaises(BackendUnavailable, broken.check, "x")
