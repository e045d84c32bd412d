"""One setting as people see it, and what else reading a file brings to light."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from daemonkit.inifile import Fault, Source

#: What is shown in the place of a secret.
HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Setting:
    """One setting for people: its value as text (secrets hidden), and the line it stands in.

    ``mark``: another one when a secret, or what is in the file that is named, has changed. It tells
    nothing of either, and nothing to another process. Equal settings have the same effect.
    ``source``: the file that the line is in, None for the ini file. ``instead_of``: what the ini
    file, or its default, would have; None where that is the same.
    """

    section: str
    key: str
    value: str
    line: int | None = field(compare=False)
    mark: bytes = field(default=b"", repr=False)
    source: Source | None = field(default=None, compare=False)
    instead_of: str | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """``[section] key``."""
        return f"[{self.section}] {self.key}"

    @property
    def origin(self) -> str:
        """``line 12``, ``default``, or the name of another file."""
        if self.source is not None:
            return self.source.name
        return "default" if self.line is None else f"line {self.line}"


@dataclass
class Findings:
    """What reading a file brings to light besides the values.

    ``check_files``: look at the files that the settings name.
    """

    path: Path
    check_files: bool
    faults: list[Fault]
    settings: list[Setting] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
