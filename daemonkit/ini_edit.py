"""Changing values in an ini file, and nothing else in it: comments and order stay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from daemonkit.inifile import Entry, parse

_COMMENT_AFTER = re.compile(r"\s+;.*$")


@dataclass(frozen=True)
class Value:
    """What a key is to have: one line of text."""

    section: str
    key: str
    text: str

    def __str__(self) -> str:
        return f"[{self.section}] {self.key} = {self.text}".rstrip()


def find(text: str, section: str, key: str) -> Entry | None:
    """Answer what stands in the file for a key, None where nothing does."""
    return parse(text).sections.get(section, {}).get(key)


def put(text: str, values: Sequence[Value]) -> str:
    """Answer the file with the values in it, each where its key stands.

    A new key comes to the end of its section. The file has no faults, and values have one line.
    """
    for value in values:
        text = _put(text, value)
    return text


def _put(text: str, value: Value) -> str:
    file = parse(text)
    entry = file.sections.get(value.section, {}).get(value.key)
    lines = text.splitlines(keepends=True)
    line = f"{value.key} = {value.text}".rstrip()
    if entry is not None:
        if entry.value == value.text:
            return text
        place = entry.line - 1
        comment = _COMMENT_AFTER.search(lines[place].rstrip("\r\n"))
        line += comment[0] if comment else ""
        lines[place : place + _length(lines[place:])] = [line + _end(lines[place])]
    elif value.section in file.headings:
        entries = file.sections[value.section].values()
        ends = [one.line - 1 + _length(lines[one.line - 1 :]) for one in entries]
        place = max(ends, default=file.headings[value.section])
        lines[place - 1] = lines[place - 1].rstrip("\r\n") + _end(lines[place - 1])
        lines.insert(place, line + _end(lines[place - 1]))
    else:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        blank = ["\n"] if lines else []
        lines += [*blank, f"[{value.section}]\n", line + "\n"]
    return "".join(lines)


def _length(lines: Sequence[str]) -> int:
    """How many lines belong to the value in the first of them: those that are indented deeper."""
    length = 1
    indent = _indent(lines[0])
    for number, line in enumerate(lines[1:], start=2):
        if line.lstrip().startswith(("#", ";")) or not line.strip():
            continue  # kept, unless the value goes on below
        if _indent(line) <= indent:
            break
        length = number
    return length


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end(line: str) -> str:
    """How the line ends; the last one of a file may end in nothing."""
    return line[len(line.rstrip("\r\n")) :] or "\n"
