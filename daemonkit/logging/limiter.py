"""Keeps whoever repeats themselves from filling the log, and says how often they did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from daemonkit.logging.event import Event
from daemonkit.tasks import cancel

#: Seconds in which the lines of an event are counted.
WINDOW = 60.0


@dataclass
class _Window:
    """The lines of one event since its first one; ``left_out`` by key, None for further keys."""

    event: Event
    began: float
    admitted: Counter[tuple[str, ...]] = field(default_factory=Counter)
    in_all: int = 0
    left_out: Counter[tuple[str, ...] | None] = field(default_factory=Counter)
    timer: IDelayedCall | None = None


@dataclass(frozen=True)
class LeftOut:
    """``lines`` of an event were left out, ``most`` of them about ``key``, if one is known."""

    event: Event
    lines: int
    key: tuple[str, ...] | None
    most: int


class Limiter:
    """Counts the lines of each event, in all and by what its `Limit` tells apart.

    It remembers no more keys of an event than lines were let through.
    """

    def __init__(self, clock: IReactorTime, say: Callable[[LeftOut], None]) -> None:
        """``say`` is called once a window has passed from which lines were left out."""
        self._clock = clock
        self._say = say
        self._windows: dict[str, _Window] = {}

    def admits(self, event: Event, key: tuple[str, ...]) -> bool:
        """True where a line of ``event`` about ``key`` may be written; it is counted either way."""
        limit = event.limit
        if limit is None:
            return True
        now = self._clock.seconds()
        window = self._windows.get(event.name)
        if window is None or now - window.began >= WINDOW:
            if window is not None:
                self._end(window)
            window = self._windows[event.name] = _Window(event, now)
        if window.in_all < limit.in_all and window.admitted[key] < limit.each:
            window.in_all += 1
            window.admitted[key] += 1
            return True
        window.left_out[key if key in window.admitted else None] += 1
        if window.timer is None:
            left = window.began + WINDOW - now
            window.timer = self._clock.callLater(left, self._end, window)
        return False

    def finish(self) -> None:
        """Say what was left out until now: the log comes to its end."""
        for window in list(self._windows.values()):
            self._end(window)

    def _end(self, window: _Window) -> None:
        if self._windows.get(window.event.name) is window:
            del self._windows[window.event.name]
        timer, window.timer = window.timer, None
        if timer is None:
            return
        cancel(timer)
        known = {key: count for key, count in window.left_out.items() if key is not None}
        key = max(known, key=known.__getitem__, default=None)
        lines = window.left_out.total()
        self._say(LeftOut(window.event, lines, key, known[key] if key is not None else 0))
