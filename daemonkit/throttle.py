"""Slows down whoever fails again and again, by any key, and then refuses them for a while. No I/O.

::

    try:
        turn = await throttle.turn(key)     # mostly at once
    except Refused as refused:
        ...                                 # say that it may be tried again in refused.seconds
    right = await look()
    if right:
        turn.over()
    elif turn.failed():
        ...                                 # this failure began a pause: log it

Each key has a leaky bucket of failures. `free` failures at once cost nothing, and then as many in
each `window` as have leaked out. Above that, turns come ever further apart, also for those who ask
in parallel, and at `most` there are none for the time of a `pause`. So in the long run a key has
`free` failures in each `window`, whatever it does, where attempts are answered within `HURRY`.

A success clears nothing: who guesses may well have one good account.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from daemonkit.failures import Failures
from daemonkit.tasks import cancel
from daemonkit.throttle_limits import ThrottleLimits

#: Seconds that an attempt is taken for a failure that is still to come. One that takes longer is
#: slow, through no fault of its key, and holds up nobody.
HURRY = 1.0


class Refused(Exception):
    """No turn. ``seconds``: after which it may be tried again; ``paused``: the key has a pause.

    Otherwise so many wait for their turns that one more would wait for too long.
    """

    def __init__(self, seconds: float, *, paused: bool) -> None:
        super().__init__(f"not before {seconds:.0f} s")
        self.seconds = seconds
        self.paused = paused


@dataclass(eq=False)
class Turn:
    """One attempt, under way. Say how it ended, once: `failed`, or `over` for anything else.

    ``since``: when it began, or went on.
    """

    _throttle: Throttle
    _key: Hashable
    _lane: _Lane
    since: float
    _held: bool = False
    _ended: bool = False

    def hold(self) -> None:
        """The next move is its peer's: however long that takes, it may still become a failure."""
        if not self._ended and not self._held:
            self._held = True
            self._lane.held += 1
            self._lane.discard(self)

    def resume(self) -> None:
        """The peer has moved."""
        if self._held:
            self._held = False
            self._lane.held -= 1
            self.since = self._throttle._clock.seconds()
            self._lane.fresh.append(self)
            self._throttle._serve(self._key, self._lane)

    def failed(self) -> bool:
        """It failed, by a fault of its key's. True where this begins a pause."""
        if self._ended:
            return False
        begins = self._throttle._count(self._key)
        self.over()
        return begins

    def over(self) -> None:
        """It succeeded, or was given up, or nobody can say. No harm in saying so twice."""
        if not self._ended:
            self.resume()
            self._ended = True
            self._lane.discard(self)
            self._lane.under_way -= 1
            self._throttle._serve(self._key, self._lane)


@dataclass(eq=False)
class _Lane:
    """A key's attempts at the moment."""

    #: How many are under way, and of them: how many are held, and those that began, or went on,
    #: less than `HURRY` ago, in order.
    under_way: int = 0
    held: int = 0
    fresh: deque[Turn] = field(default_factory=deque)
    waiting: deque[Deferred[Turn]] = field(default_factory=deque)
    next_at: float = 0.0
    timer: IDelayedCall | None = None
    serving: bool = False

    def discard(self, turn: Turn) -> None:
        if turn in self.fresh:
            self.fresh.remove(turn)


