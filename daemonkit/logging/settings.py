"""The settings of ``[log]``, and where they lead to in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from twisted.logger import LogLevel

from daemonkit.files import check_appendable
from daemonkit.ini import Section
from daemonkit.logging import journal

Place = Literal["auto", "journald", "stderr"]
Form = Literal["text", "json"]
Level = Literal["debug", "info", "warn", "error"]


_AUTO: Place | Path = "auto"


@dataclass(frozen=True)
class LogSettings:
    """``[log]``. ``to`` is one of the words of `Place`, or the path of a file."""

    to: Place | Path = "auto"
    format: Form = "text"
    level: Level = "info"

    @property
    def least(self) -> Any:
        """The LogLevel of what is written: it, and what matters more."""
        return LogLevel.levelWithName(self.level)


def read_log(section: Section) -> LogSettings:
    """Read ``[log]``."""
    to: Place | Path = section.parsed("to", _parse_place, _AUTO)
    if isinstance(to, Path):
        section.check("to", to, check_appendable)
    elif to == "journald":
        section.check("to", journal.SOCKET, journal.check_there)
    return LogSettings(
        to,
        section.choice("format", get_args(Form), "text"),
        section.choice("level", get_args(Level), "info"),
    )


def resolve(to: Place | Path, environment: Mapping[str, str]) -> Path | Place:
    """Answer where ``to`` leads to: for ``auto``, journald where our output goes there anyway."""
    if to != "auto":
        return to
    return "journald" if journal.is_output(environment) and journal.is_there() else "stderr"


def _parse_place(text: str) -> Place | Path:
    for word in get_args(Place):
        if text == word:
            place: Place = word
            return place
    if text.startswith("/"):
        return Path(text)
    raise ValueError(
        f"{text[:80]!r} is none of {', '.join(get_args(Place))}, and no path that begins with a /."
    )
