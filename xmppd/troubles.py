"""What failed last, for `xmppctl status`: a log line that has scrolled by helps nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bridgewire.steps import StepFailure


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
        return {**self.failure.as_json(), "peer": self.peer, "at": at}
