"""A small file that commands change while a daemon reads it: whole, one change at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from daemonkit.replace import directory_lock, replace_file


class EditedFile:
    """One file of at most ``limit`` octets; a new one is readable for the group of ``account``.

    Every method may raise OSError, and nothing was changed then.
    """

    def __init__(self, path: Path, limit: int, account: str) -> None:
        self.path = path
        self._limit = limit
        self._account = account

    def read(self) -> bytes:
        """Answer what is in it; nothing where it is not there."""
        try:
            with self.path.open("rb") as file:
                content = file.read(self._limit + 1)
        except FileNotFoundError:
            return b""
        if len(content) > self._limit:
            raise OSError(f"it has more than {self._limit} octets, and is some other file")
        return content

    def change(self, make: Callable[[bytes], bytes]) -> None:
        """Put what ``make`` makes of its content in its place. What ``make`` raises is raised."""
        with directory_lock(self.path):
            content = make(self.read())
            if len(content) > self._limit:  # nobody would read it any more
                raise OSError(f"it would have more than {self._limit} octets")
            replace_file(self.path, content, account=self._account)
