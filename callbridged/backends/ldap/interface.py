"""What a connection to a directory is to the backend, in the words of RFC 4511."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from callbridged.backends import BrokenAccount
from callbridged.backends.ldap.settings import Scope

#: Is told what is waited for, such as "the answer to a search".
Say = Callable[[str], None]
#: Characters of a directory's own words, and of a DN, in the log.
SHOWN = 160


class ResultCode(IntEnum):
    """Of RFC 4511 section 4.1.9, those that are something special here."""

    SUCCESS = 0
    OPERATIONS_ERROR = 1
    PROTOCOL_ERROR = 2
    TIME_LIMIT_EXCEEDED = 3
    SIZE_LIMIT_EXCEEDED = 4
    STRONGER_AUTH_REQUIRED = 8
    REFERRAL = 10
    ADMIN_LIMIT_EXCEEDED = 11
    CONFIDENTIALITY_REQUIRED = 13
    CONSTRAINT_VIOLATION = 19
    NO_SUCH_OBJECT = 32
    INVALID_DN_SYNTAX = 34
    INAPPROPRIATE_AUTHENTICATION = 48
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS_RIGHTS = 50
    BUSY = 51
    UNAVAILABLE = 52
    UNWILLING_TO_PERFORM = 53


class PolicyError(IntEnum):
    """Of a password policy response control, what concerns binds (draft-behera, section 6.2)."""

    PASSWORD_EXPIRED = 0
    ACCOUNT_LOCKED = 1
    CHANGE_AFTER_RESET = 2


@dataclass(frozen=True)
class Result:
    """How an operation ended. ``text``: the directory's diagnostic message, safe to log.

    ``policy``: a `PolicyError`, or another number, where the directory sent one.
    """

    code: int
    text: str = ""
    policy: int | None = None

    def __str__(self) -> str:
        try:
            name = ResultCode(self.code).name.replace("_", " ").lower()
        except ValueError:
            name = "result"
        said = f": {self.text}" if self.text else ""
        return f"{name} ({self.code}){said}"


@dataclass(frozen=True)
class Entry:
    """One entry. ``attributes``: by name in lower case, as the directory has them.

    The getters raise BrokenAccount, which names the DN and the attribute.
    """

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]] = field(repr=False)

    def octets(self, name: str) -> bytes | None:
        """Answer the one value of an attribute, None where it has none."""
        values = self.attributes.get(name.lower(), ())
        if len(values) > 1:
            raise self.broken(name, f"it has {len(values)} values, and one is wanted")
        return values[0] if values else None

    def text(self, name: str) -> str | None:
        """Answer the one value of an attribute, which is UTF-8."""
        value = self.octets(name)
        try:
            return None if value is None else value.decode("utf-8")
        except UnicodeDecodeError:
            raise self.broken(name, "its value is not UTF-8") from None

    def number(self, name: str) -> int | None:
        """Answer the one value of an attribute, which is an integer."""
        value = self.text(name)
        if value is None:
            return None
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 20):
            raise self.broken(name, "its value is no whole number")
        return int(value)

    def broken(self, attribute: str, why: str) -> BrokenAccount:
        """Answer what to raise where an attribute cannot be used; ``why`` shows no value."""
        return BrokenAccount(f"the attribute {attribute} of {printable(self.dn)} is wrong: {why}")


@dataclass(frozen=True)
class Search:
    """What to search. ``limit``: entries that are wanted at most."""

    base: str
    scope: Scope
    filter: str
    attributes: tuple[str, ...]
    limit: int = 2


class Connection(Protocol):
    """One connection to a directory, under TLS if there is any. One operation at a time.

    Methods raise StepFailure where the connection does not survive, and close it when they are
    cancelled.
    """

    #: Of the server, for messages.
    name: str
    #: False once it is closed, by either side.
    usable: bool

    async def bind(self, dn: str, password: str) -> Result:
        """Bind with a simple password. Neither is empty."""

    async def search(self, search: Search) -> tuple[Result, tuple[Entry, ...]]:
        """Answer what was found, up to one more than was wanted. References are left out."""

    async def who_am_i(self) -> tuple[Result, str]:
        """Ask whom the directory takes us for (RFC 4532); empty: for nobody in particular."""

    def close(self) -> None:
        """At once; whatever is waited for fails."""


def printable(text: str) -> str:
    """Answer a foreign text for the log: bounded, on one line."""
    kept = "".join(one if one.isprintable() else "?" for one in text[:SHOWN])
    return kept if len(text) <= SHOWN else f"{kept}..."
