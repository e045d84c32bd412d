"""Who the administrators are: looked up in their file, and their passwords checked in threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from unicodedata import normalize

from twisted.logger import Logger

from callbridged.backends.sql.hashes import USUAL_ARGON2
from callbridged.events import ADMIN_HASH_WEAK, ADMINS_FAULT, ADMINS_READ, ADMINS_UNREADABLE
from callbridged.web.admins_file import MAX_FILE, Account, Admins, parse
from daemonkit.files import Signature, signature
from daemonkit.workers import Workers

#: Hashes that are computed at once, each of which takes 64 MiB, and requests that wait for one.
THREADS = 2
MAX_WAITING = 20
#: Characters of a password.
MIN_PASSWORD = 8
MAX_PASSWORD = 1024
#: Broken lines that are logged.
_MAX_FAULTS = 5

#: account -> what has become of it: ``added``, ``removed``, ``role``, ``password``.
Changes = Mapping[str, str]


class Busy(Exception):
    """So many passwords are being checked that this one cannot be."""


class Accounts:
    """Those in one file. It is looked at whenever somebody asks, and read when it is another one.

    A file that cannot be read lets nobody in. ``changed`` is told what a new one brings.
    """

    log = Logger()

    def __init__(self, path: Path, workers: Workers) -> None:
        """``workers``: `THREADS` of them."""
        self.changed: Callable[[Changes], None] = lambda _: None
        self._workers = workers
        self._path = path
        self._signature: Signature | None = None
        self._admins = Admins()
        self._known = False
        self._checking = 0

    def move(self, path: Path) -> None:
        """Look at another file from now on."""
        if path != self._path:
            self._path = path
            self._signature = None
            self._known = False

    def find(self, name: str) -> Account | None:
        """Answer the account of this name, as the file is now."""
        self.look()
        return self._admins.accounts.get(name)

    def look(self) -> None:
        """See whether the file is another one. It is small: this takes no thread."""
        try:
            found = signature(self._path)
            if self._known and found == self._signature:
                return
            with self._path.open("rb") as file:
                content = file.read(MAX_FILE + 1)
            if len(content) > MAX_FILE:
                raise OSError(0, f"it has more than {MAX_FILE} octets")
        except OSError as error:
            if not self._known or self._signature is not None:
                self.log.warn(ADMINS_UNREADABLE, path=self._path, why=error.strerror)
            self._take(Admins(), None)
            return
        self._take(parse(content), found)
        self._say_read()

    async def check(self, name: str, password: str) -> Account | None:
        """Answer the account if the password is its own. Takes as long where there is none.

        Raises Busy.
        """
        account = self.find(name) if len(password) <= MAX_PASSWORD else None
        if self._checking >= MAX_WAITING:
            raise Busy
        hashed = USUAL_ARGON2 if account is None else account.hash
        self._checking += 1
        try:
            right = await self._workers.run(hashed.check, prepare(password[:MAX_PASSWORD]))
        finally:
            self._checking -= 1
        if account is None or not right:
            return None
        if account.is_weak:
            self.log.warn(ADMIN_HASH_WEAK, user=account.name)
        # While it was checked it may have been taken away.
        return account if self.find(name) == account else None

    def _take(self, admins: Admins, found: Signature | None) -> None:
        was_known, before = self._known, self._admins.accounts
        self._admins, self._signature, self._known = admins, found, True
        changes = dict(_changes(before, admins.accounts))
        if was_known and changes:
            self.changed(changes)

    def _say_read(self) -> None:
        self.log.info(ADMINS_READ, path=self._path, count=len(self._admins.accounts))
        for fault in self._admins.faults[:_MAX_FAULTS]:
            self.log.warn(ADMINS_FAULT, path=self._path, fault=fault)


def _changes(before: Mapping[str, Account], now: Mapping[str, Account]) -> list[tuple[str, str]]:
    found = []
    for name in {**before, **now}:
        old, new = before.get(name), now.get(name)
        if old is None:
            found.append((name, "added"))
        elif new is None:
            found.append((name, "removed"))
        elif old.role != new.role:
            found.append((name, "role"))
        elif old.hash != new.hash:
            found.append((name, "password"))
    return found


def prepare(password: str) -> str:
    """Answer a password in one form, however a keyboard composes its letters (RFC 8265)."""
    return normalize("NFC", password)


def hash_password(password: str) -> str:
    """Answer the argon2id hash of a new password (RFC 9106 section 4, where memory is scarce).

    Raises:
        ValueError: it cannot be one; with a sentence.
    """
    prepared = prepare(password)
    if not MIN_PASSWORD <= len(prepared) <= MAX_PASSWORD:
        raise ValueError(f"it has to have {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    argon2 = import_module("argon2")
    return str(argon2.PasswordHasher().hash(prepared))
