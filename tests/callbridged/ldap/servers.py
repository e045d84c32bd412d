"""Directory servers that tests type for, in a language that is easier to type than LDAP."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from callbridged.backends.ldap.connection import LdapConnection
from callbridged.backends.ldap.framing import NotLdap
from callbridged.backends.ldap.interface import Entry, Result, Search
from callbridged.backends.ldap.messages import Answer, Done, Notice, Reference
from callbridged.backends.ldap.words import Words
from tests.callbridged.ldap.directories import settings
from tests.support.memory import MemoryTransport


def message(text: str) -> bytes:
    """A text in the frame of an LDAP message."""
    content = text.encode()
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


class WordCodec:
    """Messages in words: ``bind cn=a``, ``done 0``, ``entry uid=b``, ``reference``, ``notice 52``.

    Provides `messages.Codec`.
    """

    closed = False

    def start_tls(self) -> bytes:
        return message("start tls")

    def bind(self, dn: str, password: str) -> bytes:
        return message(f"bind {dn}")

    def search(self, search: Search, seconds: int) -> bytes:
        return message(f"search {search.filter} {seconds}")

    def who_am_i(self) -> bytes:
        return message("who am i")

    def decode(self, octets: bytes) -> Answer:
        kind, _, rest = octets[4:].decode().partition(" ")
        if kind == "done":
            code, _, value = rest.partition(" ")
            return Done(Result(int(code)), value.encode())
        if kind == "entry":
            return Entry(rest, {})
        if kind == "reference":
            return Reference()
        if kind == "notice":
            return Notice(Result(int(rest)))
        raise NotLdap("What came makes no sense.")

    def close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


class TypedTransport(MemoryTransport):
    """Knows the options of TCP."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass


class TypedServer:
    """One connection, and the server at its other end."""

    def __init__(self) -> None:
        ours = settings()
        self.codec = WordCodec()
        words = Words(ours, ours.urls[0])
        self.connection = LdapConnection("ldap://ldap.example.com", self.codec, words, 5.0)
        self.transport = TypedTransport()
        self.connection.makeConnection(self.transport)

    def asked(self) -> str:
        """What came since the last time."""
        text = self.transport.value()[4:].decode()
        self.transport.clear()
        return text

    def say(self, *texts: str) -> None:
        """Send these messages in one piece."""
        self.connection.dataReceived(b"".join(map(message, texts)))

    def lose(self, reason: Exception | None = None) -> None:
        self.connection.connectionLost(Failure(reason or ConnectionDone()))


class Started:
    """Work under way. ``outcome``: its result, or what was raised."""

    def __init__(self, work: Any) -> None:
        self.outcome: Any = None
        self.deferred = Deferred.fromCoroutine(work)
        self.deferred.addBoth(self._done)

    def _done(self, outcome: Any) -> None:
        self.outcome = outcome.value if isinstance(outcome, Failure) else outcome
