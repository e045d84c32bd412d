"""What a SASL mechanism is to the login service: one exchange, message by message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bridgewire.jid import InvalidFormat, parse_jid
from bridgewire.login import TokenRequest
from bridgewire.steps import Reason
from bridgewire.username import parse_username
from callbridged.logins.directory import Directory
from callbridged.logins.guessing import Guess
from callbridged.logins.guests import Guests
from callbridged.logins.tokens import Tokens
from callbridged.logins.user_certificates import UserCertificates


class SaslFailure(Exception):
    """The login ends here. ``condition`` is from RFC 6120 section 6.5.

    ``text`` is for the log, and has nothing in it that is secret; empty: the condition says all.
    ``reason`` is for the client.
    """

    def __init__(self, condition: str, text: str = "", reason: Reason | None = None) -> None:
        super().__init__(text or condition)
        self.condition = condition
        self.text = text
        self.reason = reason


@dataclass(frozen=True)
class Challenge:
    """The exchange goes on; ``data`` None: an empty challenge."""

    data: bytes | None


@dataclass(frozen=True)
class Success:
    """``username`` is let in; ``data`` None: nothing more to say.

    ``renew``: the mechanism that the client should get a new token for, without having asked.
    """

    username: str
    data: bytes | None = None
    renew: str | None = None


Answer = Challenge | Success


@dataclass(frozen=True)
class Means:
    """What all exchanges of a Call Bridge are held with.

    ``certificates`` None: no EXTERNAL. ``guests`` None: nobody without an account. ``tokens`` None:
    no FAST.
    """

    users: Directory
    domain: str
    certificates: UserCertificates | None = None
    guests: Guests | None = None
    tokens: Tokens | None = None


@dataclass(frozen=True)
class Terms:
    """What one exchange is held on.

    ``channel_bindings``: data of the client's TLS connection, by type. ``offered``: the mechanisms
    that the client was shown; empty: nobody knows. ``certificate``: its own, in DER.
    ``token``: what it wants of its token. ``guess`` None: it may be a guess, and nobody minds.
    """

    means: Means
    channel_bindings: Mapping[str, bytes] = field(default_factory=dict)
    offered: tuple[str, ...] = ()
    certificate: bytes | None = None
    token: TokenRequest | None = None
    guess: Guess | None = None

    async def enter(self, username: str) -> None:
        """Call before a password of ``username``, or a proof of it, is looked at.

        Waits where there were failed logins of that account. Raises TooManyFailures.
        """
        if self.guess is not None:
            await self.guess.enter(username)

    @property
    def users(self) -> Directory:
        """Who may log in."""
        return self.means.users

    @property
    def domain(self) -> str:
        """The XMPP domain."""
        return self.means.domain


class Exchange(Protocol):
    """One exchange, the server's side."""

    #: Who claims to log in, once that is known; for the log.
    username: str

    async def take(self, data: bytes) -> Answer:
        """Take the client's next message. Raises SaslFailure, and whatever the backend raises."""


@dataclass(frozen=True)
class Mechanism:
    """How a mechanism is begun; ``name`` as it is offered, ``served`` where it can be.

    ``may_be_silent``: no initial response is as good as an empty one.
    """

    name: str
    begin: Callable[[Terms], Exchange]
    served: Callable[[Means], bool]
    may_be_silent: bool = False


def text_of(data: bytes) -> str:
    """Answer a message as text. Raises SaslFailure where it is none."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslFailure("malformed-request", "the message is not UTF-8") from None


def local_name(name: str) -> str:
    """Answer the localpart that the client means; what can be none is nobody's."""
    try:
        return parse_username(name)
    except ValueError:
        raise SaslFailure("not-authorized", "the user name cannot be one") from None


def check_authzid(authzid: str, username: str, domain: str) -> None:
    """Whoever asks to act as somebody may ask for themselves only (RFC 6120 section 6.3.8).

    Raises:
        SaslFailure: ``authzid`` is neither empty nor the user's own bare JID.
    """
    if not authzid:
        return
    try:
        asked = parse_jid(authzid)
    except InvalidFormat:
        asked = None
    if asked is None or (asked.user, asked.host, asked.resource) != (username, domain, None):
        raise SaslFailure("invalid-authzid", "the user asks to act as somebody else")
