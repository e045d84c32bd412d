"""Against guessing at administrators' passwords: by account, and by network.

From a network where an account has signed in before, only its own failures there count: who guesses
from elsewhere, or at other names, does not lock its owner out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from http import HTTPStatus

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from callbridged.events import ADMIN_PAUSED
from callbridged.logins.guessing import FAILED_LOGINS, Guess, Guessing, TooManyFailures
from callbridged.web.access import Denied
from daemonkit.networks import network_of
from daemonkit.throttle import Refused, Throttle, Turn
from daemonkit.throttle_limits import ThrottleLimits
from daemonkit.units import format_duration

#: Failures of one network, at whichever names.
NETWORK_LIMITS = ThrottleLimits(free=20, most=50, window=600.0, pause=300.0)
#: Seconds that a request waits for its turn.
PATIENCE = 3.0


class _Accounts(Guessing):
    """Failures by name, be it an account's or not."""

    def say_paused(self, username: str, network: str) -> None:
        """`Attempt` says it, who knows whether that is an account's name."""


@dataclass
class Attempt:
    """One password that is tried. Say how it ended, once.

    ``account``: whose; empty where there is none. What was typed then may be a password.
    """

    guard: Guard
    account: str
    network: str
    guess: Guess
    turn: Turn | None

    def succeeded(self) -> None:
        """It was right."""
        self.guess.ended("success")
        self.over()

    def failed(self) -> bool:
        """It was wrong. True where a pause begins, which is in the log then."""
        of_name = self.guess.ended("not-authorized")
        if of_name:
            who = repr(self.account) if self.account else "an unknown name"
            self.guard.say_paused(who, self.network, FAILED_LOGINS)
        of_network = self.turn is not None and self.turn.failed()
        if of_network:
            self.guard.say_paused("everybody", self.network, NETWORK_LIMITS)
        return of_name or of_network

    def over(self) -> None:
        """Nobody can say."""
        self.guess.ended("")
        if self.turn is not None:
            self.turn.over()


class Guard:
    """Over all sign-ins, by whichever way."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._accounts = _Accounts(clock, FAILED_LOGINS)
        self._networks = Throttle(clock, NETWORK_LIMITS, patience=PATIENCE, size=10_000)

    async def turn(self, name: str, peer: str, account: str) -> Attempt:
        """Wait until a password of ``name`` may be tried from the address ``peer``.

        ``account``: as of `Attempt`.

        Raises:
            Denied: it may not, now.
        """
        network = network_of(peer)
        guess = self._accounts.begin(peer)
        turn = None
        try:
            if not self._accounts.knows(name, network):
                turn = await self._networks.turn(network)
            await guess.enter(name)
        except Refused as refused:
            raise _denied(refused.seconds) from None
        except TooManyFailures as failures:
            if turn is not None:
                turn.over()
            raise _denied(failures.seconds) from None
        return Attempt(self, account, network, guess, turn)

    def ready(self, name: str, peer: str) -> bool:
        """False where `turn` would wait, or refuse: nothing may tell a right password then."""
        return self._accounts.ready(name, network_of(peer))

    def say_paused(self, who: str, network: str, limits: ThrottleLimits) -> None:
        """Log that a pause begins."""
        pause = format_duration(limits.pause)
        self.log.warn(ADMIN_PAUSED, who=who, network=network, pause=pause)


def _denied(seconds: float) -> Denied:
    return Denied(
        HTTPStatus.TOO_MANY_REQUESTS,
        "paused",
        f"Too many sign-ins have failed. Try again in {format_duration(seconds)}.",
        ((b"retry-after", b"%d" % math.ceil(seconds)),),
    )
