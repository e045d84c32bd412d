"""Failures by any key: how many of them count now, and who has had too many. No I/O.

Each key has a leaky bucket, from which `free` failures leak in each `window`. One with `most` in it
is paused. Memory is bounded, and nobody gets rid of failures by failing under many keys.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime

from daemonkit.throttle_limits import ThrottleLimits

#: Failures. Levels are computed from times, and come out a little off.
_TOLERANCE = 1e-6
#: Of the keys, what is forgotten at once when there are too many.
_TENTH = 10


class Failures:
    """Those of all keys. Remembers at most ``size`` keys, and as many pauses."""

    def __init__(
        self, clock: IReactorTime, limits: ThrottleLimits, *, slowest: float, size: int
    ) -> None:
        """See `daemonkit.throttle.Throttle`."""
        self._clock = clock
        self._limits = limits
        self._slowest = slowest
        self._size = size
        #: When a key's bucket will be empty, and when it may be tried next. All leak alike, so the
        #: one that is empty first is the least harmful now and at any other time.
        self._buckets: dict[Hashable, tuple[float, float]] = {}
        #: When the fullest bucket that was forgotten will be empty. A key that is not remembered is
        #: taken to have had that one.
        self._forgotten = -math.inf
        #: When pauses end. All are as long, so the first in here ends first.
        self._pauses: dict[Hashable, float] = {}

    @property
    def _leak(self) -> float:
        """Failures in a second."""
        return self._limits.free / self._limits.window

    def set_limits(self, limits: ThrottleLimits) -> None:
        """Go on with others: as many failures count as before, ``most`` at most."""
        now, leak = self._clock.seconds(), limits.free / limits.window

        def moved(empty_at: float) -> float:
            level = min((empty_at - now) * self._leak, limits.most)
            return now + level / leak if level > 0 else empty_at

        self._buckets = {key: (moved(at), next_at) for key, (at, next_at) in self._buckets.items()}
        self._forgotten = moved(self._forgotten)
        # Those that would end later than one that begins now end with it: they stay in order.
        self._pauses = {key: min(end, now + limits.pause) for key, end in self._pauses.items()}
        self._limits = limits

    def level(self, key: Hashable) -> float:
        """Answer how many failures of ``key`` count now; `most` at most."""
        empty_at, _ = self._buckets.get(key, (self._forgotten, 0.0))
        return max(0.0, (empty_at - self._clock.seconds()) * self._leak)

    def left(self, key: Hashable) -> int:
        """Answer how many more of ``key``, at once, begin a pause; 1 at least."""
        return max(1, math.floor(self._limits.most - self.level(key) + _TOLERANCE))

    def gap(self, key: Hashable) -> float:
        """Answer the seconds from one attempt of ``key`` to the next: 0, and then 1, 2, 4, ..."""
        return self._gap(self.level(key))

    def not_before(self, key: Hashable) -> float:
        """Answer when ``key`` may be tried again after its last failure."""
        return self._buckets.get(key, (0.0, 0.0))[1]

    def count(self, key: Hashable) -> bool:
        """Count one more. True where a pause begins."""
        now = self._clock.seconds()
        level = min(self.level(key) + 1.0, self._limits.most)
        if key not in self._buckets and len(self._buckets) >= self._size:
            self._make_room()
        self._buckets[key] = (now + level / self._leak, now + self._gap(level))
        self._end_pauses()
        may_go_on = (
            level <= self._limits.most - 1 + _TOLERANCE
        )  # some has leaked out since the first
        # With too many pauses the older ones stay: who has one does not get rid of it by making
        # others. Whoever gets none is still slowed down.
        if may_go_on or key in self._pauses or len(self._pauses) >= self._size:
            return False
        self._pauses[key] = now + self._limits.pause
        return True

    def paused(self, key: Hashable) -> float:
        """Answer how many seconds of a pause ``key`` has left."""
        return max(0.0, self._pauses.get(key, 0.0) - self._clock.seconds())

    def pauses(self) -> list[tuple[Hashable, float]]:
        """Answer who is paused, and for how many seconds more; the one that ends first in front."""
        self._end_pauses()
        now = self._clock.seconds()
        return [(key, end - now) for key, end in self._pauses.items()]

    def forgive(self, key: Hashable) -> bool:
        """Forget those of ``key``; True where it was paused."""
        was_paused = self.paused(key) > 0
        self._pauses.pop(key, None)
        if was_paused or key in self._buckets:
            self._buckets[key] = (-math.inf, 0.0)  # not as if it had never been seen
        return was_paused

    def _gap(self, level: float) -> float:
        above = math.ceil(level - self._limits.free - _TOLERANCE)
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
