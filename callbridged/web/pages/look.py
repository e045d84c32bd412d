"""Looks at the running daemon, for what Status > General shows at this moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from callbridged.login_rates import WINDOW
from callbridged.web.pages.plots import Counts, Sample, samples
from callbridged.web.pages.view import View, link_views, served_by
from daemonkit.feed import KEPT
from daemonkit.login_record import LoginRecord

if TYPE_CHECKING:
    from callbridged.web.site import Parts

#: Events that are shown.
EVENTS = 50
_MINUTE = 60


class Look:
    """Call it: the answer is the same for all who look at the same time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._rates = parts.bridge.logins.records.rates

    def __call__(self) -> View:
        """Answer how things are."""
        now = datetime.now(UTC)
        parts = self._parts
        status = parts.status()
        since = now - timedelta(seconds=WINDOW)

        def is_new(record: LoginRecord) -> bool:
            return record.ended > since

        served = served_by(parts.bridge.logins.records.feed.last(KEPT, is_new))
        minutes = range(0, WINDOW, _MINUTE)
        return View(
            at=now,
            service=status["authentication_service"],
            draining=status["draining"],
            links=link_views(status, served),
            warnings=status["warnings"],
            alarms=parts.alarms.active,
            events=parts.recent.feed.last(EVENTS, lambda _: True)[::-1],
            totals=Counts.of(self._rates.summary(now)),
            minutes=[
                Counts.of(self._rates.summary(now - timedelta(seconds=ago), _MINUTE))
                for ago in minutes
            ],
        )

    def samples(self, seconds: int = WINDOW) -> list[Sample]:
        """Answer those of the last ``seconds`` that are over."""
        return samples(self._rates.seconds(datetime.now(UTC) - timedelta(seconds=1), seconds))
