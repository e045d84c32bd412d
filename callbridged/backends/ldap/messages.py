"""What LDAP messages say, and what makes and reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from callbridged.backends.ldap.interface import Entry, Result, Search


@dataclass(frozen=True)
class Done:
    """The last answer to a request. ``value``: of an extended operation."""

    result: Result
    value: bytes = b""


@dataclass(frozen=True)
class Reference:
    """Part of what was searched is elsewhere (RFC 4511 section 4.5.3)."""


@dataclass(frozen=True)
class Notice:
    """Nobody asked for it: the directory is about to close the connection, and says why."""

    result: Result


Answer = Entry | Reference | Done | Notice


class Codec(Protocol):
    """The messages of one connection, with one request at a time; no I/O."""

    def start_tls(self) -> bytes:
        """Answer the request for TLS (RFC 4511 section 4.14)."""

    def bind(self, dn: str, password: str) -> bytes:
        """Answer a request for a simple bind, which asks for the password policy's state, too."""

    def search(self, search: Search, seconds: int) -> bytes:
        """Answer a request for a search that may take the server so long. Raises ValueError."""

    def who_am_i(self) -> bytes:
        """Answer the question whom the directory takes us for (RFC 4532)."""

    def decode(self, message: bytes) -> Answer:
        """Answer what a whole message says. Raises NotLdap."""

    def close(self) -> None:
        """It is of no use any more."""
