"""The steps that an attempt at a link has got through, with times, for those who watch it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bridgewire.steps import Step


@dataclass(frozen=True)
class Passed:
    """One step that went well. ``seconds``: how long it took, None where that says nothing."""

    step: Step
    text: str
    seconds: float | None
    at: datetime

    def as_json(self) -> dict[str, object]:
        """Answer ``{"step", "number", "text", "seconds", "at"}``."""
        return {
            "step": str(self.step),
            "number": self.step.number,
            "text": self.text,
            "seconds": None if self.seconds is None else round(self.seconds, 4),
            "at": self.at.isoformat(timespec="milliseconds"),
        }


class Progress:
    """The steps of the latest attempt, in order."""

    def __init__(self) -> None:
        self._passed: dict[Step, Passed] = {}

    def begin(self) -> None:
        """A new attempt: what the last one got through no longer counts."""
        self._passed.clear()

    def passed(self, step: Step, text: str, seconds: float | None = None) -> None:
        """A step went well."""
        self._passed[step] = Passed(step, text, seconds, datetime.now(UTC))

    def as_json(self) -> list[dict[str, object]]:
        """Answer all of them as `Passed.as_json` does."""
        return [one.as_json() for one in self._passed.values()]
