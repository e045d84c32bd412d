"""``overlay.ini`` in the state directory: the settings that the web page and the API have changed.

They win over those of callbridged.ini. It is a file of the daemon's: it has a secret in it, and
nobody else needs to read it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from daemonkit.files import MAX_SECRET
from daemonkit.ini import ConfigurationFault, Fault, IniReader, Source, read_text
from daemonkit.inifile import parse
from daemonkit.replace import replace_file

NAME = "overlay.ini"
SECTION = "callbridge"
#: All that can be changed in this way.
KEYS = ("name", "domain", "server_address", "secret")

_HEADING = """\
# Written by callbridged when settings are changed on its web page or over its API. They win over
# those of its configuration file. `callbridgectl config reset` takes them out.

"""
_NOT_ALLOWED = (
    "this user may not read it. Run commands as root, and make it the daemon's own: "
    "chown callbridged:callbridged, chmod 600."
)
_COMMENT = re.compile(r"(?:^|\s);")


class ValueFault(Exception):
    """Values that cannot stand in an ini file: ``faults`` are of (key, sentence with a remedy)."""

    def __init__(self, faults: Iterable[tuple[str, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__(" ".join(f"{key}: {text}" for key, text in self.faults))


class NotAllowed(ConfigurationFault):
    """This user may not read the file."""


@dataclass(frozen=True)
class Overlay:
    """What is in the file, or is to be in it: ``text``, empty where there is no such file."""

    path: Path
    text: str = field(default="", repr=False)

    @property
    def source(self) -> Source:
        """The file, for faults and for where a setting comes from."""
        remedy = "Or take it out: callbridgectl config reset."
        return Source("overlay", self.path, remedy)

    def values(self) -> dict[str, str]:
        """Answer what is set. Raises ConfigurationFault where the file was damaged."""
        reader = IniReader(self.path, check_files=False, text="")
        reader.lay_over(self.text, self.source, {SECTION: KEYS})
        reader.section(SECTION).known.extend(KEYS)
        reader.finish()
        entries = parse(self.text).sections.get(SECTION, {})
        return {key: entry.value for key, entry in entries.items()}

    @property
    def keys(self) -> list[str]:
        """Answer what is set, also where the file was damaged."""
        return [key for key in KEYS if key in parse(self.text).sections.get(SECTION, {})]

    def with_values(self, values: Mapping[str, str]) -> Overlay:
        """Answer it with these values; the others stay.

        Raises:
            ValueFault: for values that would be read otherwise than they are written.
            ConfigurationFault: the file was damaged.
        """
        faults = [(key, fault) for key, value in values.items() if (fault := _fault(key, value))]
        if faults:
            raise ValueFault(faults)
        return self._having({**self.values(), **values})

    def without(self, keys: Iterable[str] = KEYS) -> Overlay:
        """Answer it without these. Raises ConfigurationFault as `values`, unless it is for all."""
        gone = set(keys)
        if gone.issuperset(KEYS):
            return replace(self, text="")
        return self._having({key: one for key, one in self.values().items() if key not in gone})

    def write(self) -> None:
        """Let this be in the file. Raises OSError; then what was there still is."""
        if self.text:
            replace_file(self.path, self.text.encode())
        else:
            self.path.unlink(missing_ok=True)

    def _having(self, values: Mapping[str, str]) -> Overlay:
        lines = [f"{key} = {values[key]}".rstrip() + "\n" for key in KEYS if key in values]
        text = "".join([_HEADING, f"[{SECTION}]\n", *lines]) if lines else ""
        return replace(self, text=text)


def read_overlay(state_directory: Path, *, damaged: bool = False) -> Overlay:
    """Answer the overlay in a state directory.

    Whether what is in it makes sense shows `callbridged.config.load`. ``damaged``: what cannot be
    read counts as empty, for who is about to take it away.

    Raises:
        ConfigurationFault: it cannot be read; NotAllowed: by this user.
    """
    path = state_directory / NAME
    try:
        there = path.exists()
    except PermissionError:
        raise NotAllowed(path, [Fault(_NOT_ALLOWED)]) from None
    if there and not os.access(path, os.R_OK):
        raise NotAllowed(path, [Fault(_NOT_ALLOWED)])
    try:
        return Overlay(path, read_text(path) if there else "")
    except ConfigurationFault:
        if damaged:
            return Overlay(path)
        raise


def _fault(key: str, value: str) -> str:
    """Answer why a value cannot stand in the file; mostly nothing."""
    if key not in KEYS:
        return f"there is no such setting here. There are: {', '.join(KEYS)}."
    if len(value) > MAX_SECRET:
        return f"it has {len(value)} characters, and {MAX_SECRET} are allowed. Make it shorter."
    if not value.isprintable():
        return "it has a line break or a control character in it. Write it in one line."
    if _COMMENT.search(value):
        return "in an ini file, a space and ; begin a comment. Choose one without."
    if value != value.strip():
        return "it begins or ends with a space. Remove it."
    if key == "secret" and not value:
        return "it is empty. Leave it out to keep the one that there is."
    return ""
