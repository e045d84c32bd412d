"""Failed logins, by the network that they come from: it is slowed down, and then refused.

What counts is an exchange by a mechanism that can be guessed at, in which a Call Bridge has looked
and said no. Nobody can guess a token (HT-*), a certificate's key (EXTERNAL) or what a guest without
an access code proves (ANONYMOUS): such logins are neither counted nor refused, so that clients who
have tokens get in beside somebody who guesses from behind the same address.
"""

from __future__ import annotations

from collections.abc import Container

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from daemonkit.hosts import is_address
from daemonkit.networks import network_of
from daemonkit.throttle import Refused, Throttle, Turn
from daemonkit.throttle_limits import ThrottleLimits
from daemonkit.units import format_duration
from xmppd.events import LOGIN_PAUSED, LOGIN_REFUSED, NETWORK_PAUSED

#: Conditions (RFC 6120 section 6.5) that say that somebody has looked.
COUNTED = frozenset(
    {"account-disabled", "credentials-expired", "invalid-authzid", "not-authorized"}
)
_CANNOT_BE_GUESSED = ("ANONYMOUS", "EXTERNAL", "HT-")


class FailedLogins:
    """Those of all networks."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        limits: ThrottleLimits | None = None,
        unlimited: Container[str] = (),
    ) -> None:
        """``limits`` None: nothing is counted. ``unlimited``: addresses that are not counted.

        The proxies that are trusted must be among them: where one does not say who its client is,
        its own address stands for all of them.
        """
        self._clock = clock
        #: How many logins were refused.
        self.refused = 0
        self._throttle: Throttle | None = None
        self.reconfigure(limits, unlimited)

    def reconfigure(self, limits: ThrottleLimits | None, unlimited: Container[str]) -> None:
        """Count by other limits from now on. What was counted before still is, unless ``limits`` is
        None: then nothing is counted any more."""
        self._unlimited = unlimited
        if limits is None:
            self._throttle = None
        elif self._throttle is None:
            self._throttle = Throttle(self._clock, limits)
        else:
            self._throttle.set_limits(limits)

    def counts(self, peer: str, mechanism: str) -> bool:
        """True where a login from ``peer`` by ``mechanism`` has to wait for its turn."""
        return (
            self._throttle is not None
            and not mechanism.startswith(_CANNOT_BE_GUESSED)
            and is_address(peer)  # a UNIX socket has none
            and peer not in self._unlimited
        )

    async def turn(self, peer: str) -> Turn:
        """Wait until a login from ``peer`` may go on. May be cancelled.

        Raises:
            Refused: it may not. This is logged.
        """
        assert self._throttle is not None  # noqa: S101  `counts` says so
        network = network_of(peer)
        try:
            return await self._throttle.turn(network)
        except Refused as refused:
            self.refused += 1
            left = format_duration(refused.seconds)
            self.log.warn(LOGIN_PAUSED, peer=peer, network=network, left=left)
            raise

    def ended(self, turn: Turn, peer: str, mechanism: str, condition: str) -> None:
        """A login has ended with ``condition``, of RFC 6120 section 6.5; empty: with none."""
        if condition not in COUNTED:
            turn.over()
            return
        shown = peer.partition("%")[0]
        self.log.info(LOGIN_REFUSED, peer=shown, mechanism=mechanism, outcome=condition)
        if turn.failed():
            network = network_of(peer)
            pause = format_duration(self._left(network))
            self.log.warn(NETWORK_PAUSED, network=network, pause=pause)

    def _left(self, network: str) -> float:
        return self._throttle.paused(network) if self._throttle is not None else 0.0

    def pauses(self) -> list[tuple[str, float]]:
        """Answer the networks that are paused, for how many seconds each; the longest in front."""
        found = self._throttle.pauses() if self._throttle is not None else []
        return [(str(network), left) for network, left in reversed(found)]

    def forgive(self, network: str) -> bool:
        """Forget the failures of ``network`` (`network_of`); True where it was paused."""
        return self._throttle is not None and self._throttle.forgive(network)
