"""What a process uses, from /proc, and how figures are printed."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

#: A process that used less CPU time than this in the last moment has nothing left to do.
_QUIET = 0.01
_MOMENT = 0.25


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, all threads, the ended ones too.

    By its CPU clock, which counts nanoseconds; /proc/PID/stat has the same in ticks of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | 2)  # Linux: MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)


def session_cpu_seconds(leader: int) -> float:
    """The same of all processes of the session that ``leader`` began, as far as they still run."""
    total = 0.0
    for pid in (int(name) for name in os.listdir("/proc") if name.isdecimal()):
        with suppress(OSError):  # it may end just now
            total += cpu_seconds(pid) if os.getsid(pid) == leader else 0.0
    return total


def private_kib(pid: int) -> int:
    """KiB that this process has for itself (proc(5), smaps_rollup): what goes when it ends."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def descriptors(pid: int) -> int:
    """How many files and sockets it has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def settle(pids: Iterable[int], patience: float = 30.0) -> None:
    """Wait until these processes have nothing left to do."""
    pids = list(pids)
    end = time.monotonic() + patience
    before = [cpu_seconds(pid) for pid in pids]
    while time.monotonic() < end:
        time.sleep(_MOMENT)
        after = [cpu_seconds(pid) for pid in pids]
        if all(new - old < _QUIET for new, old in zip(after, before, strict=True)):
            return
        before = after
    raise TimeoutError("a server does not come to rest")


def wait_descriptors(pid: int, at_least: int, at_most: int, patience: float = 30.0) -> None:
    """Wait until a process has so many files and sockets: the kernel accepts before it does."""
    end = time.monotonic() + patience
    while not at_least <= (seen := descriptors(pid)) <= at_most:
        if time.monotonic() > end:
            raise TimeoutError(f"{seen} descriptors, not {at_least} to {at_most}")
        time.sleep(0.05)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The value that ``percent`` of ``ordered`` do not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def machine() -> str:
    """On what the figures were measured."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text()
        model = next(line for line in cpuinfo.splitlines() if line.startswith("model name"))
        model = model.partition(":")[2].strip()
    except (OSError, StopIteration):
        model = platform.machine()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, Linux {platform.release()}, {os.cpu_count()} CPUs ({model})"


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Markdown, with the columns in line."""
    table = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[at]) for row in table) for at in range(len(head))]
    for number, row in enumerate(table):
        cells = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print(f"| {' | '.join(cells)} |")
        if number == 0:
            rule = [
                "-" * width if at == 0 else "-" * (width - 1) + ":"
                for at, width in enumerate(widths)
            ]
            print(f"| {' | '.join(rule)} |", flush=True)
