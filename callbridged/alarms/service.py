"""The alarms of a running daemon: looks again and again at what is wrong, and says what changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger, LogLevel

from callbridged.alarms.alarm import Alarm, Change, Condition, Kind, Severity, What
from callbridged.alarms.hysteresis import Delays, Hysteresis
from callbridged.events import ALARM_CHANGED, ALARM_CLEARED, ALARM_RAISED
from daemonkit.feed import Feed
from daemonkit.tasks import cancel
from daemonkit.units import format_duration

#: Seconds between two looks. Who knows of a change calls `Alarms.look` at once.
INTERVAL = 2.0
#: Changes that are kept.
KEPT = 200

_EVENTS = {
    What.RAISED: ALARM_RAISED,
    What.CHANGED: ALARM_CHANGED,
    What.CLEARED: ALARM_CLEARED,
}
_LEVELS = {Severity.CRITICAL: LogLevel.error, Severity.WARNING: LogLevel.warn}


def utc_now() -> datetime:
    """Answer the time of the day."""
    return datetime.now(UTC)


class Alarms(Service):
    """Alarms come and go while it runs. They outlive a reload, and not a restart: what is wrong
    then still is found again.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        conditions: Callable[[datetime], Iterable[Condition]],
        delays: Callable[[Kind], Delays],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``conditions`` answers what is wrong at a time. ``delays`` may change, see `Hysteresis`.

        ``clock`` measures how long; ``now`` says what time of the day it is.
        """
        #: What has become of which alarm, as it happens.
        self.feed: Feed[Change] = Feed(KEPT)
        self._clock = clock
        self._conditions = conditions
        self._now = now
        self._hysteresis = Hysteresis(delays)
        self._call: IDelayedCall | None = None

    @property
    def active(self) -> tuple[Alarm, ...]:
        """The alarms that there are now, oldest first."""
        return self._hysteresis.active

    def startService(self) -> None:
        super().startService()
        self.look()

    def stopService(self) -> None:
        super().stopService()
        self._cancel()

    def look(self) -> None:
        """See now what is wrong: something may have changed. Does nothing before the start."""
        if not self.running:
            return
        self._cancel()
        seconds, now = self._clock.seconds(), self._now()
        try:
            for change in self._hysteresis.update(self._conditions(now), seconds, now):
                self._say(change)
                self.feed.add(change)
        except Exception:  # noqa: BLE001 - logged whole; the next look may go better
            self.log.failure("Error in looking for what is wrong")
        left = self._hysteresis.remaining(self._clock.seconds())
        wait = INTERVAL if left is None else min(left, INTERVAL)
        self._call = self._clock.callLater(wait, self.look)

    def _say(self, change: Change) -> None:
        alarm = change.alarm
        level, event = _LEVELS[alarm.severity], _EVENTS[change.what]
        if change.what is What.CLEARED:
            level = LogLevel.info
        self.log.emit(
            level,
            event,
            alarm=alarm.kind,
            severity=alarm.severity,
            subject=alarm.subject,
            step=alarm.step,
            reason=alarm.reason,
            text=alarm.text,
            remedy=alarm.remedy,
            lasted=format_duration((change.at - alarm.since).total_seconds()),
        )

    def _cancel(self) -> None:
        cancel(self._call)
        self._call = None
