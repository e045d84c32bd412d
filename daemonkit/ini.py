"""Settings out of an ini file, typed and within bounds, and every fault of the file at once.

::

    reader = IniReader(path)
    link = reader.section("link")
    timeout = link.duration("connect_timeout", 10.0, minimum=0.1, maximum=300.0)
    name = reader.section("callbridge").parsed("name", parse_label)
    reader.finish()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from daemonkit.files import MAX_FILE
from daemonkit.inifile import Fault, Source, parse
from daemonkit.section import Section
from daemonkit.setting import Findings, Setting
from daemonkit.values import REQUIRED, suggest

__all__ = ["REQUIRED", "ConfigurationFault", "Fault", "IniReader", "Section", "Setting", "Source"]


class ConfigurationFault(Exception):
    """A configuration that cannot be used. Its text names the file and every fault.

    ``each``: the faults as sentences, each with the file that it is in.
    """

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        def place(fault: Fault) -> tuple[bool, bool, int]:
            return fault.source is not None, fault.line is None, fault.line or 0

        def file(fault: Fault) -> Path:
            return path if fault.source is None else fault.source.path

        self.faults = tuple(sorted(faults, key=place))
        self.each = tuple(f"{file(fault)}, {fault}" for fault in self.faults)
        files = {file(fault) for fault in self.faults}
        whole = files.pop() if len(files) == 1 else path
        how_many = "one fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        lines = [
            str(fault) if file(fault) == whole else f"{file(fault)}, {fault}"
            for fault in self.faults
        ]
        super().__init__("\n  ".join([f"{whole} cannot be used, it has {how_many}:", *lines]))


class IniReader:
    """One file, read once.

    ``check_files`` False leaves alone the files that the settings name: a ctl command may run as
    a user who cannot read the daemon's keys. ``findings`` fill while sections are read: a warning
    is something that the daemon can live with.
    """

    def __init__(self, path: Path, *, check_files: bool = True, text: str | None = None) -> None:
        """Raises ConfigurationFault where the file cannot be read at all.

        ``text``: what is to stand in it, and need not yet.
        """
        self._file = parse(read_text(path) if text is None else text)
        self.findings = Findings(path, check_files, list(self._file.faults))
        self._sections: dict[str, Section] = {}

    def section(self, name: str) -> Section:
        """Answer the section; one that is not in the file has nothing but defaults."""
        if name not in self._sections:
            entries = self._file.sections.get(name, {})
            line = self._file.headings.get(name)
            self._sections[name] = Section(name, entries, self.findings, line)
        return self._sections[name]

    def peek(self, name: str) -> Section:
        """Answer the section for a look at a value ahead of its time: it notes nothing."""
        entries = self._file.sections.get(name, {})
        return Section(name, dict(entries), Findings(self.findings.path, False, []))

    def lay_over(self, text: str, source: Source, keys: Mapping[str, Sequence[str]]) -> None:
        """Let the values in another file, with this ``text``, win over those of this one.

        ``keys``: all that may be in it, by section. Comes before any of them is read.
        """
        file = parse(text)

        def fault(text: str, line: int | None) -> None:
            said = f"{text} {source.remedy}".rstrip()
            self.findings.faults.append(Fault(said, line, source))

        for one in file.faults:
            fault(one.text, one.line)
        for name, entries in file.sections.items():
            if name not in keys:
                fault(f"[{name}] cannot be here. {suggest(name, list(keys))}", file.headings[name])
                continue
            for key, entry in entries.items():
                if key in keys[name]:
                    self.section(name).lay_over(key, replace(entry, source=source))
                else:
                    hint = suggest(key, keys[name])
                    fault(f"[{name}] {key} cannot be here. {hint}", entry.line)

    def named_sections(self, kind: str) -> list[tuple[str, Section]]:
        """Answer the sections ``[kind NAME]`` in the order of the file, each with its name.

        A name is given as it is written; it is empty where there is none.
        """
        found = []
        for heading in self._file.headings:
            first, *rest = heading.split(maxsplit=1)
            if first == kind:
                found.append((rest[0] if rest else "", self.section(heading)))
        return found

    def finish(self) -> None:
        """Raises ConfigurationFault if there was any fault, unknown sections and keys included."""
        for name, line in self._file.headings.items():
            if name not in self._sections:
                text = f"there is no section [{name}]. {suggest(name, list(self._sections))}"
                self.findings.faults.append(Fault(text, line))
        for section in self._sections.values():
            section.report_unknown(self._sections.values())
        if self.findings.faults:
            raise ConfigurationFault(self.findings.path, self.findings.faults)


def find_socket(path: Path, section: str, default: Path) -> Path:
    """Answer the control socket that an ini file names, whatever else is wrong with it.

    Raises:
        ConfigurationFault: the file cannot be read.
    """
    return IniReader(path, check_files=False).section(section).socket("control_socket", default)


def read_text(path: Path) -> str:
    """Answer what is in the file. Raises ConfigurationFault."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE)
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        text = "there is no such file. Make it from the one that is shipped, or give --config FILE."
    except PermissionError:
        text = "this user may not read it. Give the daemon's user or group access, or run as root."
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigurationFault(
            path, [Fault("this is not UTF-8 text. Save the file as UTF-8.", line)]
        ) from None
    except OSError as error:
        text = f"it cannot be read: {error.strerror}. Give --config FILE."
    raise ConfigurationFault(path, [Fault(text)])
