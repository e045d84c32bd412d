"""The log of a daemon: an observer of Twisted's that writes lines to one place after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogLevel
from zope.interface import implementer

from daemonkit.logging import context
from daemonkit.logging.event import Event
from daemonkit.logging.events import INTERNAL_ERROR, LINES_LEFT_OUT, LINES_LOST
from daemonkit.logging.journal import JournalSink
from daemonkit.logging.limiter import LeftOut, Limiter
from daemonkit.logging.line import MAX_FIELD, Line, event_of, level_of, make_line, safe
from daemonkit.logging.settings import LogSettings, resolve
from daemonkit.logging.stream import as_json, as_text, open_file, open_stderr
from daemonkit.networks import network_of

#: Fields with addresses. Who has an IPv6 address has all of its network.
_ADDRESSES = ("peer", "address")
_ORDER = {
    level: order
    for order, level in enumerate(
        (LogLevel.debug, LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical)
    )
}


class Sink(Protocol):
    """Where lines go."""

    def write(self, line: Line) -> None:
        """Write one. Raises OSError: it is lost."""

    def close(self) -> None:
        """Nothing more is to be written."""


@implementer(ILogObserver)
class Log:
    """Writes lines, unless there are too many, and counts those that it could not write."""

    def __init__(
        self,
        clock: IReactorTime,
        identifier: str,
        fields: Collection[str],
        prefix: str,
        settings: LogSettings,
    ) -> None:
        """``identifier``: the daemon's name. ``fields`` are written with each line that has them,
        to journald with their names in upper case and ``prefix``.

        Raises:
            OSError: the file cannot be written to.
        """
        self._clock = clock
        self._identifier = identifier
        self._fields = fields
        self._prefix = prefix
        self._limiter = Limiter(clock, self._left_out)
        self._lost = 0
        self._why_lost = ""
        self._sink = self.open(settings)
        self._least = _ORDER[settings.least]

    def open(self, settings: LogSettings) -> Sink:
        """Answer what writes to where ``settings`` say; for `take`. Raises OSError."""
        to = resolve(settings.to, os.environ)
        if to == "journald":
            return JournalSink(self._clock, self._identifier, self._prefix)
        form = as_json if settings.format == "json" else as_text
        return open_file(to, form) if isinstance(to, Path) else open_stderr(form)

    def take(self, sink: Sink, settings: LogSettings) -> None:
        """Write to ``sink`` from now on."""
        before, self._sink = self._sink, sink
        self._least = _ORDER[settings.least]
        before.close()

    def finish(self) -> None:
        """The daemon is about to end: say what has not been said yet."""
        self._limiter.finish()

    def __call__(self, event: dict[str, Any]) -> None:
        if _ORDER[level_of(event)] < self._least:
            return
        about = context.current()
        what = event_of(event)
        if what.limit is None or self._limiter.admits(what, key_of(what, event, about)):
            self._write(make_line(event, about, self._fields))

    def _write(self, line: Line) -> None:
        try:
            if self._lost:
                self._sink.write(self._say(LINES_LOST, suppressed=self._lost, why=self._why_lost))
                self._lost = 0
            self._sink.write(line)
        except OSError as error:
            self._lost += 1
            self._why_lost = error.strerror or type(error).__name__

    def _left_out(self, left_out: LeftOut) -> None:
        most = ""
        limit = left_out.event.limit
        if left_out.key and limit is not None:
            named = zip(limit.per, left_out.key, strict=True)
            whom = ", ".join(f"{name} {value}" for name, value in named if value)
            most = f"; {left_out.most} of them of {whom}" if whom else ""
        self._write(
            self._say(
                LINES_LEFT_OUT, suppressed=left_out.lines, about=left_out.event.name, most=most
            )
        )

    def _say(self, event: Event, **fields: object) -> Line:
        told = {
            "log_time": time.time(),
            "log_level": LogLevel.warn,
            "log_format": event,
            **fields,
        }
        return make_line(told, {}, self._fields)


def key_of(event: Event, told: Mapping[str, Any], about: Mapping[str, object]) -> tuple[str, ...]:
    """Answer whom or what a line is about, as the event's limit tells them apart."""
    assert event.limit is not None  # noqa: S101  who calls has looked
    if event is INTERNAL_ERROR:
        return (_place(told),)
    key = []
    for name in event.limit.per:
        value = safe(str(told.get(name) or about.get(name) or ""), MAX_FIELD)
        key.append(network_of(value) if name in _ADDRESSES else value)
    return tuple(key)


def _place(told: Mapping[str, Any]) -> str:
    """Answer which fault it is: the exception, and where it came from."""
    failure = told["log_failure"]
    frames = failure.frames
    where = f" in {Path(frames[-1][1]).name} line {frames[-1][2]}" if frames else ""
    return f"{failure.type.__name__}{where}"
