"""How many logins have ended in each of the last five minutes' seconds, how, and how fast. Pure.

Each login costs a count or two (`benchmarks`: below a microsecond), and what is remembered does not
grow: a ring of seconds, a few outcomes in each, and latencies by class, not one by one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from daemonkit.login_record import LoginRecord

#: Seconds that are remembered.
WINDOW = 300
#: Outcomes that are told apart in one second; further ones are `OTHER`.
MAX_OUTCOMES = 16
OTHER = "other"
SUCCESS = "success"
#: Outcomes that nobody has to look at: whoever logs in has given up.
GIVEN_UP = frozenset({"aborted"})

#: The classes of latency: each reaches from the end of the one before to its own, in seconds, about
#: 26 % further. The last one has no end.
ENDS = tuple(0.001 * 10 ** (step / 10) for step in range(51))


@dataclass(frozen=True)
class Latency:
    """How long logins took, in seconds; the quantiles are exact to a quarter."""

    median: float
    p95: float
    longest: float
    mean: float

    def as_json(self) -> dict[str, float]:
        """Answer it for JSON, in milliseconds."""
        return {
            "median_ms": _milliseconds(self.median),
            "p95_ms": _milliseconds(self.p95),
            "longest_ms": _milliseconds(self.longest),
            "mean_ms": _milliseconds(self.mean),
        }


@dataclass(frozen=True)
class Summary:
    """The logins that ended in some seconds. ``latency`` None: there were none."""

    outcomes: dict[str, int]
    latency: Latency | None

    @property
    def total(self) -> int:
        """How many."""
        return sum(self.outcomes.values())

    @property
    def succeeded(self) -> int:
        """How many let somebody in."""
        return self.outcomes.get(SUCCESS, 0)

    @property
    def failed(self) -> int:
        """How many did not, those apart that were given up."""
        return self.total - self.succeeded - sum(self.outcomes.get(one, 0) for one in GIVEN_UP)

    def as_json(self) -> dict[str, object]:
        """Answer it for JSON."""
        return {
            "total": self.total,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "outcomes": self.outcomes,
            "latency": self.latency and self.latency.as_json(),
        }


class _Second:
    """What ended in one second since 1970; ``classes``: how many logins in each of latency."""

    __slots__ = ("at", "classes", "longest", "outcomes", "total")

    def __init__(self, at: int) -> None:
        self.at = at
        self.outcomes: dict[str, int] = {}
        self.classes: dict[int, int] = {}
        self.total = 0.0
        self.longest = 0.0


class LoginRates:
    """The last `WINDOW` seconds."""

    def __init__(self) -> None:
        self._ring: list[_Second | None] = [None] * WINDOW

    def add(self, record: LoginRecord) -> None:
        """Count a login that has ended."""
        at = int(record.ended.timestamp())
        second = self._ring[at % WINDOW]
        if second is None or second.at != at:
            second = self._ring[at % WINDOW] = _Second(at)
        outcomes, outcome = second.outcomes, record.outcome
        if outcome not in outcomes and len(outcomes) >= MAX_OUTCOMES:
            outcome = OTHER
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        seconds = record.seconds
        place = bisect_left(ENDS, seconds)
        second.classes[place] = second.classes.get(place, 0) + 1
        second.total += seconds
        if seconds > second.longest:
            second.longest = seconds

    def summary(self, now: datetime, seconds: int = WINDOW) -> Summary:
        """Sum up the last ``seconds``, of which ``now`` is in the last one."""
        return _summary(self._between(int(now.timestamp()) - seconds + 1, now))

    def seconds(self, now: datetime, seconds: int = WINDOW) -> list[tuple[int, Summary]]:
        """Answer each of the last ``seconds``, oldest first: since 1970, and what ended in it.

        The last one, which ``now`` is in, may not be over yet.
        """
        first = int(now.timestamp()) - seconds + 1
        found = {one.at: one for one in self._between(first, now)}
        return [
            (at, _summary([found[at]] if at in found else []))
            for at in range(first, first + seconds)
        ]

    def _between(self, first: int, now: datetime) -> Iterator[_Second]:
        last = int(now.timestamp())
        for one in self._ring:
            if one is not None and first <= one.at <= last:
                yield one


def _summary(seconds: Iterable[_Second]) -> Summary:
    outcomes: Counter[str] = Counter()
    classes: Counter[int] = Counter()
    total = longest = 0.0
    for one in seconds:
        outcomes.update(one.outcomes)
        classes.update(one.classes)
        total += one.total
        longest = max(longest, one.longest)
    number = classes.total()
    if not number:
        return Summary({}, None)
    return Summary(
        dict(outcomes.most_common()),
        Latency(
            _quantile(classes, 0.5, longest),
            _quantile(classes, 0.95, longest),
            longest,
            total / number,
        ),
    )


def _quantile(classes: Counter[int], part: float, longest: float) -> float:
    """Answer the end of the class in which that part of the logins is reached."""
    wanted = part * classes.total()
    seen = 0
    for place in sorted(classes):
        seen += classes[place]
        if seen >= wanted:
            return min(longest, ENDS[place]) if place < len(ENDS) else longest
    return longest


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
