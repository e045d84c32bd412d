"""For whom a login waits, one after the other, and for how long. No I/O."""

from __future__ import annotations

from typing import Literal

from twisted.internet.interfaces import IReactorTime

#: ``pause``: its turn, after failed logins; ``client``: the client's next message. In xmppd:
#: ``room``: a Call Bridge that has room for it; ``callbridge``: the answer of one. In callbridged:
#: ``backend``: what user backends say.
Whom = Literal["pause", "room", "callbridge", "backend", "client"]


class Waits:
    """Those of one login, which begins now."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._began = self._since = clock.seconds()
        self._whom: Whom | None = None
        self._seconds: dict[str, float] = {}

    def turn_to(self, whom: Whom | None) -> None:
        """From now on ``whom`` is waited for; None: nobody."""
        now = self._clock.seconds()
        if self._whom is not None:
            self._seconds[self._whom] = self._seconds.get(self._whom, 0.0) + now - self._since
        self._whom, self._since = whom, now

    def total(self) -> float:
        """Answer the seconds since the beginning."""
        return self._clock.seconds() - self._began

    def by_whom(self) -> dict[str, float]:
        """Answer the seconds for each that was waited for at all, up to now."""
        self.turn_to(None)
        return {whom: seconds for whom, seconds in self._seconds.items() if seconds > 0}
