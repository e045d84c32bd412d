"""Against guessing at passwords: failed logins of an account slow its logins down, then pause them.

From a network where the account has logged in before, its failures count apart: who guesses from
elsewhere does not lock the owner out. `xmppd` counts failures by network alone, before it asks us.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from callbridged.attempt import waiting
from callbridged.events import ACCOUNT_PAUSED
from daemonkit.networks import network_of
from daemonkit.throttle import Refused, Throttle, Turn
from daemonkit.throttle_limits import ThrottleLimits
from daemonkit.units import format_duration

#: Accounts with a network that they have logged in from, and failures, that are remembered.
MAX_REMEMBERED = 50_000
#: Seconds that a login waits for its turn; its place among those under way is taken for as long.
PATIENCE = 3.0
#: Logins that wait for a turn at the same time; more are refused at once.
MAX_WAITING = 50
#: ``[failed_logins]`` of an account.
FAILED_LOGINS = ThrottleLimits(free=5, most=20, window=600.0, pause=600.0)


class TooManyFailures(Exception):
    """The login is not looked at, now; `temporary-auth-failure`. The text is for the log.

    ``seconds``: after which it may be tried again.
    """

    def __init__(self, text: str, seconds: float = PATIENCE) -> None:
        super().__init__(text)
        self.seconds = seconds


class Guessing:
    """Failures by account, over all logins."""

    log = Logger()

    def __init__(self, clock: IReactorTime, limits: ThrottleLimits) -> None:
        self._throttle = Throttle(clock, limits, patience=PATIENCE, size=MAX_REMEMBERED)
        self._limits = limits
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._waiting = 0
        #: How many logins were not looked at.
        self.refused = 0

    def reconfigure(self, limits: ThrottleLimits) -> None:
        """Count by other limits from now on. What was counted before still is."""
        self._throttle.set_limits(limits)
        self._limits = limits

    def begin(self, peer: str | None, shared: frozenset[str] = frozenset()) -> Guess:
        """Answer what watches over one login from the address ``peer``.

        ``shared``: accounts that belong to nobody. Their failures count by network only.
        """
        return Guess(self, network_of(peer or ""), shared)

    def paused(self) -> list[tuple[str, str | None, float]]:
        """Answer the accounts whose logins are paused, from which network, for how many seconds.

        No network: from wherever they have not logged in before.
        """
        return [
            (key[0], key[1], left) if isinstance(key, tuple) else (str(key), None, left)
            for key, left in self._throttle.pauses()
        ]

    def forgive(self, username: str) -> bool:
        """Forget the failures of an account, from wherever; True where it was paused."""
        networks = [network for user, network, _ in self.paused() if user == username]
        keys = {username if one is None else (username, one) for one in (None, *networks)}
        was_paused = [self._throttle.forgive(key) for key in keys]
        return any(was_paused)

    async def turn(self, username: str, network: str, *, shared: bool) -> Turn:
        """Wait until a login may be looked at. Raises TooManyFailures."""
        key: Hashable = username
        if shared or self.knows(username, network):
            key = (username, network)
        if self._waiting >= MAX_WAITING and not self._throttle.ready(key):
            self.refused += 1
            raise TooManyFailures("too many wait for their turns after failed logins")
        self._waiting += 1
        try:
            with waiting("pause"):
                return await self._throttle.turn(key)
        except Refused as refused:
            self.refused += 1
            what = "logins of this account are paused after" if refused.paused else "there were"
            text = f"{what} too many failed ones; not before {format_duration(refused.seconds)}"
            raise TooManyFailures(text, refused.seconds) from None
        finally:
            self._waiting -= 1

    def knows(self, username: str, network: str) -> bool:
        """True where the account has logged in from there before."""
        return (username, network) in self._known

    def ready(self, username: str, network: str) -> bool:
        """True where a login would be looked at at once, with nobody guessing."""
        key = (username, network) if self.knows(username, network) else username
        return self._throttle.ready(key)

    def succeeded(self, username: str, network: str) -> None:
        """Somebody has logged in from there, and may do so while others guess elsewhere."""
        self._known[username, network] = None
        self._known.move_to_end((username, network))
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)

    def say_paused(self, username: str, network: str) -> None:
        """Log that a pause begins."""
        self.log.warn(
            ACCOUNT_PAUSED,
            user=username[:64],
            pause=format_duration(self._limits.pause),
            most=self._limits.most,
            network=network or "an unknown address",
        )


class Guess:
    """One login, watched over."""

    def __init__(self, guessing: Guessing, network: str, shared: frozenset[str]) -> None:
        self._guessing = guessing
        self._network = network
        self._shared = shared
        self._username = ""
        self._turn: Turn | None = None

    async def enter(self, username: str) -> None:
        """Call before anything is looked up that a password can be tried on.

        Raises TooManyFailures.
        """
        shared = username in self._shared
        self._username = username
        self._turn = await self._guessing.turn(username, self._network, shared=shared)

    def hold(self) -> None:
        """The next message is the client's. An exchange that is left open may still be a guess."""
        if self._turn is not None:
            self._turn.hold()

    def resume(self) -> None:
        """It has come."""
        if self._turn is not None:
            self._turn.resume()

    def ended(self, outcome: str) -> bool:
        """The login is over: ``success``, or the SASL condition that it failed with.

        True where a pause begins.
        """
        turn, self._turn = self._turn, None
        if turn is None:
            return False
        if outcome == "not-authorized":
            begins = turn.failed()
            if begins:
                self._guessing.say_paused(self._username, self._network)
            return begins
        if outcome == "success" and self._username not in self._shared:
            self._guessing.succeeded(self._username, self._network)
        turn.over()
        return False
