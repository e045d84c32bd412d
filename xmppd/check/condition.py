"""One condition, and how it is told: a line that begins with SUCCESS, WARNING or FAILURE."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from daemonkit.terminal import paint, wrapped


class Result(StrEnum):
    """WARNING: xmppd can do its work, and something deserves a look."""

    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILURE = "FAILURE"


_COLOURS = {Result.SUCCESS: "green", Result.WARNING: "yellow", Result.FAILURE: "red"}


@dataclass(frozen=True)
class Condition:
    """``about``: what was looked at, in a word; ``text`` and ``remedy`` are sentences."""

    result: Result
    about: str
    text: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """Answer ``{"result", "about", "text", "remedy"}``."""
        return {
            "result": str(self.result),
            "about": self.about,
            "text": self.text,
            "remedy": self.remedy,
        }

    def lines(self) -> list[str]:
        """Answer it for people."""
        head = f"{paint(self.result, _COLOURS[self.result])}  "
        said = f"{self.about}: {self.text} {self.remedy}".strip()
        return wrapped(head, said, len("SUCCESS  "))


def success(about: str, text: str) -> Condition:
    """Answer a condition that holds."""
    return Condition(Result.SUCCESS, about, text)


def warning(about: str, text: str, remedy: str = "") -> Condition:
    """Answer one that deserves a look."""
    return Condition(Result.WARNING, about, text, remedy)


def failure(about: str, text: str, remedy: str = "") -> Condition:
    """Answer one that xmppd cannot work with."""
    return Condition(Result.FAILURE, about, text, remedy)
