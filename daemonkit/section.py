"""Typed getters for one section of an ini file, which note every fault and go on."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

from daemonkit import credentials, files
from daemonkit.inifile import Entry, Fault, Source
from daemonkit.setting import HIDDEN, Findings, Setting
from daemonkit.units import parse_duration, parse_size, spell_duration

T = TypeVar("T")
Choice = TypeVar("Choice", bound=str)
Number = TypeVar("Number", int, float)

_BOOLEANS = {"yes": True, "on": True, "true": True, "1": True}
_BOOLEANS |= {"no": False, "off": False, "false": False, "0": False}
#: Bytes in the name of a UNIX socket on Linux, see unix(7).
_MAX_SOCKET = 107


class _Required:
    """The type of `REQUIRED`: there is no default."""


REQUIRED = _Required()


class Section:
    """One ``[section]``. ``known``: the keys that were asked for.

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
        default: T | _Required = REQUIRED,
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

    def text(self, key: str, default: str | _Required = REQUIRED) -> str:
        """Answer one line of text."""
        return self.parsed(key, str, default)

    def items(
        self,
        key: str,
        parse: Callable[[str], T],
        default: tuple[T, ...] | _Required = REQUIRED,
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

    def path(self, key: str, default: Path | _Required = REQUIRED) -> Path:
        """Answer a path; a relative one is relative to the directory of the ini file."""
        return self.parsed(key, self._findings.path.absolute().parent.joinpath, default)

    def readable_file(self, key: str, default: Path | _Required = REQUIRED) -> Path:
        """Answer the path of a file that is there and can be read: it, or the copy that
        `daemonkit.credentials` finds.
        """
        path = self._find(self.path(key, default))
        self._check(key, path, files.check_readable)
        return path

    def check_readable(self, key: str, path: Path) -> None:
        """Note a fault where a file that stands within the key's value cannot be read."""
        self._check(key, path, files.check_readable)

    def optional_file(self, key: str) -> Path | None:
        """Answer as `readable_file`; None where no file is named."""
        named = self._optional_path(key)
        path = named and self._find(named)
        self._check(key, path, files.check_readable)
        return path

    def file_pair(self, key: str, other: str) -> tuple[Path | None, Path | None]:
        """Answer two as `optional_file` does, of which none is of use without the other."""
        first, second = self.optional_file(key), self.optional_file(other)
        for one, missing in ((key, other), (other, key)):
            if self.has(one) and not self.has(missing):
                self.fault(one, f"it is of no use alone. Set {missing}, too.")
        return first, second

    def secret_file(self, key: str, default: Path | _Required = REQUIRED) -> str:
        """Answer the one line that is in a file, with a warning where everybody may read it."""
        return self._secret_in(key, self.path(key, default))

    def optional_secret_file(self, key: str) -> str:
        """Answer as `secret_file`; the empty text where no file is named."""
        path = self._optional_path(key)
        return "" if path is None else self._secret_in(key, path)

    def secret(self, key: str) -> str:
        """Answer a secret that stands in the ini file itself, or the empty text."""
        value = self.parsed(key, files.check_secret, "", shown=lambda text: HIDDEN if text else "")
        if value:
            source = self.source(key)
            self._warn_if_exposed(source.path if source else self._findings.path)
        return value

    def secret_or_file(self, key: str) -> str:
        """Answer a secret that stands in ``key``, or in the file that ``KEY_file`` names.

        The empty text where there is neither.
        """
        inline = self.secret(key)
        in_file = self.optional_secret_file(f"{key}_file")
        if inline and self.has(f"{key}_file"):
            article = "an" if key.startswith(("a", "e", "i", "o", "u")) else "a"
            self.fault(key, f"there is {article} {key}_file as well. Keep one of the two.")
        return inline or in_file

    def _optional_path(self, key: str) -> Path | None:
        absolute: Callable[[str], Path | None] = self._findings.path.absolute().parent.joinpath
        return self.parsed(key, absolute, None, shown=lambda value: str(value or ""))

    def _find(self, path: Path) -> Path:
        """Answer the credential that is a copy of the file, if there is one."""
        if path is None or not self._findings.check_files:  # None: there is a fault already
            return path
        return credentials.find(path, self._findings.path)

    def _secret_in(self, key: str, path: Path) -> str:
        secret = self._check(key, self._find(path), files.read_secret) or ""
        if secret:
            self._warn_if_exposed(path)
        return secret

    def _warn_if_exposed(self, path: Path) -> None:
        if files.others_may_read(path):
            self._findings.warnings.append(
                f"{path} has a secret in it, and everybody may read it: run chmod o= {path}, and "
                "make it belong to the daemon's user or group."
            )

    def directory(self, key: str, default: Path) -> Path:
        """Answer a directory that may be written to, or that has yet to be made."""
        path = self.path(key, default)
        self._check(key, path, files.check_directory)
        return path

    def socket(self, key: str, default: Path) -> Path:
        """Answer the path of a UNIX socket."""
        path = self.path(key, default)
        if len(os.fsencode(path)) > _MAX_SOCKET:
            self.fault(key, f"{path} is longer than {_MAX_SOCKET} bytes. Choose a shorter path.")
        return path

    def check(self, key: str, path: Path, check: Callable[[Path], None]) -> None:
        """Note a fault where ``check`` raises ValueError about ``path``.

        What is in a file there may change without the setting being another one.
        """
        if self._findings.check_files:
            try:
                check(path)
            except ValueError as error:
                self.fault(key, str(error))

    def report_unknown(self, sections: Iterable[Section]) -> None:
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
        default: T | _Required,
        shown: Callable[[T], str],
        may_be_empty: bool = False,
    ) -> T:
        self.known.append(key)
        entry = self._entries.get(key)
        value = cast(T, None if isinstance(default, _Required) else default)
        if entry is not None and (entry.value or may_be_empty):
            try:
                value = parse(entry.value)
            except ValueError as error:
                self.fault(key, str(error))
        elif isinstance(default, _Required):
            self.fault(key, "it is needed, and there is no default. Add it.")
        elif entry is not None and default not in (None, ""):
            self.fault(
                key, f"it is empty. Give it a value, or remove it for the default, {shown(value)}."
            )
        text = "" if value is None and isinstance(default, _Required) else shown(value)
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
        default: T | _Required,
        shown: Callable[[T], str],
    ) -> str | None:
        """Answer what would count if nothing lay over it; None where that is the same.

        A fault there is one, though the value does not count now.
        """
        beneath = self._beneath.get(key)
        if beneath is None or not beneath.value:
            return "" if isinstance(default, _Required) else shown(default)
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

    def _check(self, key: str, path: Path | None, check: Callable[[Path], T]) -> T | None:
        """Hold what a file's path leads to against ``check``, whose words begin with the path."""
        if path is None or not self._findings.check_files:
            return None
        try:
            answer = check(path)
        except ValueError as error:
            self.fault(key, str(error) if self.has(key) else f"its default {error}")
            return None
        self._mark(key, files.mark_file(path))
        return answer

    def _mark(self, key: str, mark: bytes) -> None:
        """Let the setting be another one when what ``mark`` stands for is."""
        settings = self._findings.settings
        for place in reversed(range(len(settings))):
            one = settings[place]
            if (one.section, one.key) == (self._name, key):
                settings[place] = replace(one, mark=one.mark + mark)
                return


def parse_integer(text: str) -> int:
    """Answer a whole number without a sign. Raises ValueError with a sentence."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 15:
        raise ValueError(f"{text[:40]!r} is no whole number.")
    return int(text)


def suggest(word: str, known: Sequence[str]) -> str:
    """Answer a sentence with what may have been meant, or all that there is."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}."
