"""What a command is about to change, all known before anything is: files, settings, faults.

First everything is put together. Then either all that is in the way is told and nothing was
changed, or it is done in the order in which it was asked for, each file atomically: a second run
goes on where one was cut off.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daemonkit import ini_edit
from daemonkit.ini_edit import Value
from daemonkit.replace import replace_file
from daemonkit.terminal import CtlFailure, paint, wrapped


@dataclass(frozen=True)
class Change:
    """``do`` changes what is at ``path``; None: it stays as it is. ``text`` says what it is."""

    path: Path
    text: str
    do: Callable[[], object] | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, object]:
        """Answer ``{"path", "changed", "text"}``."""
        return {"path": str(self.path), "changed": self.do is not None, "text": self.text}

    def lines(self) -> list[str]:
        """Answer it for people."""
        word = "as is " if self.do is None else paint("change", "bold")
        return wrapped(f"{word}  ", f"{self.path}: {self.text}", len("change  "))


class Changes:
    """Those of one run. ``replace``: what is there already gives way where it is different."""

    def __init__(self, *, replace: bool) -> None:
        self.replace = replace
        self.all: list[Change] = []
        self.faults: list[str] = []

    @property
    def any(self) -> bool:
        """True where something is to be changed."""
        return any(one.do is not None for one in self.all)

    def add(self, path: Path, text: str, do: Callable[[], object]) -> None:
        """Note what is to be done at ``path``; it may raise OSError."""
        self.all.append(Change(path, text, do))

    def keep(self, path: Path, text: str) -> None:
        """Note that something stays as it is."""
        self.all.append(Change(path, text))

    def file(
        self, path: Path, content: bytes, text: str, *, public: bool = False, replace: bool = False
    ) -> None:
        """Let the file have this content. An empty one counts as none.

        ``public``: others may read it. ``replace``: this one may give way in any case.
        """
        there = read(path)
        if there == content:
            self.keep(path, text)
        elif there.strip() and not replace and not self.replace:
            self.faults.append(
                f"{path} is there already, and is another one. Move it away, or add --replace."
            )
        else:
            self.add(path, text, lambda: _write(path, content, public))

    def settings(
        self,
        path: Path,
        text: str,
        values: Sequence[Value],
        *,
        shipped: Sequence[Value] = (),
        told: Sequence[Value] = (),
    ) -> str:
        """Let the ini file, which has this ``text`` now, have these values; answer its new text.

        What it has in ``shipped`` came with it, and was nobody's choice. ``told``: more values,
        for which others give way.
        """
        wanted = []
        for value in (*values, *told):
            there = ini_edit.find(text, value.section, value.key)
            if there is not None and there.value == value.text:
                continue
            old = Value(value.section, value.key, there.value if there else "")
            free = self.replace or value in told or old in shipped
            if there and there.value and not free:
                self.faults.append(
                    f"{path}, line {there.line}, has {old}, and it was to be {value.text}. Change "
                    "it there, or add --replace."
                )
            else:
                wanted.append(value)
        if wanted:
            text = ini_edit.put(text, wanted)
            content = text.encode()
            said = ", ".join(map(str, wanted))
            self.add(path, said, lambda: _write(path, content, True))
        else:
            self.keep(path, ", ".join(map(str, (*values, *told))) or "its settings")
        return text

    def check(self) -> None:
        """Raise CtlFailure with all that is in the way; nothing was changed."""
        above = {_existing(one.path.parent) for one in self.all if one.do is not None}
        faults = [
            *self.faults,
            *(
                f"{path} may not be written to by this user. Run this as root."
                for path in sorted(above)
                if not os.access(path, os.W_OK | os.X_OK)
            ),
        ]
        if faults:
            raise CtlFailure("\n  ".join(["nothing was changed:", *dict.fromkeys(faults)]))

    def apply(self) -> None:
        """Do everything. Raises CtlFailure where that fails; a second run goes on there."""
        for one in self.all:
            try:
                if one.do is not None:
                    one.do()
            except OSError as error:
                raise CtlFailure(
                    f"{one.path} cannot be changed: {error.strerror}. What was written before it "
                    "stays: mend this, and run the same command again."
                ) from None


def read(path: Path) -> bytes:
    """Answer what is in a file, nothing where there is none. Raises CtlFailure."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise CtlFailure(
            f"{path} cannot be read: {error.strerror}. Run this as root, and correct the path if "
            "it is wrong."
        ) from None


def _write(path: Path, content: bytes, public: bool) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, content, public=public)


def _existing(path: Path) -> Path:
    return path if path.exists() or path == path.parent else _existing(path.parent)
