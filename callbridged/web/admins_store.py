"""The administrators' file as callbridgectl changes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from callbridged.backends.sql.hashes import Argon2Hash
from callbridged.web.access import Role
from callbridged.web.admins_file import MAX_FILE, Account, Admins, parse, put
from daemonkit.edited_file import EditedFile
from daemonkit.terminal import CtlFailure


class AdminsStore:
    """One file. Every method raises CtlFailure where it cannot do what it says; then nothing was
    changed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = EditedFile(path, MAX_FILE, "callbridged")

    def read(self) -> Admins:
        """Answer what the file says; no file is no accounts."""
        try:
            return parse(self._file.read())
        except OSError as error:
            raise self._refused(error) from None

    def check_absent(self, name: str) -> None:
        """There is no such account, be it in a broken line."""
        _check_absent(self.read(), name)

    def check_there(self, name: str) -> None:
        """There is one, or its line is broken."""
        _check_there(self.read(), name)

    def add(self, name: str, role: Role, hashed: str) -> None:
        """Put in a new account."""

        def added(admins: Admins) -> Account:
            _check_absent(admins, name)
            return Account(name, role, Argon2Hash(hashed))

        self._change(name, added)

    def set_hash(self, name: str, hashed: str) -> None:
        """Give an account another password. One whose line is broken becomes a viewer."""

        def changed(admins: Admins) -> Account:
            _check_there(admins, name)
            account = admins.accounts.get(name)
            new = Argon2Hash(hashed)
            return Account(name, "viewer", new) if account is None else replace(account, hash=new)

        self._change(name, changed)

    def set_role(self, name: str, role: Role) -> None:
        """Give an account another role."""

        def changed(admins: Admins) -> Account:
            _check_there(admins, name)
            if name not in admins.accounts:
                raise CtlFailure(
                    f"the line of {name} is broken. Run callbridgectl admin passwd {name} first."
                )
            return replace(admins.accounts[name], role=role)

        self._change(name, changed)

    def remove(self, name: str) -> None:
        """Take an account out."""
        self._change(name, lambda admins: _check_there(admins, name))

    def _change(self, name: str, make: Callable[[Admins], Account | None]) -> None:
        try:
            self._file.change(lambda content: put(content, name, make(parse(content))))
        except OSError as error:
            raise self._refused(error) from None

    def _refused(self, error: OSError) -> CtlFailure:
        if isinstance(error, PermissionError):
            return CtlFailure(
                f"this user may not read and change {self.path}. Run this as root (sudo), or as "
                "the daemon's user."
            )
        said = error.strerror or error
        return CtlFailure(f"{self.path} cannot be changed: {said}. Check users_file in [admin].")


def _check_absent(admins: Admins, name: str) -> None:
    if _is_there(admins, name):
        raise CtlFailure(
            f"{name} is there already. callbridgectl admin passwd {name} changes the password, "
            f"callbridgectl admin role {name} the role."
        )


def _check_there(admins: Admins, name: str) -> None:
    if not _is_there(admins, name):
        raise CtlFailure(f"there is no {name}. callbridgectl admin list shows who there is.")


def _is_there(admins: Admins, name: str) -> bool:
    return name in admins.accounts or any(fault.user == name for fault in admins.faults)
