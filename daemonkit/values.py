"""Typed getters for the values of one section of an ini file, which note every fault and go on."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar, cast

from daemonkit import credentials, files
from daemonkit.inifile import Entry, Fault, Source
from daemonkit.setting import HIDDEN, Findings, Setting
from daemonkit.units import parse_duration, parse_integer, parse_size, spell_duration

T = TypeVar("T")
Choice = TypeVar("Choice", bound=str)
Number = TypeVar("Number", int, float)

_BOOLEANS = {"yes": True, "on": True, "true": True, "1": True}
_BOOLEANS |= {"no": False, "off": False, "false": False, "0": False}


class Required:
    """The type of `REQUIRED`: there is no default."""


REQUIRED = Required()


class Values:
    """Those of one ``[section]``. ``known``: the keys that were asked for.

    A getter never raises. After a fault it answers the default, or None where there is none,
    whatever its annotation says: `IniReader.finish` raises before anyone uses it.
    """

    def __init__(
        self, name: str, entries: dict[str, Entry], findings: Findings, line: int | None = None
    ) -> None:
        """``line``: of the heading."""
        self._name = name
        self._entries = entries
        self._findings = findings
        self._line = line
        self._beneath: dict[str, Entry] = {}
        self.known: list[str] = []

    def lay_over(self, key: str, entry: Entry) -> None:
        """Let this value win over the one that the section has."""
        if key in self._entries:
            self._beneath[key] = self._entries[key]
        self._entries[key] = entry

    def has(self, key: str) -> bool:
        """True where the file gives the key a value."""
        return key in self._entries and self._entries[key].value != ""

    def source(self, key: str) -> Source | None:
        """Answer the file that the key's value is in; None for the ini file itself."""
        return self._entries[key].source if key in self._entries else None

    def fault(self, key: str, text: str) -> None:
        """Note that the key's value is wrong; ``text`` is a sentence, and says the remedy."""
        self._fault(key, text, self._entries.get(key))

    def _fault(self, key: str, text: str, entry: Entry | None) -> None:
        line, source = (None, None) if entry is None else (entry.line, entry.source)
        name = f"[{self._name}] {key}"
        remedy = f" {source.remedy}" if source and source.remedy else ""
        said = credentials.in_words(f"{name}: {text}{remedy}")
        self._findings.faults.append(Fault(said, line, source, name))

    def fault_of_heading(self, text: str) -> None:
        """Note that the heading is wrong; ``text`` is a sentence, and says the remedy."""
        self._findings.faults.append(Fault(f"[{self._name}]: {text}", self._line))

    def warn(self, key: str, text: str) -> None:
        """Note something about the key's value that deserves a look; ``text`` is a sentence."""
        self._findings.warnings.append(f"[{self._name}] {key}: {text}")

    def parsed(
        self,
        key: str,
        parse: Callable[[str], T],
        default: T | Required = REQUIRED,
        *,
        shown: Callable[[T], str] = str,
        several_lines: bool = False,
    ) -> T:
        """Answer what ``parse`` makes of the value; it raises ValueError with a sentence.

        With the default None or "", an empty value is the same as none; otherwise it is a fault.
        ``shown`` spells a value for people. ``several_lines``: the value may have more than one.
        """

        def one_line(text: str) -> T:
            if "\n" in text and not several_lines:
                raise ValueError(
                    "there are several lines, and one is wanted. Is the line below it indented?"
                )
            return parse(text)

        return self._get(key, one_line, default, shown)

    def text(self, key: str, default: str | Required = REQUIRED) -> str:
        """Answer one line of text."""
        return self.parsed(key, str, default)

    def items(
        self,
        key: str,
        parse: Callable[[str], T],
        default: tuple[T, ...] | Required = REQUIRED,
        *,
        separator: str = "\n",
        shown: Callable[[T], str] = str,
    ) -> tuple[T, ...]:
        """Answer the parsed items, one a line or between commas; empty for an empty value.

        Everything that ``parse`` refuses is in the fault.
        """

        def parse_all(text: str) -> tuple[T, ...]:
            found, wrong = [], []
            for item in filter(None, map(str.strip, text.split(separator))):
                try:
                    found.append(parse(item))
                except ValueError as error:
                    wrong.append(str(error))
            if wrong:
                raise ValueError(" ".join(wrong))
            return tuple(found)

        def all_shown(value: tuple[T, ...]) -> str:
            return ", ".join(map(shown, value))

        return self._get(key, parse_all, default, all_shown, may_be_empty=True)

    def duration(self, key: str, default: float, *, minimum: float, maximum: float) -> float:
        """Answer seconds within the bounds."""
        return self._bounded(key, parse_duration, default, minimum, maximum, spell_duration)

    def size(self, key: str, default: int, *, minimum: int, maximum: int) -> int:
        """Answer bytes within the bounds."""
        return self._bounded(key, parse_size, default, minimum, maximum, lambda size: f"{size}B")

    def integer(self, key: str, default: int, *, minimum: int, maximum: int) -> int:
        """Answer a whole number within the bounds."""
        return self._bounded(key, parse_integer, default, minimum, maximum, str)

    def choice(self, key: str, choices: Sequence[Choice], default: Choice) -> Choice:
        """Answer one of the words in ``choices``."""

        def choose(text: str) -> Choice:
            for one in choices:
                if one == text.lower():
                    return one
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}.")

        return self.parsed(key, choose, default)

    def boolean(self, key: str, default: bool) -> bool:
        """Answer a yes or no; on, off, true, false, 1 and 0 will do too."""

        def decide(text: str) -> bool:
            if text.lower() not in _BOOLEANS:
                raise ValueError(f"{text!r} is neither yes nor no.")
            return _BOOLEANS[text.lower()]

        return self.parsed(key, decide, default, shown=lambda value: "yes" if value else "no")

    def report_unknown(self, sections: Iterable[Values]) -> None:
        """Note a fault for each key that nobody asked for."""
        for key, entry in self._entries.items():
            if key in self.known:
                continue
            homes = [section._name for section in sections if key in section.known]
            hint = f"It belongs to [{homes[0]}]." if homes else suggest(key, self.known)
            text = f"[{self._name}] has no key {key}. {hint}"
            self._findings.faults.append(Fault(text, entry.line))

    def _get(
        self,
        key: str,
        parse: Callable[[str], T],
        default: T | Required,
        shown: Callable[[T], str],
        may_be_empty: bool = False,
    ) -> T:
        self.known.append(key)
        entry = self._entries.get(key)
        value = cast(T, None if isinstance(default, Required) else default)
        if entry is not None and (entry.value or may_be_empty):
            try:
                value = parse(entry.value)
            except ValueError as error:
                self.fault(key, str(error))
        elif isinstance(default, Required):
            self.fault(key, "it is needed, and there is no default. Add it.")
        elif entry is not None and default not in (None, ""):
            self.fault(
                key, f"it is empty. Give it a value, or remove it for the default, {shown(value)}."
            )
        text = "" if value is None and isinstance(default, Required) else shown(value)
        mark = files.mark(entry.value.encode()) if entry and HIDDEN in text else b""
        line, source = (entry.line, entry.source) if entry else (None, None)
        instead_of = None
        if source is not None:
            instead_of = self._shown_beneath(key, parse, default, shown)
        self._findings.settings.append(
            Setting(self._name, key, text, line, mark, source, instead_of)
        )
        return value

    def _shown_beneath(
        self,
        key: str,
        parse: Callable[[str], T],
        default: T | Required,
        shown: Callable[[T], str],
    ) -> str | None:
        """Answer what would count if nothing lay over it; None where that is the same.

        A fault there is one, though the value does not count now.
        """
        beneath = self._beneath.get(key)
        if beneath is None or not beneath.value:
            return "" if isinstance(default, Required) else shown(default)
        try:
            there = shown(parse(beneath.value))
        except ValueError as error:
            self._fault(key, str(error), beneath)
            return beneath.value
        return None if beneath.value == self._entries[key].value else there

    def _bounded(
        self,
        key: str,
        parse: Callable[[str], Number],
        default: Number,
        minimum: Number,
        maximum: Number,
        spell: Callable[[Number], str],
    ) -> Number:
        def within(text: str) -> Number:
            value = parse(text)
            if not minimum <= value <= maximum:
                raise ValueError(
                    f"{text} is out of bounds. Choose from {spell(minimum)} to {spell(maximum)}."
                )
            return value

        return self.parsed(key, within, default, shown=spell)

    def _mark(self, key: str, mark: bytes) -> None:
        """Let the setting be another one when what ``mark`` stands for is."""
        settings = self._findings.settings
        for place in reversed(range(len(settings))):
            one = settings[place]
            if (one.section, one.key) == (self._name, key):
                settings[place] = replace(one, mark=one.mark + mark)
                return


def suggest(word: str, known: Sequence[str]) -> str:
    """Answer a sentence with what may have been meant, or all that there is."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}."
