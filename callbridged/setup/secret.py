"""Where the secret of a Call Bridge stands, and how it gets there."""

from __future__ import annotations

from pathlib import Path

from callbridged.overlay import SECTION
from callbridged.setup.overlaid import Overlaid
from daemonkit.changes import Changes, read
from daemonkit.ini import IniReader
from daemonkit.ini_edit import Value

_DEFAULT = Path("/etc/callbridged/secret")


class Secret:
    """That of one ini file with this ``text``. ``there``: what it is, empty for none."""

    def __init__(self, ini: Path, text: str, overlaid: Overlaid) -> None:
        """Raises CtlFailure where it may not be read."""
        section = IniReader(ini, check_files=False, text=text).section("callbridge")
        self._ini = ini
        self._overlaid = overlaid
        self._inline = section.secret("secret")
        self._path = section.path("secret_file", _DEFAULT)
        self._beneath = self._inline or read(self._path).decode(errors="replace").strip()
        self.there = overlaid.secret or self._beneath

    def __repr__(self) -> str:
        return f"<Secret in {self._path}>"

    def plan(self, changes: Changes, secret: str) -> None:
        """Note what is to be written so that it is ``secret``; empty: it stays what it is."""
        there = self._ini if self._inline else self._path
        place = self._overlaid.path if self._overlaid.secret else there
        value = Value(SECTION, "secret", secret)
        if not secret or secret == self.there:
            changes.keep(place, "the secret")
        elif self._overlaid.decides(changes, value, gives_way=changes.replace):
            return
        elif secret == self._beneath:
            changes.keep(there, "the secret")
        elif self._inline:
            changes.faults.append(
                f"{self._ini} has another secret in it. Take it out: it then comes into "
                f"{self._path}."
            )
        else:
            changes.file(self._path, f"{secret}\n".encode(), "the secret")
