"""Many logins at once, PLAIN over STARTTLS, from connect to bound resource; and what came of it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from benchmarks.peers import PASSWORD
from tests.support.processes import ROOT

#: Seconds before the steady state: connections start together and take a while to spread out.
WARM_UP = 3.0
#: Of load: threads of one process wait for each other.
_PROCESSES = 2


@dataclass(frozen=True)
class Place:
    """Where to log in. ``authority``: a PEM file."""

    address: str
    port: int
    domain: str
    authority: str


@dataclass(frozen=True)
class Outcome:
    """Of the steady state: its length, and seconds for each good login, in order.

    ``count`` and ``faults`` are of all logins. ``used``: by how much what was watched has grown.
    """

    seconds: float
    took: Sequence[float]
    count: int
    faults: Sequence[str]
    used: Sequence[float]

    @property
    def rate(self) -> float:
        """Good logins per second."""
        return len(self.took) / self.seconds

    def percentile(self, percent: float) -> float:
        """Seconds that so many percent of them did not exceed; NaN where there were none."""
        if not self.took:
            return math.nan
        return self.took[min(len(self.took) - 1, int(len(self.took) * percent / 100))]


def measure(
    place: Place,
    users: Sequence[str],
    seconds: float,
    watch: Callable[[], Sequence[float]] = tuple,
) -> Outcome:
    """Let all ``users`` log in again and again, each of them one login at a time.

    They have to be different ones: the logins of one account take turns, in case that they fail.
    """
    children = start(place, users, WARM_UP + seconds + 1.0)
    time.sleep(WARM_UP)
    began, before = time.monotonic(), watch()
    time.sleep(seconds)
    ended, after = time.monotonic(), watch()
    outputs = [child.communicate(timeout=180)[0] for child in children]
    logins = [login for output in outputs for login in json.loads(output)]
    return Outcome(
        ended - began,
        sorted(took for when, took, fault in logins if began <= when < ended and not fault),
        len(logins),
        [fault for _, _, fault in logins if fault],
        [new - old for old, new in zip(before, after, strict=True)],
    )


def start(place: Place, users: Sequence[str], seconds: float) -> list[subprocess.Popen[bytes]]:
    """Let all ``users`` log in for so long; each process prints its logins in the end."""
    shares = [users[n::_PROCESSES] for n in range(_PROCESSES)]
    return [_start(place, share, seconds) for share in shares if share]


def _start(place: Place, users: Sequence[str], seconds: float) -> subprocess.Popen[bytes]:
    load = {**asdict(place), "users": users, "password": PASSWORD, "seconds": seconds}
    command = [sys.executable, "-m", "benchmarks.load", json.dumps(load)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
