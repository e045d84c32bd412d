"""SCRAM keys: what is kept of a password, and how a password is checked against it (RFC 5802)."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

from scramp import ScramException, ScramMechanism
from scramp.utils import saslprep

#: The mechanisms whose keys can be kept, the best one to check a password against first.
SCHEMES = ("SCRAM-SHA-256", "SCRAM-SHA-512", "SCRAM-SHA-1")
#: What new users get unless told otherwise.
ITERATIONS = 10_000
#: RFC 7677 section 4 asks for no fewer; beyond the other, one login would take seconds.
MIN_ITERATIONS = 4096
MAX_ITERATIONS = 10_000_000
#: Octets. Fewer than the minimum are refused, also by the SCRAM library.
SALT_OCTETS = 16
MIN_SALT_OCTETS = 12

#: Octets of the keys of a mechanism.
OCTETS = {name: ScramMechanism(name).hf().digest_size for name in SCHEMES}


def normal_password(password: str) -> str:
    """Answer a password as it counts (RFC 4013, SASLprep). Raises ValueError."""
    try:
        normal: str = saslprep(password)
    except ScramException as error:
        raise ValueError(error.args[0]) from None
    if not normal:
        raise ValueError("it is empty")
    return normal


@dataclass(frozen=True)
class ScramKeys:
    """What a server keeps of a password for one mechanism. Whoever has it can guess passwords.

    ``username``: the localpart that their user is let in as; None: the one that was asked for.
    ``refusal``: the condition that the client is told after a right proof, such as
    `account-disabled` (RFC 6120 section 6.5).
    """

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
    username: str | None = None
    refusal: str | None = None

    @classmethod
    def derive(
        cls,
        mechanism: str,
        password: str,
        iterations: int = ITERATIONS,
        salt: bytes | None = None,
    ) -> ScramKeys:
        """Make the keys for ``password``; with no ``salt``, a new random one. Takes milliseconds.

        Raises:
            ValueError: it cannot be a password (RFC 4013, SASLprep), or the numbers are bad.
        """
        if salt is None:
            salt = secrets.token_bytes(SALT_OCTETS)
        normal_password(password)
        try:
            made = ScramMechanism(mechanism).make_auth_info(password, iterations, salt)
        except ScramException as error:
            raise ValueError(error.args[0]) from None
        salt, stored_key, server_key, iterations = made
        return cls(salt, iterations, stored_key, server_key)

    def check(self, mechanism: str, password: str) -> bool:
        """True for the right password. Takes milliseconds, the same for a wrong one."""
        try:
            given = ScramKeys.derive(mechanism, password, self.iterations, self.salt)
        except ValueError:
            return False
        return hmac.compare_digest(given.stored_key, self.stored_key)

    def check_form(self, mechanism: str) -> None:
        """Raises ValueError with a sentence where these cannot be keys for ``mechanism``."""
        if not MIN_ITERATIONS <= self.iterations <= MAX_ITERATIONS:
            raise ValueError(f"iterations go from {MIN_ITERATIONS} to {MAX_ITERATIONS}.")
        if len(self.salt) < MIN_SALT_OCTETS:
            raise ValueError(f"a salt has at least {MIN_SALT_OCTETS} octets.")
        if {len(self.stored_key), len(self.server_key)} != {OCTETS[mechanism]}:
            raise ValueError(f"keys for {mechanism} have {OCTETS[mechanism]} octets.")


class Decoys:
    """Keys for users that do not exist: always the same for the same name, and never right.

    Without them, a server that answers the first message of SCRAM tells who exists. ``key`` has to
    stay the same over restarts, and should be the same at all Call Bridges that serve the users.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def keys(self, username: str, mechanism: str, iterations: int) -> ScramKeys:
        """Answer what looks like the keys of ``username``."""
        octets = OCTETS[mechanism]
        return ScramKeys(
            self._derive("salt", mechanism, username, SALT_OCTETS),
            iterations,
            self._derive("stored", mechanism, username, octets),
            self._derive("server", mechanism, username, octets),
        )

    def _derive(self, what: str, mechanism: str, username: str, octets: int) -> bytes:
        message = f"{what}\0{mechanism}\0{username}".encode()
        return hmac.digest(self._key, message, "sha512")[:octets]
