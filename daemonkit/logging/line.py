"""One line of the log, made of what Twisted's `Logger` hands over; nothing in it can forge another.

What peers send gets into texts and fields. So control characters, and those that turn the direction
of writing, are spelled out, and nothing is longer than its limit.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from twisted.logger import LogLevel, formatEvent

from daemonkit.logging.event import Event
from daemonkit.logging.events import INTERNAL_ERROR, OTHER, PRINTED

#: Characters of a text, of a field, and of a traceback; the middle of that is left out.
MAX_TEXT = 4096
MAX_FIELD = 512
MAX_TRACEBACK = 32 * 1024

#: Those of a login's id in a text. What other servers call a login can be longer.
_MAX_SHOWN = 64

_UNSAFE = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_IN_LINE = re.compile(f"[\x00-\x1f{_UNSAFE}]")
_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_UNSAFE}]")

#: What Twisted says of its own doings is for those who look closely.
_OWN_AFFAIRS = ("twisted.internet", "twisted.web", "log_legacy")


@dataclass(frozen=True)
class Line:
    """``time``: seconds since 1970; ``text`` is one line, ``traceback`` several or none.

    ``fields``: by name, only those that are there.
    """

    time: float
    level: LogLevel
    event: Event
    text: str
    fields: Mapping[str, str] = field(default_factory=dict)
    traceback: str = ""

    @property
    def when(self) -> str:
        """The time of RFC 3339, with milliseconds, in the time zone of this machine."""
        return datetime.fromtimestamp(self.time).astimezone().isoformat(timespec="milliseconds")

    @property
    def said(self) -> str:
        """The text, and at its end which login it is about."""
        login = self.fields.get("login")
        return f"{self.text} [login {login[:_MAX_SHOWN]}]" if login else self.text


def level_of(event: Mapping[str, Any]) -> Any:
    """Answer how much an event matters."""
    level: Any = event.get("log_level", LogLevel.info)
    if level is LogLevel.info and str(event.get("log_namespace")).startswith(_OWN_AFFAIRS):
        return LogLevel.debug
    return level


def event_of(event: Mapping[str, Any]) -> Event:
    """Answer which of our events it is; what nobody named is a fault of ours, or somebody's."""
    told = event.get("log_format")
    if isinstance(told, Event):
        return told
    if "log_failure" in event:
        return INTERNAL_ERROR
    return PRINTED if event.get("log_namespace") == "stderr" else OTHER


def make_line(event: dict[str, Any], about: Mapping[str, object], names: Container[str]) -> Line:
    """Answer the line of an event. ``about``: more fields; only those with ``names`` are there."""
    fields = {
        name: safe(str(value), MAX_FIELD)
        for name, value in (*about.items(), *event.items())
        if name in names and value not in (None, "")
    }
    traceback = ""
    if "log_failure" in event:
        traceback = safe_traceback(event["log_failure"].getTraceback())
    text = safe(formatEvent(event).strip(), MAX_TEXT)
    return Line(event["log_time"], level_of(event), event_of(event), text, fields, traceback)


def safe(text: str, most: int) -> str:
    """Answer ``text`` as something that is one line, of at most ``most`` characters."""
    if len(text) > most:
        text = f"{text[: most - 1]}…"
    return text if text.isascii() and text.isprintable() else _IN_LINE.sub(_spelled, text)


def safe_traceback(text: str) -> str:
    """Answer several lines, without what else moves a terminal's cursor."""
    if len(text) > MAX_TRACEBACK:
        half = MAX_TRACEBACK // 2
        text = f"{text[:half]}\n[...]\n{text[-half:]}"
    return _IN_LINES.sub(_spelled, text.rstrip())


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
