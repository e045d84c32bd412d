"""What failed last, for `xmppctl status`: a log line that has scrolled by helps nobody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bridgewire.steps import Reason, Step, StepFailure

#: What is older than this is not shown any more.
KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Trouble:
    """``peer``: whose connection or question it was, as text."""

    failure: StepFailure
    peer: str
    at: datetime

    @classmethod
    def now(cls, failure: StepFailure, peer: str) -> Trouble:
        """Answer one that has just happened."""
        return cls(failure, peer, datetime.now(UTC))

    def as_json(self) -> dict[str, str]:
        """Answer ``{"step", "reason", "text", "peer", "at"}``; the text ends with the remedy."""
        at = self.at.isoformat(timespec="seconds")
        failure = self.failure
        text = failure.text if failure.text.endswith(".") else f"{failure.text}."
        said = replace(failure, text=text).as_json()
        return {**said, "peer": self.peer, "at": at}


class Recent:
    """The last trouble of each step and reason: one that comes all the time hides no other."""

    def __init__(self) -> None:
        self._found: dict[tuple[Step, Reason], Trouble] = {}

    def add(self, trouble: Trouble) -> None:
        """Remember it in the place of the last one with the same step and reason."""
        self._found[trouble.failure.step, trouble.failure.reason] = trouble

    def as_json(self) -> list[dict[str, str]]:
        """Answer those of the last day, the newest first."""
        since = datetime.now(UTC) - KEPT
        recent = [one for one in self._found.values() if one.at > since]
        return [one.as_json() for one in sorted(recent, key=lambda one: one.at, reverse=True)]
