"""Tokens in the place of passwords (FAST, XEP-0484): issued, checked and renewed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bridgewire.login import Token
from callbridged.events import NO_TOKEN
from callbridged.logins.token_store import Checked, Claim, TokenStore, TokenStoreFault

#: Runs a function with its arguments in a thread.
InThread = Callable[..., Deferred[Any]]


class Tokens(Service):
    """The tokens of one Call Bridge; another one does not know them."""

    log = Logger()

    def __init__(
        self,
        store: TokenStore,
        lifetime: float,
        in_thread: InThread,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """``lifetime``: of new tokens, in seconds; it may be changed.

        ``wall_clock``: seconds since 1970, as tokens outlive us.
        """
        self._store = store
        self.lifetime = lifetime
        self._in_thread = in_thread
        self._now = wall_clock

    def stopService(self) -> None:
        super().stopService()
        self._store.close()

    async def check(self, claim: Claim, *, invalidate: bool) -> Checked:
        """Answer what becomes of a client's claim. Raises TokenStoreFault."""
        checked: Checked = await self._in_thread(
            self._store.check, claim, self._now(), invalidate=invalidate
        )
        return checked

    def due(self, checked: Checked) -> bool:
        """True for a token that is to be replaced: half of its time is over."""
        return self._now() >= (checked.issued + checked.expiry) / 2

    async def issue(
        self, username: str, agent: str, mechanism: str, fingerprint: bytes
    ) -> Token | None:
        """Answer a new token; None, with a line in the log, where none can be kept."""
        try:
            secret, expiry = await self._in_thread(
                self._store.issue,
                username,
                agent,
                mechanism,
                fingerprint,
                self._now(),
                self.lifetime,
            )
        except TokenStoreFault as fault:
            self.log.warn(NO_TOKEN, why=str(fault))
            return None
        return Token(secret, datetime.fromtimestamp(expiry, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