class Throttle:
    """Failures by key. Remembers at most ``size`` keys, and as many pauses."""

    def __init__(
        self,
        clock: IReactorTime,
        limits: ThrottleLimits,
        *,
        slowest: float = 8.0,
        patience: float = 10.0,
        size: int = 50_000,
    ) -> None:
        """``slowest``: the longest time from one turn to the next, in seconds.

        ``patience``: who would have to wait longer for a turn is refused at once, in seconds.
        """
        self._clock = clock
        self._patience = patience
        self._failures = Failures(clock, limits, slowest=slowest, size=size)
        self._lanes: dict[Hashable, _Lane] = {}

    async def turn(self, key: Hashable) -> Turn:
        """Wait until ``key`` may try, and answer that attempt.

        May be cancelled.

        Raises:
            Refused: it may not, now. Also while it waits, when a pause begins.
        """
        left = self.paused(key)
        if left:
            raise Refused(left, paused=True)
        lane = self._lanes.setdefault(key, _Lane())
        ready_at, now = self._ready_at(key, lane), self._clock.seconds()
        if ready_at <= now and not lane.waiting:
            return self._begin(key, lane)
        gap = self._failures.gap(key)
        wait = gap * len(lane.waiting) + (max(0.0, ready_at - now) if ready_at < math.inf else gap)
        if wait > self._patience:
            self._tidy(key, lane)
            raise Refused(wait, paused=False)
        waiting: Deferred[Turn] = Deferred()
        lane.waiting.append(waiting)
        self._serve(key, lane)
        try:
            return await waiting
        except CancelledError:
            lane.waiting.remove(waiting)
            self._tidy(key, lane)
            raise

    def set_limits(self, limits: ThrottleLimits) -> None:
        """Go on with others. What was counted stays, and pauses become no longer than theirs."""
        self._failures.set_limits(limits)

    def ready(self, key: Hashable) -> bool:
        """True where a turn would come at once."""
        lane = self._lanes.get(key) or _Lane()
        ready_at = self._ready_at(key, lane)
        return not lane.waiting and not self.paused(key) and ready_at <= self._clock.seconds()

    def level(self, key: Hashable) -> float:
        """Answer how many failures of ``key`` count now; `most` at most."""
        return self._failures.level(key)

    def paused(self, key: Hashable) -> float:
        """Answer how many seconds of a pause ``key`` has left."""
        return self._failures.paused(key)

    def pauses(self) -> list[tuple[Hashable, float]]:
        """Answer who is paused, and for how many seconds more; the one that ends first in front."""
        return self._failures.pauses()

    def forgive(self, key: Hashable) -> bool:
        """Forget the failures of ``key``; True where it was paused."""
        was_paused = self._failures.forgive(key)
        lane = self._lanes.get(key)
        if lane is not None:
            lane.next_at = 0.0
            self._serve(key, lane)
        return was_paused

    def _count(self, key: Hashable) -> bool:
        """One more failure. True where a pause begins."""
        begins = self._failures.count(key)
        lane = self._lanes.get(key)
        while begins and lane is not None and lane.waiting:
            refused = Refused(self._failures.paused(key), paused=True)
            lane.waiting.popleft().errback(refused)
        return begins

    def _ready_at(self, key: Hashable, lane: _Lane) -> float:
        """Answer when the next turn of ``key`` can be, if no other one ends before."""
        old = self._clock.seconds() - HURRY
        while lane.fresh and lane.fresh[0].since <= old:
            lane.fresh.popleft()
        at = max(lane.next_at, self._failures.not_before(key))
        # Should all of them fail, there is a pause: more would be too many.
        if len(lane.fresh) + lane.held >= self._failures.left(key):
            at = max(at, lane.fresh[0].since + HURRY) if lane.fresh else math.inf
        return at

    def _begin(self, key: Hashable, lane: _Lane) -> Turn:
        now = self._clock.seconds()
        turn = Turn(self, key, lane, now)
        lane.under_way += 1
        lane.fresh.append(turn)
        lane.next_at = now + self._failures.gap(key)
        return turn

    def _serve(self, key: Hashable, lane: _Lane) -> None:
        """Let those go on who wait and whose turn it is."""
        if lane.serving:  # one that went on has come to an end at once
            return
        lane.serving = True
        while lane.waiting and self._ready_at(key, lane) <= self._clock.seconds():
            lane.waiting.popleft().callback(self._begin(key, lane))
        lane.serving = False
        self._tidy(key, lane)

    def _tidy(self, key: Hashable, lane: _Lane) -> None:
        """One timer, where somebody waits; and no lane where nobody is."""
        cancel(lane.timer)
        lane.timer = None
        if lane.waiting:
            ready_at = self._ready_at(key, lane)
            if ready_at < math.inf:  # else somebody has to move first
                wait = max(0.0, ready_at - self._clock.seconds())
                lane.timer = self._clock.callLater(wait, self._serve, key, lane)
        elif not lane.under_way and self._lanes.get(key) is lane:
            del self._lanes[key]
