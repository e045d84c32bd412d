"""When a condition becomes an alarm, and when it is one no more. Pure.

An alarm is raised after its condition has held for a while without a gap, and cleared after it has
been gone for a while without a gap. So what comes and goes faster changes nothing.

A link that is refused, say, is also down. `Kind.LINK_DOWN` is not raised while another alarm says
why, and waits twice as long where one is about to. It is raised after all where the reasons change
so fast that none of them lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from callbridged.alarms.alarm import Alarm, Change, Condition, Key, Kind, What

#: Kinds that say why the link to a target is down.
_SAY_WHY = (Kind.CERTIFICATE, Kind.REGISTRATION_REFUSED, Kind.SECRET_DIFFERS)

#: Seconds. Who waits for what `Hysteresis.remaining` says may come too early by as much.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Delays:
    """Seconds that a condition has to hold, and to be gone."""

    raise_after: float
    clear_after: float


@dataclass
class _Known:
    """A condition; since when it has been there, or gone, in seconds of the clock.

    ``began``: the time of the day when it came. Without an alarm it is there.
    """

    condition: Condition
    since: float
    began: datetime
    there: bool = True
    alarm: Alarm | None = None


class Hysteresis:
    """The conditions that there are, and the alarms made of them."""

    def __init__(self, delays: Callable[[Kind], Delays]) -> None:
        """``delays`` may answer others from one call to the next."""
        self._delays = delays
        self._known: dict[Key, _Known] = {}

    @property
    def active(self) -> tuple[Alarm, ...]:
        """The alarms that are raised, oldest first."""
        alarms = [one.alarm for one in self._known.values() if one.alarm is not None]
        return tuple(sorted(alarms, key=lambda one: (one.since, one.kind, one.subject)))

    def update(
        self, conditions: Iterable[Condition], seconds: float, now: datetime
    ) -> list[Change]:
        """Take the conditions that hold at ``seconds`` of the clock, the time ``now``.

        Answers what has changed. To be called when they are others, and when `remaining` is over.
        """
        there = {one.key: one for one in conditions}
        for key, condition in there.items():
            known = self._known.setdefault(key, _Known(condition, seconds, now))
            known.condition = condition
        for key, known in list(self._known.items()):
            if known.there != (key in there):
                known.there, known.since = not known.there, seconds
            if not known.there and known.alarm is None:
                del self._known[key]
        changes = [
            self._settle(known, seconds, now) for known in sorted(self._known.values(), key=_order)
        ]
        for key, known in list(self._known.items()):
            if not known.there and known.alarm is None:
                del self._known[key]
        return [one for one in changes if one is not None]

    def remaining(self, seconds: float) -> float | None:
        """Answer after how many seconds an `update` brings something; None if only others may."""
        ends = [end for end in map(self._end, self._known.values()) if end is not None]
        return max(0.0, min(ends) - seconds) if ends else None

    def _end(self, known: _Known) -> float | None:
        """Answer when an alarm is raised, or cleared, if all stays as it is; None if never."""
        delays = self._delays(known.condition.kind)
        if known.alarm is not None:
            return None if known.there else known.since + delays.clear_after
        patience = delays.raise_after
        if known.condition.kind is Kind.LINK_DOWN:
            reasons = [self._known.get((kind, known.condition.subject)) for kind in _SAY_WHY]
            if any(one is not None and one.alarm is not None for one in reasons):
                return None
            if any(one is not None for one in reasons):
                patience *= 2
        return known.since + patience

    def _settle(self, known: _Known, seconds: float, now: datetime) -> Change | None:
        end = self._end(known)
        due = end is not None and seconds >= end - _ROUNDING
        before = known.alarm
        if before is None:
            if not due:
                return None
            known.alarm = Alarm(**vars(known.condition), since=known.began)
            return Change(What.RAISED, known.alarm, now)
        if due:
            known.alarm = None
            return Change(What.CLEARED, before, now)
        known.alarm = Alarm(**vars(known.condition), since=before.since)
        changed = known.alarm.severity is not before.severity
        return Change(What.CHANGED, known.alarm, now) if changed else None


def _order(known: _Known) -> bool:
    """Reasons come first: whether there is one is looked at then."""
    return known.condition.kind is Kind.LINK_DOWN
