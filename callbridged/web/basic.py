"""Passwords that were right a moment ago: a script that asks each second costs one hash a while."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime

from callbridged.web.access import Caller
from callbridged.web.admins_file import Account
from daemonkit.networks import network_of

K = TypeVar("K")

#: Seconds after which a password is checked anew.
LIFETIME = 300.0
#: How many are remembered.
MOST = 100
#: Seconds after which it is said again that somebody uses the API from somewhere.
SAID_FOR = 24 * 3600.0


class Remembered:
    """By a hash of account, password and network, with a key that this process alone has.

    The account's mark is part of it: with another password, or role, nothing is remembered. And for
    who guesses from elsewhere nothing is.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._key = os.urandom(32)
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._said: OrderedDict[tuple[str, str], float] = OrderedDict()

    def has(self, account: Account, password: str, peer: str) -> bool:
        """True where this password was right, less than `LIFETIME` ago."""
        return self._until.get(self._hash(account, password, peer), 0.0) > self._clock.seconds()

    def keep(self, account: Account, password: str, peer: str) -> None:
        """It was right."""
        _put(self._until, self._hash(account, password, peer), self._clock.seconds() + LIFETIME)

    def is_news(self, caller: Caller) -> bool:
        """True once in `SAID_FOR` for each account and address."""
        key, now = (caller.name, network_of(caller.peer)), self._clock.seconds()
        if self._said.get(key, 0.0) > now:
            return False
        _put(self._said, key, now + SAID_FOR)
        return True

    def _hash(self, account: Account, password: str, peer: str) -> bytes:
        texts = account.name, network_of(peer), password
        parts = account.mark, *(one.encode("utf-8", "surrogatepass") for one in texts)
        hashed = hashlib.blake2b(key=self._key, digest_size=32)
        for part in parts:
            hashed.update(len(part).to_bytes(8, "big") + part)
        return hashed.digest()


def _put(times: OrderedDict[K, float], key: K, until: float) -> None:
    times[key] = until
    times.move_to_end(key)
    if len(times) > MOST:
        times.popitem(last=False)
