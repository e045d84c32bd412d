"""Keeps whoever repeats themselves from filling the log."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger


class Quiet:
    """Lets one event per key through in each ``window`` seconds, and counts the others.

    Remembers at most ``size`` keys, so that peers cannot fill the memory either.
    """

    def __init__(self, clock: IReactorTime, window: float = 60.0, size: int = 512) -> None:
        self._clock = clock
        self._window = window
        self._size = size
        self._seen: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def warn(self, log: Logger, key: Hashable, text: str, /, **fields: object) -> None:
        """Log a warning, as ``log.warn(text, **fields)``, unless ``key`` had its turn already."""
        held_back = self._admit(key)
        if held_back is not None:
            more = f" (and {held_back} more like this)" if held_back else ""
            log.warn(text + "{more}", more=more, **fields)

    def _admit(self, key: Hashable) -> int | None:
        """Answer None where the event is to be left out, else how many before it were."""
        now = self._clock.seconds()
        last, held_back = self._seen.get(key, (-self._window, 0))
        if now - last < self._window:
            self._seen[key] = (last, held_back + 1)
            return None
        self._seen[key] = (now, 0)
        self._seen.move_to_end(key)
        if len(self._seen) > self._size:
            self._seen.popitem(last=False)
        return held_back
