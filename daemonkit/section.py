"""One section of an ini file: its values, and what the paths among them lead to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from daemonkit import credentials, files
from daemonkit.setting import HIDDEN
from daemonkit.values import REQUIRED, Required, Values

T = TypeVar("T")

#: Bytes in the name of a UNIX socket on Linux, see unix(7).
_MAX_SOCKET = 107


class Section(Values):
    """One ``[section]``. Files are looked at only where `Findings.check_files` says so."""

    def path(self, key: str, default: Path | Required = REQUIRED) -> Path:
        """Answer a path; a relative one is relative to the directory of the ini file."""
        return self.parsed(key, self._findings.path.absolute().parent.joinpath, default)

    def readable_file(self, key: str, default: Path | Required = REQUIRED) -> Path:
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

    def secret_file(self, key: str, default: Path | Required = REQUIRED) -> str:
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
