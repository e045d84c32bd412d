"""One condition, and how it is told: a line that begins with SUCCESS, WARNING or FAILURE."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from daemonkit.terminal import WIDTH, paint, printable


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

    def lines(self) -> Iterator[str]:
        """Answer it for people."""
        column = len("SUCCESS  ")
        said = printable(f"{self.about}: {self.text} {self.remedy}".strip())
        wrapped = textwrap.wrap(
            said, WIDTH - column, break_on_hyphens=False, break_long_words=False
        )
        for number, line in enumerate(wrapped):
            yield (
                f"{paint(self.result, _COLOURS[self.result])}  {line}"
                if number == 0
                else " " * column + line
            )


def success(about: str, text: str) -> Condition:
    """Answer a condition that holds."""
    return Condition(Result.SUCCESS, about, text)


def warning(about: str, text: str, remedy: str = "") -> Condition:
    """Answer one that deserves a look."""
    return Condition(Result.WARNING, about, text, remedy)


def failure(about: str, text: str, remedy: str = "") -> Condition:
    """Answer one that xmppd cannot work with."""
    return Condition(Result.FAILURE, about, text, remedy)
