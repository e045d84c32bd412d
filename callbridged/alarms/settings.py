"""``[alarms]``: from when on something is an alarm."""

from __future__ import annotations

from dataclasses import dataclass

from callbridged.alarms.alarm import Kind
from callbridged.alarms.hysteresis import Delays
from daemonkit.section import Section
from daemonkit.units import parse_integer


@dataclass(frozen=True)
class AlarmSettings:
    """``raise_after``, ``clear_after`` and ``clock_skew`` in seconds.

    ``login_failure_rate``: in percent of the logins of the last five minutes, where at least
    ``login_failures`` have failed.
    """

    raise_after: float = 30.0
    clear_after: float = 30.0
    certificate_days: int = 14
    login_failure_rate: int = 50
    login_failures: int = 20
    clock_skew: float = 30.0

    def delays(self, kind: Kind) -> Delays:
        """Answer those of one kind. Failures of logins are counted over a while already."""
        at_once = kind is Kind.LOGIN_FAILURES
        return Delays(0.0 if at_once else self.raise_after, self.clear_after)


def read_alarms(section: Section) -> AlarmSettings:
    """Read ``[alarms]``."""
    default = AlarmSettings()

    def duration(key: str, minimum: float) -> float:
        value: float = getattr(default, key)
        return section.duration(key, value, minimum=minimum, maximum=24 * 3600.0)

    return AlarmSettings(
        raise_after=duration("raise_after", 0.0),
        clear_after=duration("clear_after", 0.1),
        certificate_days=section.integer(
            "certificate_days", default.certificate_days, minimum=1, maximum=365
        ),
        login_failure_rate=section.parsed(
            "login_failure_rate", _percent, default.login_failure_rate, shown=lambda n: f"{n}%"
        ),
        login_failures=section.integer(
            "login_failures", default.login_failures, minimum=1, maximum=1_000_000
        ),
        clock_skew=duration("clock_skew", 1.0),
    )


def _percent(text: str) -> int:
    try:
        number = parse_integer(text.removesuffix("%").rstrip())
    except ValueError:
        number = 0
    if not 1 <= number <= 100:
        raise ValueError(f"{text[:40]!r} is no part of all logins. Write it like 50%, up to 100%.")
    return number
