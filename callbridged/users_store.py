"""The users file as it is changed, be it by callbridgectl or by the daemon for the REST API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from callbridged.backends.file import FileBackendFactory
from callbridged.backends.users_file import MAX_FILE, Users, parse, put
from callbridged.config import Config
from callbridged.scram_keys import ITERATIONS, SCHEMES, ScramKeys
from daemonkit.edited_file import EditedFile


class UserThere(Exception):
    """There is such a user already."""


class NoSuchUser(Exception):
    """There is none."""


def users_file(config: Config) -> Path | None:
    """Answer where the first file backend has its users; None where they come from elsewhere."""
    for backend in config.users.backends:
        if isinstance(backend.factory, FileBackendFactory):
            path: Path = backend.argument
            return path
    return None


def derive(
    password: str, iterations: int = ITERATIONS, schemes: Iterable[str] = SCHEMES
) -> dict[str, ScramKeys]:
    """Answer the keys of a password for these mechanisms. Takes tens of milliseconds.

    Raises:
        ValueError: it cannot be a password.
    """
    return {scheme: ScramKeys.derive(scheme, password, iterations) for scheme in schemes}


class UsersStore:
    """One file. Every method may raise OSError, and nothing was changed then."""

    def __init__(self, path: Path) -> None:
        self._file = EditedFile(path, MAX_FILE, "callbridged")

    def read(self) -> Users:
        """Answer what the file says; no file is no users."""
        return parse(self._file.read())

    def add(self, name: str, keys: Mapping[str, ScramKeys]) -> None:
        """Put in a new user. Raises UserThere, also for one whose line is broken."""
        self._change(name, keys, _check_absent)

    def replace(self, name: str, keys: Mapping[str, ScramKeys]) -> None:
        """Give a user other keys. Raises NoSuchUser."""
        self._change(name, keys, _check_there)

    def remove(self, name: str) -> None:
        """Take a user out. Raises NoSuchUser."""
        self._change(name, None, _check_there)

    def _change(
        self, name: str, keys: Mapping[str, ScramKeys] | None, check: Callable[[Users, str], None]
    ) -> None:
        def changed(content: bytes) -> bytes:
            check(parse(content), name)
            return put(content, name, keys)

        self._file.change(changed)


def is_there(users: Users, name: str) -> bool:
    """True where the file has the user, be it in a broken line."""
    return name in users.keys or name in users.broken


def _check_absent(users: Users, name: str) -> None:
    if is_there(users, name):
        raise UserThere(name)


def _check_there(users: Users, name: str) -> None:
    if not is_there(users, name):
        raise NoSuchUser(name)
