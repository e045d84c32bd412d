"""What a password can be checked against: argon2 and bcrypt hashes, and SCRAM keys.

A hash that would take too much memory or time is refused before it is computed: whoever can write
to the database is not to stop the Call Bridge with one row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from callbridged.backends import BackendUnavailable
from callbridged.scram_keys import Decoys, ScramKeys

#: Memory is written to once in each pass: so many times `hash_memory` in all passes together.
MAX_PASSES_OVER_MEMORY = 8
#: Threads that one hash may start.
MAX_LANES = 16
#: It is an exponent: 15 takes between one and two seconds.
MAX_BCRYPT_COST = 15
#: bcrypt looks at so many octets of a password, wherever it is used.
BCRYPT_OCTETS = 72

_ARGON2 = re.compile(
    r"(?P<parameters>\$argon2(?:id|i|d)\$v=(?:16|19)\$m=(?P<memory>[1-9][0-9]{0,9})"
    r",t=(?P<passes>[1-9][0-9]{0,9}),p=(?P<lanes>[1-9][0-9]{0,7}))"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<digest>[A-Za-z0-9+/]{16,86})"
)
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}")


class MissingLibrary(BackendUnavailable):
    """The text says what to install."""


class Checkable(Protocol):
    """What a database keeps of a password."""

    def check(self, password: str) -> bool:
        """True for the right password. Takes its time. Raises BackendUnavailable."""

    def decoy(self) -> Checkable:
        """Answer what takes as long to check, and is nobody's.

        It is equal for all that take as long.
        """


@dataclass(frozen=True)
class ScramSecret:
    """SCRAM keys, to check a password against."""

    mechanism: str
    keys: ScramKeys

    def check(self, password: str) -> bool:
        """As `Checkable`."""
        return self.keys.check(self.mechanism, password)

    def decoy(self) -> Checkable:
        """As `Checkable`."""
        keys = Decoys(b"").keys("", self.mechanism, self.keys.iterations)
        return ScramSecret(self.mechanism, keys)


@dataclass(frozen=True)
class Argon2Hash:
    """``$argon2id$v=19$m=65536,t=3,p=4$...`` (RFC 9106)."""

    text: str = field(repr=False)

    def check(self, password: str) -> bool:
        """As `Checkable`."""
        argon2 = import_argon2()
        try:
            return bool(argon2.PasswordHasher().verify(self.text, _octets(password)))
        except argon2.exceptions.VerifyMismatchError:
            return False
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError) as error:
            raise BackendUnavailable(f"argon2 cannot use a hash: {error}") from None

    def decoy(self) -> Checkable:
        """As `Checkable`."""
        parameters, salt, digest = self.text.rsplit("$", 2)
        return Argon2Hash(f"{parameters}${'A' * len(salt)}${'A' * len(digest)}")


@dataclass(frozen=True)
class BcryptHash:
    """``$2b$12$...``, also ``$2a$`` and ``$2y$``."""

    text: str = field(repr=False)

    def check(self, password: str) -> bool:
        """As `Checkable`. Octets beyond `BCRYPT_OCTETS` never counted, and do not here either."""
        bcrypt = import_bcrypt()
        try:
            right = bcrypt.checkpw(_octets(password)[:BCRYPT_OCTETS], self.text.encode("ascii"))
        except ValueError:
            raise BackendUnavailable("bcrypt cannot use a hash") from None
        # Programs in C never saw what stands behind a NUL, so one hash may fit many passwords.
        return bool(right) and "\0" not in password

    def decoy(self) -> Checkable:
        """As `Checkable`."""
        return BcryptHash(f"$2b${self.text[4:6]}${'.' * 53}")


#: What RFC 9106 section 4 recommends where memory is scarce, and argon2-cffi does by itself.
USUAL_ARGON2 = Argon2Hash(f"$argon2id$v=19$m=65536,t=3,p=4${'A' * 22}${'A' * 43}")


def parse_hash(text: str, max_memory: int) -> Checkable:
    """Answer the hash. ``max_memory``: octets that one may take.

    Raises:
        ValueError: with a sentence that does not show the hash.
    """
    argon2 = _ARGON2.fullmatch(text)
    if argon2 is not None:
        memory, passes, lanes = (int(argon2[name]) for name in ("memory", "passes", "lanes"))
        _check_argon2(memory << 10, passes, lanes, max_memory)
        return Argon2Hash(text)
    bcrypt = _BCRYPT.fullmatch(text)
    if bcrypt is not None:
        cost = int(bcrypt["cost"])
        if not 4 <= cost <= MAX_BCRYPT_COST:
            raise ValueError(f"bcrypt's cost goes from 4 to {MAX_BCRYPT_COST}, and this is {cost}.")
        return BcryptHash(text)
    raise ValueError("it is no whole hash of argon2 ($argon2id$...) or bcrypt ($2b$...).")


def _check_argon2(octets: int, passes: int, lanes: int, max_memory: int) -> None:
    if octets > max_memory:
        raise ValueError(
            f"its argon2 hash takes {octets >> 10} KiB of memory, and hash_memory is "
            f"{max_memory >> 10} KiB."
        )
    if octets * passes > max_memory * MAX_PASSES_OVER_MEMORY:
        raise ValueError(
            f"its argon2 hash makes {passes} passes over {octets >> 10} KiB of memory, and no more "
            f"than {MAX_PASSES_OVER_MEMORY} over hash_memory are made."
        )
    if lanes > MAX_LANES or octets >> 10 < 8 * lanes:
        raise ValueError(f"its argon2 hash has {lanes} lanes for {octets >> 10} KiB of memory.")


def _octets(password: str) -> bytes:
    """A hash is over what was typed, as it was typed."""
    return password.encode("utf-8", "surrogatepass")


def import_argon2() -> Any:
    """Raises MissingLibrary."""
    return _import("argon2", "argon2-cffi", "argon2 hashes")


def import_bcrypt() -> Any:
    """Raises MissingLibrary."""
    return _import("bcrypt", "bcrypt", "bcrypt hashes")


def _import(module: str, library: str, what_for: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise MissingLibrary(
            f"{what_for} need a library. Run pip install {library} in the environment that "
            "callbridged runs in."
        ) from None
