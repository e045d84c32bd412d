"""Typed settings out of an ini file, with bounds, and every fault of the file at once.

::

    reader = IniReader(path)
    link = reader.section("link")
    timeout = link.duration("connect_timeout", 10.0, minimum=0.1, maximum=300.0)
    name = reader.section("callbridge").parsed("name", parse_label)
    reader.finish()

A getter never raises. After a fault it answers the default, or None where there is none, whatever
its annotation says: `finish` raises before anyone uses it.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from daemonkit.inifile import Entry, Fault, parse
from daemonkit.units import parse_duration, parse_size, spell_duration

T = TypeVar("T")
Choice = TypeVar("Choice", bound=str)

#: Bytes in a configuration file or a secret file; beyond, it is some other file.
MAX_FILE = 1024 * 1024
#: Characters in a secret.
MAX_SECRET = 1024


class _Required:
    """The type of `REQUIRED`: there is no default."""


REQUIRED = _Required()


@dataclass(frozen=True)
class Setting:
    """One setting for people: its value as text (secrets hidden), and the line it stands in."""

    section: str
    key: str
    value: str
    line: int | None

    @property
    def origin(self) -> str:
        """``line 12`` or ``default``."""
        return "default" if self.line is None else f"line {self.line}"


class ConfigurationFault(Exception):
    """A configuration that cannot be used. Its text names the file and every fault."""

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        self.path = path
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.line is None, fault.line or 0)))
        how_many = "one fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        lines = [f"{path} cannot be used, it has {how_many}:", *map(str, self.faults)]
        super().__init__("\n  ".join(lines))


class IniReader:
    """One file, read once.

    ``check_files`` False leaves alone the files that the settings name: a ctl command may run as
    a user who cannot read the daemon's keys. ``settings`` and ``warnings`` fill as sections are
    read; a warning is something that the daemon can live with.
    """

    def __init__(self, path: Path, *, check_files: bool = True) -> None:
        """Raises ConfigurationFault where the file cannot be read at all."""
        self.path = path
        self.check_files = check_files
        self.settings: list[Setting] = []
        self.warnings: list[str] = []
        self.file = parse(_read_ini(path))
        self.faults = list(self.file.faults)
        self._sections: dict[str, Section] = {}

    def section(self, name: str) -> Section:
        """Answer the section; one that is not in the file has nothing but defaults."""
        return self._sections.setdefault(
            name, Section(self, name, self.file.sections.get(name, {}))
        )

    def finish(self) -> None:
        """Raises ConfigurationFault if there was any fault, unknown sections and keys included."""
        for name, line in self.file.headings.items():
            if name in self._sections:
                self._sections[name].report_unknown(self._sections)
            else:
                hint = _suggest(name, self._sections, "[{}]")
                self.faults.append(Fault(f"there is no section [{name}]. {hint}", line))
        if self.faults:
            raise ConfigurationFault(self.path, self.faults)


class Section:
    """One ``[section]``. ``known``: the keys that were asked for."""

    def __init__(self, reader: IniReader, name: str, entries: dict[str, Entry]) -> None:
        self._reader = reader
        self._name = name
        self._entries = entries
        self.known: list[str] = []

    def has(self, key: str) -> bool:
        """True where the file gives the key a value."""
        return key in self._entries and self._entries[key].value != ""

    def fault(self, key: str, text: str) -> None:
        """Record that the key's value is wrong; ``text`` is a sentence, and says the remedy."""
        entry = self._entries.get(key)
        self._reader.faults.append(
            Fault(f"[{self._name}] {key}: {text}", entry.line if entry else None)
        )

    def parsed(
        self,
        key: str,
        parse: Callable[[str], T],
        default: T | _Required = REQUIRED,
        *,
        shown: Callable[[T], str] = str,
    ) -> T:
        """Answer what ``parse`` makes of the value; it raises ValueError with a sentence.

        With the default None or an empty one, an empty value is the same as none; otherwise it is
        a fault. ``shown`` spells a value for people.
        """
        return self._get(key, lambda text: parse(self._one_line(text)), default, shown)

    def text(self, key: str, default: str | _Required = REQUIRED) -> str:
        """Answer one line of text."""
        return self.parsed(key, str, default)

    def lines(
        self,
        key: str,
        parse: Callable[[str], T],
        default: tuple[T, ...] | _Required = REQUIRED,
        *,
        separator: str = "\n",
    ) -> tuple[T, ...]:
        """Answer the parsed items, one a line or between commas; empty for an empty value.

        Every item that ``parse`` refuses is a fault.
        """

        def items(text: str) -> tuple[T, ...]:
            found, wrong = [], []
            for item in filter(None, map(str.strip, text.split(separator))):
                try:
                    found.append(parse(item))
                except ValueError as error:
                    wrong.append(str(error))
            if wrong:
                raise ValueError(" ".join(wrong))
            return tuple(found)

        joint = "," if separator == "," else ""
        return self._get(key, items, default, lambda value: f"{joint} ".join(map(str, value)), True)

    def duration(self, key: str, default: float, *, minimum: float, maximum: float) -> float:
        """Answer seconds within the bounds."""
        return self._bounded(key, parse_duration, default, minimum, maximum, spell_duration)

    def size(self, key: str, default: int, *, minimum: int, maximum: int) -> int:
        """Answer bytes within the bounds."""
        return self._bounded(key, parse_size, default, minimum, maximum, lambda size: f"{size}B")

    def integer(self, key: str, default: int, *, minimum: int, maximum: int) -> int:
        """Answer a whole number within the bounds."""
        return self._bounded(key, _whole_number, default, minimum, maximum, str)

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
        words = {"yes": True, "on": True, "true": True, "1": True}
        words |= {"no": False, "off": False, "false": False, "0": False}

        def decide(text: str) -> bool:
            if text.lower() not in words:
                raise ValueError(f"{text!r} is neither yes nor no.")
            return words[text.lower()]

        return self.parsed(key, decide, default, shown=lambda value: "yes" if value else "no")

    def path(self, key: str, default: Path | _Required = REQUIRED) -> Path:
        """Answer a path; a relative one is relative to the directory of the ini file."""
        return self.parsed(key, self._absolute, default)

    def readable_file(self, key: str, default: Path | _Required = REQUIRED) -> Path:
        """Answer the path of a file that is there and can be read."""
        path = self.path(key, default)
        if path is not None and self._reader.check_files:
            self._open(key, path)
        return path

    def secret_file(self, key: str, default: Path | _Required = REQUIRED) -> str:
        """Answer the one line that is in a file which not everybody may read."""
        path = self.path(key, default)
        if path is None or not self._reader.check_files:
            return ""
        content = self._open(key, path, secret=True)
        lines = content.strip().splitlines()
        if len(lines) == 1 and lines[0].isprintable() and len(lines[0]) <= MAX_SECRET:
            return lines[0].strip()
        if content or not any(
            fault.text.startswith(f"[{self._name}] {key}") for fault in self._reader.faults
        ):
            self.fault(
                key, f"{path} must hold the secret in one line of text, and has {len(lines)} lines."
            )
        return ""

    def secret(self, key: str) -> str:
        """Answer a secret that stands in the ini file itself, or the empty text."""

        def check(text: str) -> str:
            if len(text) > MAX_SECRET or not text.isprintable():
                raise ValueError(f"a secret is at most {MAX_SECRET} characters of text.")
            return text

        value = self.parsed(key, check, "", shown=lambda text: "(hidden)" if text else "")
        if value and _others_may_read(self._reader.path):
            self._reader.warnings.append(
                f"{self._reader.path} has a secret in it, and everybody may read it: "
                f"chmod o= {self._reader.path}, or use {key}_file."
            )
        return value

    def directory(self, key: str, default: Path) -> Path:
        """Answer a directory that may be written to, or that may yet have to be made."""
        path = self.path(key, default)
        if self._reader.check_files and path.exists():
            if not path.is_dir():
                self.fault(key, f"{path} is not a directory. Name another, or move that file away.")
            elif not os.access(path, os.W_OK | os.X_OK):
                self.fault(key, f"this user may not write to {path}. Make it the daemon's own.")
        return path

    def socket(self, key: str, default: Path, limit: int = 107) -> Path:
        """Answer the path of a UNIX socket; ``limit``: bytes that the system allows in it."""
        path = self.path(key, default)
        if len(os.fsencode(path)) > limit:
            self.fault(key, f"{path} is longer than {limit} bytes. Choose a shorter path.")
        return path

    def report_unknown(self, sections: dict[str, Section]) -> None:
        """Record a fault for each key that nobody asked for."""
        for key, entry in self._entries.items():
            if key in self.known:
                continue
            homes = [name for name, section in sections.items() if key in section.known]
            if homes:
                hint = f"It belongs to [{homes[0]}]."
            else:
                hint = _suggest(key, self.known, "{}")
            self._reader.faults.append(
                Fault(f"[{self._name}] has no key {key}. {hint}", entry.line)
            )

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
        line = None
        if entry is not None and (entry.value or may_be_empty):
            line = entry.line
            try:
                value = parse(entry.value)
            except ValueError as error:
                self.fault(key, str(error))
        elif isinstance(default, _Required):
            self.fault(key, "a value is needed. Add it.")
        elif entry is not None and default not in (None, ""):
            self.fault(
                key, f"it is empty. Give it a value, or remove it for the default, {shown(value)}."
            )
        text = "" if value is None else shown(value)
        self._reader.settings.append(Setting(self._name, key, text, line))
        return value

    def _bounded(
        self,
        key: str,
        parse: Callable[[str], T],
        default: T,
        minimum: T,
        maximum: T,
        spell: Callable[[T], str],
    ) -> T:
        def within(text: str) -> T:
            value = parse(text)
            if not minimum <= value <= maximum:  # type: ignore[operator]  numbers, all of them
                raise ValueError(f"{text} is not within {spell(minimum)} and {spell(maximum)}.")
            return value

        return self.parsed(key, within, default, shown=spell)

    def _one_line(self, text: str) -> str:
        if "\n" in text:
            raise ValueError(
                "the value has several lines, and only one is wanted. Is a line below it indented?"
            )
        return text

    def _absolute(self, text: str) -> Path:
        return self._reader.path.absolute().parent / text

    def _open(self, key: str, path: Path, *, secret: bool = False) -> str:
        """Answer the beginning of a file; after a fault, the empty text."""
        where = f"{path}" if self.has(key) else f"it is not set, and its default {path}"
        try:
            if not path.is_file():
                missing = not path.exists()
                what = "is not there. Put it there" if missing else "is no file. Name a file"
                self.fault(key, f"{where} {what}, or correct the path.")
                return ""
            if secret and _others_may_read(path):
                self.fault(
                    key,
                    f"{path} can be read by everybody. Run chmod o= {path}, and make it belong to "
                    "the daemon's user or group.",
                )
                return ""
            with path.open("rb") as file:
                return file.read(MAX_FILE).decode("utf-8") if secret else ""
        except PermissionError:
            self.fault(
                key, f"this user may not read {path}. Give the daemon's user or group access to it."
            )
        except UnicodeDecodeError:
            self.fault(key, f"{path} is not text. Put the secret into it, in one line.")
        except OSError as error:
            self.fault(key, f"{path} cannot be read: {error.strerror}.")
        return ""


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 15:
        raise ValueError(f"{text[:40]!r} is no whole number.")
    return int(text)


def _others_may_read(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IROTH)


def _suggest(word: str, known: Sequence[str] | dict[str, Section], form: str) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if close:
        return f"Did you mean {form.format(close[0])}?"
    return f"There are: {', '.join(form.format(one) for one in known)}."


def _read_ini(path: Path) -> str:
    try:
        content = path.read_bytes()[:MAX_FILE]
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        text = "there is no such file. Make it from the one that is shipped, or give --config FILE."
    except IsADirectoryError:
        text = "it is a directory. Give --config FILE."
    except PermissionError:
        text = "this user may not read it. Give the daemon's user or group access, or run as root."
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigurationFault(
            path, [Fault("this is not UTF-8 text. Save the file as UTF-8.", line)]
        ) from None
    except OSError as error:
        text = f"it cannot be read: {error.strerror}."
    raise ConfigurationFault(path, [Fault(text)])
