"""The file backend: users in a file of SCRAM keys, read again when it has changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.plugin import IPlugin
from zope.interface import implementer

from callbridged.backends import (
    BackendFault,
    BackendUnavailable,
    BrokenAccount,
    IAccounts,
    IDecoySource,
    IMechanismsChange,
    ISettingsReader,
    IUserBackend,
    IUserBackendFactory,
)
from callbridged.backends.users_file import MAX_FILE, Users, parse
from callbridged.events import (
    USERS_FAULT,
    USERS_FAULTS,
    USERS_KEYS_MISSING,
    USERS_NOT_THERE,
    USERS_READ,
)
from callbridged.scram_keys import SCHEMES, Decoys, ScramKeys
from daemonkit.files import Signature, signature
from daemonkit.ini import IniReader
from daemonkit.tasks import detach

#: Broken lines that are logged one by one; of the others, the log gets the number.
MAX_FAULTS = 20
#: Seconds between looks at the file while nobody logs in.
LOOK_INTERVAL = 10.0

#: Runs a function with its arguments in a thread.
InThread = Callable[..., Deferred[Any]]


@implementer(IUserBackend, IDecoySource, IAccounts, IMechanismsChange)
class FileBackend(Service):
    """Users out of one file.

    The file is looked at for every login, which costs a stat, and read when it is another one than
    before: a changed password counts at once. Reading and PBKDF2 go on in threads.

    A SCRAM mechanism is there while all users have keys for it: a client that chose another one
    would fail, as if the password was wrong, and not try the one that would have let it in.
    """

    log = Logger()
    mechanisms = frozenset({*SCHEMES, "PLAIN"})

    def __init__(self, path: Path, reactor: Any) -> None:
        """``reactor`` provides IReactorThreads; its thread pool is used."""
        self.path = path
        self.changed: Callable[[], None] = lambda: None
        self._clock = reactor
        self._looking: IDelayedCall | None = None
        self._in_thread: InThread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
        self._reading = DeferredLock()
        self._signature: Signature | None = None
        self._users = Users()
        self._broken: frozenset[str] = frozenset()
        self.iterations = self._users.iterations()
        self._own_decoys = Decoys(os.urandom(32))

    def startService(self) -> None:
        """Look at the file now and then, so that the mechanisms are right before anyone asks."""
        super().startService()
        self._look_on()

    def stopService(self) -> None:
        super().stopService()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _keep_looking(self) -> None:
        self._looking = None
        try:
            with suppress(BackendUnavailable):  # whoever logs in says so
                await self._refresh()
        finally:
            if self.running:
                self._looking = self._clock.callLater(LOOK_INTERVAL, self._look_on)

    def _look_on(self) -> None:
        detach(self._keep_looking(), self.log, "looking at the users file")

    @property
    def decoy_key(self) -> bytes | None:
        """The one in the file; files that were not made by callbridgectl may have none."""
        return self._users.decoy_key

    async def scram_keys(self, username: str, mechanism: str) -> ScramKeys | None:
        """Answer the keys of a user. Raises BackendUnavailable where the file cannot be read."""
        await self._refresh()
        return self._find(username).get(mechanism)

    async def check_password(self, username: str, password: str) -> bool:
        """Check against the keys. Raises BackendUnavailable where the file cannot be read."""
        await self._refresh()
        keys = self._find(username)
        scheme = next((one for one in SCHEMES if one in keys), None)
        if scheme is None:
            scheme = self._users.checked_first()
            decoy = self._own_decoys.keys(username, scheme, self.iterations)
            await self._in_thread(decoy.check, scheme, password)
            return False
        right: bool = await self._in_thread(keys[scheme].check, scheme, password)
        return right

    async def fingerprint(self, username: str) -> bytes | None:
        """Answer a hash over the keys. Raises BackendUnavailable."""
        await self._refresh()
        keys = self._find(username)
        if not keys:
            return None
        parts = [scheme.encode() + one.stored_key for scheme, one in sorted(keys.items())]
        return hashlib.sha256(b"\0".join(parts)).digest()

    async def users(self) -> Users:
        """Answer what the file says now. Raises BackendUnavailable where it cannot be read."""
        await self._refresh()
        return self._users

    def _find(self, username: str) -> dict[str, ScramKeys]:
        if username in self._broken:
            raise BrokenAccount(f"the line of {username!r:.80} in {self.path} is broken")
        return dict(self._users.keys.get(username, {}))

    async def _refresh(self) -> None:
        if self._look() == self._signature:
            return
        # One at a time; those who waited find it done.
        await self._reading.acquire()
        try:
            signature = self._look()
            if signature != self._signature:
                users = await self._in_thread(self._read)
                self._take(users)
                self._signature = signature
        finally:
            self._reading.release()

    def _look(self) -> Signature:
        try:
            return signature(self.path)
        except OSError as error:
            raise self._unreadable(error) from None

    def _read(self) -> Users:
        """In a thread."""
        try:
            with self.path.open("rb") as file:
                content = file.read(MAX_FILE + 1)
        except OSError as error:
            raise self._unreadable(error) from None
        if len(content) > MAX_FILE:
            raise BackendUnavailable(f"{self.path} has more than {MAX_FILE} octets")
        users = parse(content)
        users.missing  # noqa: B018 - counted here, where it holds nobody up
        return users

    def _take(self, users: Users) -> None:
        before, self._users = self._users, users
        self._broken = users.broken
        self.iterations = users.iterations()
        self.log.info(USERS_READ, path=self.path, count=len(users.keys))
        for fault in users.faults[:MAX_FAULTS]:
            self.log.warn(USERS_FAULT, path=self.path, fault=fault)
        if len(users.faults) > MAX_FAULTS:
            more = len(users.faults) - MAX_FAULTS
            self.log.warn(USERS_FAULTS, path=self.path, more=more)
        missing = users.missing
        if missing and missing != before.missing:
            self._say_missing(missing)
        mechanisms = users.mechanisms()
        if mechanisms != self.mechanisms:
            self.mechanisms = mechanisms
            self.changed()

    def _say_missing(self, missing: Mapping[str, int]) -> None:
        self.log.warn(
            USERS_KEYS_MISSING,
            path=self.path,
            count=len(self._users.keys),
            missing=", ".join(f"{number} have no {name}" for name, number in missing.items()),
        )

    def _unreadable(self, error: OSError) -> BackendUnavailable:
        remedy = (
            "Make it with `callbridgectl user add NAME`, or correct backend under [users]"
            if isinstance(error, FileNotFoundError)
            else "Let the daemon's user read it: `chown root:callbridged` and `chmod 640`"
        )
        said = error.strerror or error
        return BackendUnavailable(f"{self.path} cannot be read: {said}. {remedy}")


@implementer(IPlugin, IUserBackendFactory, ISettingsReader)
class FileBackendFactory:
    """Opens ``file:PATH``."""

    prefix = "file"
    description = "the path of a file that callbridgectl user makes"

    def read(self, argument: str, ini: IniReader) -> Path:
        """Answer the path. Raises BackendFault."""
        path = Path(argument)
        if not path.is_absolute():
            raise BackendFault(
                "file: wants a whole path, like file:/etc/callbridged/users, and got "
                f"{argument[:80]!r}."
            )
        return path

    def open(self, path: Path, reactor: Any) -> FileBackend:
        """Answer the backend; the file need not be there yet."""
        if not os.access(path, os.R_OK):
            FileBackend.log.warn(USERS_NOT_THERE, path=path)
        return FileBackend(path, reactor)
