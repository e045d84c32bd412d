"""The latest events of a daemon's log that an operator wants to know of, for who looks at it later.

They are what was said, wherever the log goes and whatever its level: all warnings and errors, and
of what matters less the events that are named. As in the log, who repeats themselves is heard once
in a while, and nothing in it can be a secret.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from zope.interface import implementer

from daemonkit.feed import Feed
from daemonkit.logging import context
from daemonkit.logging.event import Event
from daemonkit.logging.limiter import Limiter
from daemonkit.logging.line import event_of, level_of, make_line
from daemonkit.logging.log import key_of

#: Events that are kept, and which of their fields.
KEPT = 200
FIELDS = ("step", "reason", "peer")

_MATTERS = frozenset({LogLevel.warn, LogLevel.error, LogLevel.critical})


@dataclass(frozen=True)
class RecentEvent:
    """One of them. ``level``: ``info``, ``warn``, ``error`` or ``critical``; ``name``: the event's.

    ``text`` is one line. ``fields``: those of `FIELDS` that it has.
    """

    at: datetime
    level: str
    name: str
    text: str
    fields: Mapping[str, str]

    def as_json(self) -> dict[str, str]:
        """Answer it for JSON, as a line of a log in that form."""
        return {
            "time": self.at.isoformat(timespec="milliseconds"),
            "level": self.level,
            "event": self.name,
            "message": self.text,
            **self.fields,
        }


@implementer(ILogObserver)
class RecentEvents(Service):
    """Keeps them in ``feed`` while it runs."""

    def __init__(self, clock: IReactorTime, also: Collection[Event]) -> None:
        """``also``: events that are kept though they are no warnings."""
        self.feed: Feed[RecentEvent] = Feed(KEPT)
        self._also = frozenset(one.name for one in also)
        # The log itself says how often it left something out.
        self._limiter = Limiter(clock, lambda _: None)

    def startService(self) -> None:
        super().startService()
        globalLogPublisher.addObserver(self)

    def stopService(self) -> None:
        super().stopService()
        globalLogPublisher.removeObserver(self)
        self._limiter.finish()

    def __call__(self, event: dict[str, Any]) -> None:
        what = event_of(event)
        if level_of(event) not in _MATTERS and what.name not in self._also:
            return
        about = context.current()
        if what.limit is not None and not self._limiter.admits(what, key_of(what, event, about)):
            return
        line = make_line(event, about, FIELDS)
        self.feed.add(
            RecentEvent(
                datetime.fromtimestamp(line.time, UTC),
                line.level.name,
                line.event.name,
                line.text,
                line.fields,
            )
        )
