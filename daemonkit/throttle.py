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
`free` failures in each `window`, whatever it does.

A success clears nothing: who guesses may well have one good account.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds that an attempt is thought to be a failure that is still to come. One that takes longer
#: is slow, through no fault of its key, and holds up nobody.
HURRY = 1.0
#: Failures. Levels are computed from times, and come out a little off.
_TOLERANCE = 1e-6
#: Of the keys, what is forgotten at once when there are too many.
_TENTH = 10


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
    """One attempt, under way. Say how it ended, once: `failed`, or `over` for anything else."""

    _throttle: Throttle
    _key: Hashable
    _lane: _Lane
    began: float
    _ended: bool = False

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
            self._ended = True
            self._throttle._leave(self._key, self._lane, self)


@dataclass(eq=False)
class _Lane:
    """A key's attempts at the moment."""

    #: How many are under way, and those of them that began less than `HURRY` ago, in order.
    under_way: int = 0
    fresh: deque[Turn] = field(default_factory=deque)
    waiting: deque[Deferred[Turn]] = field(default_factory=deque)
    next_at: float = 0.0
    timer: IDelayedCall | None = None
    serving: bool = False


class Throttle:
    """Failures by key. Remembers at most ``size`` keys, and as many pauses."""

    def __init__(
        self,
        clock: IReactorTime,
        *,
        free: int,
        most: int,
        window: float,
        pause: float,
        slowest: float = 8.0,
        patience: float = 10.0,
        size: int = 50_000,
    ) -> None:
        """``free`` < ``most``: failures. ``window``, ``pause``, ``slowest``, ``patience``: seconds.

        ``slowest``: the longest time from one turn to the next. ``patience``: who would have to
        wait longer for a turn is refused at once.
        """
        self._clock = clock
        self._free = free
        self._most = most
        self._leak = free / window
        self._pause = pause
        self._slowest = slowest
        self._patience = patience
        self._size = size
        #: When a key's bucket will be empty, and when its next turn is. All leak alike, so the one
        #: that is empty first is the least harmful now and at any other time.
        self._buckets: dict[Hashable, tuple[float, float]] = {}
        #: When the fullest bucket that was forgotten will be empty. A key that is not remembered is
        #: taken to have had that one: nobody gets rid of failures by failing under many keys.
        self._forgotten = -math.inf
        #: When pauses end. All are as long, so the first in here ends first.
        self._pauses: dict[Hashable, float] = {}
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
        wait = self._ready_at(key, lane) - self._clock.seconds()
        if wait <= 0 and not lane.waiting:
            return self._begin(key, lane)
        wait = max(wait, 0.0) + len(lane.waiting) * self._gap(self.level(key))
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

    def level(self, key: Hashable) -> float:
        """Answer how many failures of ``key`` count now."""
        empty_at, _ = self._buckets.get(key, (self._forgotten, 0.0))
        return max(0.0, (empty_at - self._clock.seconds()) * self._leak)

    def paused(self, key: Hashable) -> float:
        """Answer how many seconds of a pause ``key`` has left."""
        return max(0.0, self._pauses.get(key, 0.0) - self._clock.seconds())

    def pauses(self) -> list[tuple[Hashable, float]]:
        """Answer who is paused, and for how many seconds more; the one that ends first in front."""
        self._end_pauses()
        now = self._clock.seconds()
        return [(key, end - now) for key, end in self._pauses.items()]

    def forgive(self, key: Hashable) -> bool:
        """Forget the failures of ``key``; True where it was paused."""
        was_paused = self.paused(key) > 0
        self._pauses.pop(key, None)
        self._buckets[key] = (-math.inf, 0.0)  # not as if it had never been seen
        lane = self._lanes.get(key)
        if lane is not None:
            lane.next_at = 0.0
            self._serve(key, lane)
        return was_paused

    def _count(self, key: Hashable) -> bool:
        """One more failure. True where a pause begins."""
        now = self._clock.seconds()
        level = min(self.level(key) + 1.0, self._most)
        if key not in self._buckets and len(self._buckets) >= self._size:
            self._make_room()
        self._buckets[key] = (now + level / self._leak, now + self._gap(level))
        self._end_pauses()
        may_go_on = level <= self._most - 1 + _TOLERANCE  # some has leaked out since the first
        if may_go_on or key in self._pauses or len(self._pauses) >= self._size:
            return False
        self._pauses[key] = now + self._pause
        lane = self._lanes.get(key)
        while lane is not None and lane.waiting:
            lane.waiting.popleft().errback(Refused(self._pause, paused=True))
        return True

    def _gap(self, level: float) -> float:
        """Answer the seconds from one turn to the next."""
        above = math.ceil(level - self._free - _TOLERANCE)
        return min(self._slowest, 2.0 ** min(above - 1, 30)) if above > 0 else 0.0

    def _make_room(self) -> None:
        """Forget the least harmful; not one by one, since to look for them takes a while."""
        order = sorted(self._buckets, key=lambda key: self._buckets[key][0])
        for key in order[: len(order) // _TENTH + 1]:
            self._forgotten = max(self._forgotten, self._buckets.pop(key)[0])

    def _end_pauses(self) -> None:
        now = self._clock.seconds()
        while self._pauses and next(iter(self._pauses.values())) <= now:
            del self._pauses[next(iter(self._pauses))]

    def _ready_at(self, key: Hashable, lane: _Lane) -> float:
        """Answer when the next turn of ``key`` can be, if no other one ends before."""
        old = self._clock.seconds() - HURRY
        while lane.fresh and lane.fresh[0].began <= old:
            lane.fresh.popleft()
        at = max(lane.next_at, self._buckets.get(key, (0.0, 0.0))[1])
        # Should all of them fail, there is a pause: more would be too many.
        if len(lane.fresh) >= max(1.0, self._most - self.level(key)):
            at = max(at, lane.fresh[0].began + HURRY)
        return at

    def _begin(self, key: Hashable, lane: _Lane) -> Turn:
        now = self._clock.seconds()
        turn = Turn(self, key, lane, now)
        lane.under_way += 1
        lane.fresh.append(turn)
        lane.next_at = now + self._gap(self.level(key))
        return turn

    def _leave(self, key: Hashable, lane: _Lane, turn: Turn) -> None:
        lane.under_way -= 1
        if turn in lane.fresh:
            lane.fresh.remove(turn)
        self._serve(key, lane)

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
        if lane.timer is not None and lane.timer.active():
            lane.timer.cancel()
        lane.timer = None
        if lane.waiting:
            wait = max(0.0, self._ready_at(key, lane) - self._clock.seconds())
            lane.timer = self._clock.callLater(wait, self._serve, key, lane)
        elif not lane.under_way and self._lanes.get(key) is lane:
            del self._lanes[key]
