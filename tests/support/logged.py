"""A daemon's log in memory: what of all that is said gets written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twisted.internet.interfaces import IReactorTime
from twisted.logger import globalLogPublisher

from bridgewire.log_fields import FIELDS, PREFIX
from daemonkit.logging.line import Line
from daemonkit.logging.log import Log
from daemonkit.logging.settings import Level, LogSettings


class MemorySink:
    """Keeps the lines, or raises ``fault``."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.fault: OSError | None = None
        self.closed = False

    def write(self, line: Line) -> None:
        if self.fault is not None:
            raise self.fault
        self.lines.append(line)

    def close(self) -> None:
        self.closed = True


def memory_log(clock: IReactorTime, level: Level = "info") -> tuple[Log, MemorySink]:
    """A log of a daemon's, and where it writes to."""
    log = Log(clock, "daemon", FIELDS, PREFIX, LogSettings("stderr"))
    sink = MemorySink([])
    log.take(sink, LogSettings(level=level))
    return log, sink


@contextmanager
def written(clock: IReactorTime) -> Iterator[list[Line]]:
    """The lines of all that is logged meanwhile, by whomever."""
    log, sink = memory_log(clock)
    globalLogPublisher.addObserver(log)
    try:
        yield sink.lines
    finally:
        globalLogPublisher.removeObserver(log)
