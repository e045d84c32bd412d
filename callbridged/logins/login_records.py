"""What operators see of the logins that this Call Bridge was asked about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from bridgewire.steps import Reason, Step
from callbridged.logins.login_rates import LoginRates
from daemonkit.feed import Feed
from daemonkit.login_record import MAX_NAME, MAX_TEXT, LoginRecord, kind_of


class LoginRecords:
    """The latest, in ``feed``; how many there were lately, in ``rates``."""

    def __init__(self) -> None:
        self.feed: Feed[LoginRecord] = Feed()
        self.rates = LoginRates()

    def ended(
        self,
        login: str,
        peer: str | None,
        server: str,
        mechanism: str,
        outcome: str,
        *,
        domain: str,
        user: str = "",
        seconds: float = 0.0,
        waited: Mapping[str, float] | None = None,
        guest: bool = False,
        text: str = "",
        reason: Reason | None = None,
    ) -> None:
        """A login is over. The arguments are those of `LoginRecord`."""
        if reason is None and outcome in list(Reason):
            reason = Reason(outcome)
        record = LoginRecord(
            ended=datetime.now(UTC),
            login=login,
            user=user[:MAX_NAME],
            domain=domain,
            mechanism=mechanism[:MAX_NAME],
            peer=peer or "",
            asked=(server,) if server else (),
            outcome=outcome,
            seconds=seconds,
            kind=kind_of(mechanism, guest=guest),
            step="" if reason is None else str(Step.LOGIN),
            reason="" if reason is None else str(reason),
            text=text[:MAX_TEXT],
            waited=waited,
        )
        self.rates.add(record)
        self.feed.add(record)
