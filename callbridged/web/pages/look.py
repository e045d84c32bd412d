"""Looks at the running daemon, for what Status > General shows at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from callbridged.logins.login_rates import WINDOW
from callbridged.web.pages.flow import Served
from callbridged.web.pages.plots import Counts, Sample, samples
from callbridged.web.pages.view import View, link_views, served_by
from daemonkit.feed import KEPT
from daemonkit.login_record import LoginRecord

if TYPE_CHECKING:
    from callbridged.web.site import Parts

#: Events that are shown.
EVENTS = 50
#: Seconds for which sums over logins are good: they cost the most, and change the least.
SUMS_LAST = 5.0
_MINUTE = 60


@dataclass(frozen=True)
class _Sums:
    """Of the logins of the last five minutes, see `View`."""

    at: datetime
    served: Mapping[str, Served]
    totals: Counts
    minutes: Sequence[Counts]


class Look:
    """Call it: the answer is the same for all who look at the same time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._records = parts.bridge.logins.records
        self._sums: _Sums | None = None

    def __call__(self) -> View:
        """Answer how things are."""
        now = datetime.now(UTC)
        parts = self._parts
        status = parts.status()
        sums = self._sum_up(now)
        return View(
            at=now,
            service=status["authentication_service"],
            draining=status["draining"],
            links=link_views(status, sums.served),
            warnings=status["warnings"],
            alarms=parts.alarms.active,
            events=parts.recent.feed.last(EVENTS, lambda _: True)[::-1],
            totals=sums.totals,
            minutes=sums.minutes,
        )

    def samples(self, seconds: int = WINDOW) -> list[Sample]:
        """Answer those of the last ``seconds`` that are over."""
        return samples(
            self._records.rates.seconds(datetime.now(UTC) - timedelta(seconds=1), seconds)
        )

    def _sum_up(self, now: datetime) -> _Sums:
        last = self._sums
        if last is not None and abs((now - last.at).total_seconds()) < SUMS_LAST:
            return last
        since = now - timedelta(seconds=WINDOW)

        def is_new(record: LoginRecord) -> bool:
            return record.ended > since

        rates = self._records.rates
        self._sums = sums = _Sums(
            now,
            served_by(self._records.feed.last(KEPT, is_new)),
            Counts.of(rates.summary(now)),
            [
                Counts.of(rates.summary(now - timedelta(seconds=ago), _MINUTE))
                for ago in range(0, WINDOW, _MINUTE)
            ],
        )
        return sums
