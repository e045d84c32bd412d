"""Logins as they end: how many, by what, and where their time went."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram

from daemonkit.feed import Feed
from daemonkit.login_record import LoginRecord
from daemonkit.metrics.series import one_of

#: Seconds. A link in one building takes less than the first, and a person who types their password
#: into a program that has begun the exchange already more than the last.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Records to read at once; in fact each is read as it comes.
_AT_ONCE = 100


class LoginMetrics:
    """Counts what is added to a feed of logins, for ever."""

    def __init__(
        self,
        registry: CollectorRegistry,
        prefix: str,
        feed: Feed[LoginRecord],
        *,
        mechanisms: Collection[str],
        outcomes: Collection[str],
        parts: Callable[[LoginRecord], Mapping[str, float]],
        about: str,
    ) -> None:
        """``mechanisms``, ``outcomes``: those that have a series of their own.

        ``parts`` answers where a login's time went, in seconds, by a bounded set of names;
        ``about`` says what these are.
        """
        self._mechanisms = frozenset(mechanisms)
        self._outcomes = frozenset(outcomes)
        self._parts = parts
        logins = Counter(
            f"{prefix}_logins",
            "Logins that have ended.",
            ("mechanism", "outcome"),
            registry=registry,
        )
        seconds = Histogram(
            f"{prefix}_login_duration_seconds",
            f"How long logins took, in all and in parts: {about}",
            ("part",),
            buckets=BUCKETS,
            registry=registry,
        )
        # To find a series costs more than to count in it, and there are few of them.
        self._logins = cache(logins.labels)
        self._seconds = cache(seconds.labels)
        self._reader = feed.follow(self._read)

    def _read(self) -> None:
        _, records = self._reader.read(_AT_ONCE)
        for record in records:
            mechanism = one_of(self._mechanisms, record.mechanism)
            outcome = one_of(self._outcomes, record.outcome)
            self._logins(mechanism, outcome).inc()
            for part, seconds in self._parts(record).items():
                self._seconds(part).observe(seconds)
