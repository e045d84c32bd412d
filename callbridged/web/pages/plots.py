"""Logins per second and how long they took, as the plots show them. Pure.

``static/plots.js`` draws the same in a browser, each second; this is for the page as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import NamedTuple

from callbridged.logins.login_rates import GIVEN_UP, WINDOW, Summary

#: Outcomes by which nobody was told that a name or password is wrong: whoever asks may try again.
UNANSWERED = frozenset({"temporary-auth-failure", "resource-constraint", "link-lost", "timeout"})

WIDTH = WINDOW
HEIGHT = 100


class Sample(NamedTuple):
    """What ended in one second since 1970; latencies in milliseconds, None where nothing did."""

    second: int
    success: int
    refused: int
    failed: int
    median: float | None
    slowest: float | None


@dataclass(frozen=True)
class Counts:
    """The logins of some time; ``median`` and ``slowest`` in seconds."""

    success: int
    refused: int
    failed: int
    median: float | None
    slowest: float | None

    @classmethod
    def of(cls, summary: Summary) -> Counts:
        """Tell apart who was let in, who was refused, and whom nobody could answer."""
        failed = sum(summary.outcomes.get(one, 0) for one in UNANSWERED)
        given_up = sum(summary.outcomes.get(one, 0) for one in GIVEN_UP)
        latency = summary.latency
        return cls(
            summary.succeeded,
            summary.total - summary.succeeded - failed - given_up,
            failed,
            None if latency is None else latency.median,
            None if latency is None else latency.longest,
        )


@dataclass(frozen=True)
class Drawn:
    """One plot: what its upper edge stands for, and the ``d`` of each line's path."""

    top: int
    paths: Mapping[str, str]


def samples(seconds: Iterable[tuple[int, Summary]]) -> list[Sample]:
    """Answer what is sent to browsers for `callbridged.logins.login_rates.LoginRates.seconds`."""
    found = []
    for second, summary in seconds:
        one = Counts.of(summary)
        found.append(
            Sample(second, one.success, one.refused, one.failed, _ms(one.median), _ms(one.slowest))
        )
    return found


def draw(found: Sequence[Sample]) -> dict[str, Drawn]:
    """Answer both plots, ``rate`` and ``latency``."""
    return {"rate": _stacked(found), "latency": _lines(found)}


def _stacked(found: Sequence[Sample]) -> Drawn:
    """Each line stands on the one before it, filled."""
    heights = [0] * len(found)
    edges = []
    for name in ("success", "refused", "failed"):
        values = [getattr(one, name) for one in found]
        heights = [base + value for base, value in zip(heights, values, strict=True)]
        edges.append((name, heights))
    top = _round_up(max(heights, default=0))
    paths = {}
    for name, tops in edges:
        points = "L".join(
            _point(one, found, value, top) for one, value in zip(found, tops, strict=True)
        )
        begin = f"M{_x(found[0], found)} {HEIGHT}L" if found else ""
        paths[name] = f"{begin}{points}L{WIDTH} {HEIGHT}" if any(tops) else ""
    return Drawn(top, paths)


def _lines(found: Sequence[Sample]) -> Drawn:
    """Lines over those seconds in which there was something to measure."""
    readers: Mapping[str, Callable[[Sample], float | None]] = {
        "median": lambda one: one.median,
        "slowest": lambda one: one.slowest,
    }
    top = _round_up(max((one.slowest or 0 for one in found), default=0))
    paths = {}
    for name, read in readers.items():
        points = [
            _point(one, found, value, top)
            for one, value in ((one, read(one)) for one in found)
            if value is not None
        ]
        # A single point would have no length, and be invisible.
        more = "h.5" if len(points) == 1 else ""
        paths[name] = f"M{'L'.join(points)}{more}" if points else ""
    return Drawn(top, paths)


def _point(one: Sample, found: Sequence[Sample], value: float, top: int) -> str:
    height = floor((HEIGHT - value / top * 98) * 100 + 0.5) / 100  # as plots.js rounds
    return f"{_x(one, found)} {height:g}"


def _x(one: Sample, found: Sequence[Sample]) -> int:
    return WIDTH - (found[-1].second - one.second)


def _round_up(value: float) -> int:
    """Answer the least of 1, 2, 5, 10, 20, ... that is not below ``value``."""
    size = int(10 ** floor(log10(max(value, 1))))
    return next(size * one for one in (1, 2, 5, 10) if size * one >= value)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
