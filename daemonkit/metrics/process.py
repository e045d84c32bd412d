"""The usual ``process_`` series, of this process.

prometheus_client has them too, but lists all open files at each scrape: with 20,000 connections
that takes many milliseconds, in which everybody waits. And it has none of them where /proc/stat is
hidden, as it is by ``ProcSubset=pid`` in our units.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.metrics_core import Metric
from twisted.internet.interfaces import IReactorTime

from daemonkit import open_files
from daemonkit.metrics.series import counter, gauge

#: Seconds for which the number of open files is remembered.
_FILES_KEPT = 10.0
_PAGE = resource.getpagesize()


class Process:
    """Call it for the series as they are now."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._counted_at = -_FILES_KEPT
        self._files = 0
        self._started = _start_time()

    def __call__(self) -> Iterable[Metric]:
        """Answer them, under the names that all programs use."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        yield counter("process_cpu_seconds", "CPU time used.", used.ru_utime + used.ru_stime)
        size, resident, *_ = map(int, Path("/proc/self/statm").read_text().split())
        yield gauge("process_resident_memory_bytes", "Resident memory.", resident * _PAGE)
        yield gauge("process_virtual_memory_bytes", "Virtual memory.", size * _PAGE)
        yield gauge("process_start_time_seconds", "When it started, UNIX time.", self._started)
        yield gauge("process_open_fds", "Open files, counted every 10 s.", self._open_files())
        limit = open_files.limit()
        if limit is not None:
            yield gauge("process_max_fds", "Open files that there may be.", limit)

    def _open_files(self) -> int:
        now = self._clock.seconds()
        if now - self._counted_at >= _FILES_KEPT:
            self._counted_at, self._files = now, open_files.in_use()
        return self._files


def _start_time() -> float:
    """When this process started, in seconds of UNIX time; see proc(5), /proc/PID/stat."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)
