"""What was set on the web page or over the API, where ``callbridgectl setup`` wants another."""

from __future__ import annotations

from pathlib import Path

from callbridged.config_callbridge import overlay_path
from callbridged.overlay import SECTION, Overlay, read_overlay
from daemonkit import ini_edit
from daemonkit.changes import Changes
from daemonkit.ini_edit import Value

_OTHER = (
    "{} has {}, set on the web page or over the API, and it was to be {}. callbridgectl config "
    "reset {} takes it out, or add --replace."
)


class Overlaid:
    """The overlay that belongs to an ini file with this ``text``."""

    def __init__(self, ini: Path, text: str) -> None:
        """Raises ConfigurationFault where it cannot be read, or was damaged."""
        self._overlay = read_overlay(overlay_path(ini, text).parent)
        self._values = self._overlay.values()
        self._gone: set[str] = set()

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._overlay.path

    @property
    def secret(self) -> str:
        """The secret in it; empty where there is none."""
        return self._values.get("secret", "")

    @property
    def left(self) -> Overlay:
        """What will be there."""
        return self._overlay.without(self._gone) if self._gone else self._overlay

    def over(self, text: str) -> str:
        """Answer the text of the ini file with the names that are in force."""
        names = [key for key in ("name", "domain") if key in self._values]
        return ini_edit.put(text, [Value(SECTION, key, self._values[key]) for key in names])

    def decides(self, changes: Changes, value: Value, *, gives_way: bool) -> bool:
        """True where this value is no matter of the ini file: it is set here.

        Where it is another one, it ``gives_way``, or is in the way.
        """
        there = self._values.get(value.key) if value.section == SECTION else None
        if there is None or value.key in self._gone:
            return False
        if there == value.text:
            return True
        if gives_way:
            self._gone.add(value.key)
            return False
        is_secret = value.key == "secret"
        changes.faults.append(
            _OTHER.format(
                self.path,
                "another secret" if is_secret else Value(SECTION, value.key, there),
                "the one of the join file" if is_secret else value.text or "empty",
                value.key,
            )
        )
        return True

    def plan(self, changes: Changes) -> None:
        """Note what is to be taken out."""
        if self._gone:
            what = ", ".join(sorted(self._gone))
            changes.add(self.path, f"sets {what} no longer", self.left.write)
