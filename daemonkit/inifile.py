"""The lines of an ini file, with their numbers, and every line that makes no sense.

The form is that of Python's configparser with ``;`` for comments after a value, no interpolation,
``=`` only, and no section that others inherit from. configparser itself stops at the first
duplicate, and does not tell where in the file a value stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_SECTION = re.compile(r"\[(?P<name>[^\[\]]+)\]")
_COMMENT_AFTER = re.compile(r"(?:^|\s);")


@dataclass(frozen=True)
class Source:
    """Another file than the one that is read first: ``name``, in a word, and where it is.

    ``remedy``: a sentence for what is wrong in it.
    """

    name: str
    path: Path
    remedy: str = ""


@dataclass
class Entry:
    """One ``key = value``; the value's further lines are joined by newlines.

    ``source``: None in the file that is read first.
    """

    value: str
    line: int
    source: Source | None = None


@dataclass(frozen=True)
class Fault:
    """Something wrong, in whole sentences with a remedy. ``line``: where, if it is one line.

    ``source``: the file, None for the one that is read first. ``setting``: whose value is wrong,
    as ``[section] key``, with which the text then begins.
    """

    text: str
    line: int | None = None
    source: Source | None = None
    setting: str = ""

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


@dataclass
class IniFile:
    """section -> key -> entry, the line of each section's heading, and what was wrong."""

    sections: dict[str, dict[str, Entry]] = field(default_factory=dict)
    headings: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def parse(text: str) -> IniFile:
    """Answer what is in ``text``. Raises nothing: what is wrong is in ``faults``."""
    return _Parser().parse(text)


class _Parser:
    def __init__(self) -> None:
        self._file = IniFile()
        self._section: dict[str, Entry] | None = None
        self._entry: Entry | None = None
        self._indent = 0

    def parse(self, text: str) -> IniFile:
        for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
            if line.lstrip().startswith(("#", ";")):
                continue
            line = _COMMENT_AFTER.split(line, maxsplit=1)[0].rstrip()
            if line:
                self._take(number, line)
        return self._file

    def _take(self, number: int, line: str) -> None:
        indent = len(line) - len(line.lstrip())
        words = line.strip()
        if self._entry is not None and indent > self._indent:
            self._entry.value = f"{self._entry.value}\n{words}".lstrip("\n")
            return
        self._indent = indent
        self._entry = None
        heading = _SECTION.fullmatch(words)
        if heading:
            self._open(number, heading["name"].strip())
            return
        key, equals, value = words.partition("=")
        if not equals or not key.strip() or words.startswith("["):
            self._fault(
                number,
                "this is neither [section] nor key = value. A comment starts with #, and a further "
                "line of a value is indented.",
            )
            # Whatever is indented below belongs to the line that makes no sense.
            self._entry = Entry("", number)
            return
        self._entry = Entry(value.strip(), number)
        self._add(number, key.strip().lower(), self._entry)

    def _open(self, number: int, name: str) -> None:
        if name in self._file.sections:
            first = self._file.headings[name]
            self._fault(number, f"[{name}] was already there in line {first}. Join the two.")
        else:
            self._file.sections[name] = {}
            self._file.headings[name] = number
        self._section = self._file.sections[name]

    def _add(self, number: int, key: str, entry: Entry) -> None:
        if self._section is None:
            self._fault(number, f"{key} stands before any [section]. Move it below its heading.")
        elif key in self._section:
            first = self._section[key].line
            self._fault(number, f"{key} was already set in line {first}. Remove one of the two.")
        else:
            self._section[key] = entry

    def _fault(self, number: int, text: str) -> None:
        self._file.faults.append(Fault(text, number))
