"""Guests: who is let in without an account, for how long, and by which name.

With an access code, the code is the password of the account ``guest``, for PLAIN and SCRAM alike;
without one, ANONYMOUS (RFC 4505) is answered. Whoever is let in gets a name of their own. The names
``guest`` and ``guest<digits>`` are kept for that: a user of the backend who has one cannot log in.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from callbridged.events import GUESTS_FULL, GUESTS_OF_NETWORK_FULL
from callbridged.scram_keys import SCHEMES, ScramKeys, normal_password
from daemonkit.networks import network_of

#: The account that the access code is for; what is let in is called this and some digits.
ACCOUNT = "guest"
#: Digits in a name: nobody guesses the one of somebody else, nor gets the same one twice.
DIGITS = 10

_RESERVED = re.compile(r"guest[0-9]*")


class GuestsFull(Exception):
    """As many guests as there may be are there."""


@dataclass(frozen=True)
class Guest:
    """One guest; ``session``: the SASL session, ``ends``: in seconds of the clock."""

    name: str
    session: str
    peer: str | None
    since: datetime
    ends: float
    timer: IDelayedCall


class Guests:
    """The guests that are there. One whose link is lost stays for its lifetime: its session may
    well go on at the XMPP server."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        access_code: str = "",
        maximum: int = 100,
        lifetime: float = 28800,
        maximum_per_network: int = 50,
    ) -> None:
        """``access_code`` empty: anybody is let in, by ANONYMOUS. ``lifetime`` in seconds.

        A network is an IPv4 address or an IPv6 /64.

        Raises:
            ValueError: the access code cannot be a password.
        """
        self._clock = clock
        self._code: bytes | None = None
        self._keys: dict[str, ScramKeys] = {}
        self._guests: dict[str, Guest] = {}
        #: How many were not let in, since there were too many, or too many of their network.
        self.refused = self.refused_by_network = 0
        self.reconfigure(access_code, maximum, lifetime, maximum_per_network)

    def reconfigure(
        self, access_code: str, maximum: int, lifetime: float, maximum_per_network: int
    ) -> None:
        """Let in by these from now on. Who is there stays, for as long as was said then.

        Raises:
            ValueError: the access code cannot be a password.
        """
        code = _digest(normal_password(access_code)) if access_code else None
        if code != self._code:
            self._code = code
            self._keys = {
                scheme: ScramKeys.derive(scheme, access_code) for scheme in SCHEMES if access_code
            }
        self.lifetime = lifetime
        self._maximum = maximum
        self._maximum_per_network = maximum_per_network

    @property
    def anonymous(self) -> bool:
        """True where no access code is needed."""
        return self._code is None

    def reserves(self, username: str) -> bool:
        """True for names that no user of a backend may have."""
        return _RESERVED.fullmatch(username) is not None

    def scram_keys(self, username: str, scheme: str) -> ScramKeys | None:
        """Answer the access code's keys, for the account ``guest``."""
        return self._keys.get(scheme) if username == ACCOUNT else None

    def check_password(self, username: str, password: str) -> bool:
        """True where this is the access code for the account ``guest``. Takes the same time for
        every code."""
        try:
            given = _digest(normal_password(password))
        except ValueError:
            return False
        right = hmac.compare_digest(given, self._code or secrets.token_bytes(len(given)))
        return right and username == ACCOUNT

    def admit(self, session: str, peer: str | None) -> Guest:
        """Let one in.

        Raises:
            GuestsFull: with a line in the log.
        """
        self._check_room(peer)
        name = self._new_name()
        while name in self._guests:
            name = self._new_name()
        guest = Guest(
            name,
            session,
            peer,
            datetime.now(UTC),
            self._clock.seconds() + self.lifetime,
            self._clock.callLater(self.lifetime, self.leave, name),
        )
        self._guests[name] = guest
        return guest

    def ended(self, name: str, session: str) -> None:
        """The XMPP server says that this guest's session is over."""
        guest = self._guests.get(name)
        if guest is not None and guest.session == session:
            self.leave(name)

    def leave(self, name: str) -> None:
        """Make room, if there is such a guest."""
        guest = self._guests.pop(name, None)
        if guest is not None and guest.timer.active():
            guest.timer.cancel()

    def __len__(self) -> int:
        """How many are there."""
        return len(self._guests)

    def status(self) -> list[dict[str, object]]:
        """Answer what ``callbridgectl guests --json`` prints, the longest there first."""
        now = self._clock.seconds()
        return [
            {
                "name": one.name,
                "peer": one.peer,
                "since": one.since.isoformat(timespec="seconds"),
                "seconds_left": round(one.ends - now),
            }
            for one in self._guests.values()
        ]

    def _check_room(self, peer: str | None) -> None:
        if len(self._guests) >= self._maximum:
            self.refused += 1
            self.log.warn(GUESTS_FULL, count=len(self._guests))
            raise GuestsFull
        network = network_of(peer or "")
        there = sum(network_of(one.peer or "") == network for one in self._guests.values())
        if there >= self._maximum_per_network:
            self.refused_by_network += 1
            self.log.warn(GUESTS_OF_NETWORK_FULL, network=network, count=there)
            raise GuestsFull

    def _new_name(self) -> str:
        return f"{ACCOUNT}{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode("utf-8")).digest()
