"""The SQL backend: looks into the database for every login."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, Generic, TypeVar

from twisted.application.service import MultiService
from twisted.plugin import IPlugin
from zope.interface import implementer

from callbridged.backends import (
    AccountRefused,
    BackendFault,
    BrokenAccount,
    IAccounts,
    IDecoySource,
    ISettingsReader,
    IUserBackend,
    IUserBackendFactory,
    section_name,
)
from callbridged.backends.sql.account import Account, read_account
from callbridged.backends.sql.hashes import (
    USUAL_ARGON2,
    Checkable,
    MissingLibrary,
    ScramSecret,
    import_argon2,
    import_bcrypt,
)
from callbridged.backends.sql.location import SqliteFile
from callbridged.backends.sql.postgresql import connector
from callbridged.backends.sql.questions import Connect, Questions
from callbridged.backends.sql.settings import SqlSettings, read_settings
from callbridged.backends.sql.sqlite import SqliteConnection
from callbridged.scram_keys import ITERATIONS, SCHEMES, Decoys, ScramKeys
from daemonkit.ini import IniReader
from daemonkit.workers import Workers

#: So many of those who logged in last say what is usual.
REMEMBERED = 64

T = TypeVar("T")


@implementer(IUserBackend, IAccounts, IDecoySource)
class SqlBackend(MultiService):
    """Users in a database. Questions and hashes have threads of their own each."""

    decoy_key = None

    def __init__(self, settings: SqlSettings, questions: Questions, hashing: Workers) -> None:
        super().__init__()
        self.mechanisms = settings.mechanisms
        self._hash_memory = settings.hash_memory
        self._questions = questions
        self._hashing = hashing
        self._iterations = _Usual(ITERATIONS)
        self._checked = _Usual(_first_decoy(settings))
        questions.setServiceParent(self)
        hashing.setServiceParent(self)

    @property
    def iterations(self) -> int:
        """Those of most users."""
        return self._iterations.value

    async def scram_keys(self, username: str, mechanism: str) -> ScramKeys | None:
        """Answer the keys of a user. Raises BackendUnavailable."""
        account = await self._look_up(username)
        if account is None or account.checkable is None:
            return None
        keys = account.scram.get(mechanism)
        if keys is None:
            raise BrokenAccount(
                f"mechanisms has {mechanism}, and {username!r:.80} has no keys for it. Give all "
                "users such keys, or take it out of mechanisms."
            )
        self._iterations.note(keys.iterations)
        return keys

    async def check_password(self, username: str, password: str) -> bool | str:
        """Answer as `IUserBackend`. Raises BackendUnavailable and AccountRefused."""
        account = await self._look_up(username)
        if account is None or account.checkable is None:
            await self._hashing.run(self._checked.value.check, password)
            return False
        right = await self._hashing.run(account.checkable.check, password)
        self._checked.note(account.checkable.decoy())
        if not right:
            return False
        if account.refusal is not None:
            raise AccountRefused(account.refusal, "the password was right")
        return account.username or True

    async def fingerprint(self, username: str) -> bytes | None:
        """Answer a hash over what is kept of the password; None also for who is let in no more.

        Raises BackendUnavailable.
        """
        account = await self._look_up(username)
        if account is None or account.refusal is not None:
            return None
        return account.fingerprint()

    async def _look_up(self, username: str) -> Account | None:
        if not _can_be_asked(username):
            return None
        found = await self._questions.ask(username)
        return read_account(username, found, self._hash_memory)


def _can_be_asked(username: str) -> bool:
    """False for a name that no database could have: PostgreSQL's text knows no NUL."""
    try:
        return b"\0" not in username.encode()
    except UnicodeEncodeError:
        return False


def _first_decoy(settings: SqlSettings) -> Checkable:
    """Answer what takes as long as most users' passwords, as long as nobody logged in."""
    first = next((one for one in SCHEMES if one in settings.mechanisms), None)
    if first is None:
        return USUAL_ARGON2
    return ScramSecret(first, Decoys(b"").keys("", first, ITERATIONS))


class _Usual(Generic[T]):
    """What most of those have who were seen last."""

    def __init__(self, at_first: T) -> None:
        self._at_first = at_first
        self._seen: deque[T] = deque(maxlen=REMEMBERED)

    def note(self, value: T) -> None:
        """One more."""
        self._seen.append(value)

    @property
    def value(self) -> T:
        """Answer it."""
        usual = Counter(self._seen).most_common(1)
        return usual[0][0] if usual else self._at_first


@implementer(IPlugin, IUserBackendFactory, ISettingsReader)
class SqlBackendFactory:
    """Opens ``sql:NAME``."""

    prefix = "sql"
    description = "the NAME of a section [sql NAME], with a database of users"

    def read(self, argument: str, ini: IniReader) -> SqlSettings:
        """Read ``[sql NAME]``. Raises BackendFault where there is no name."""
        return read_settings(ini.section(f"sql {section_name(self.prefix, argument, 'meet')}"))

    def open(self, argument: SqlSettings, reactor: Any) -> SqlBackend:
        """Answer the backend; the database need not be there. Raises BackendFault."""
        try:
            connect = _connect(argument)
            if argument.mechanisms == {"PLAIN"}:  # there are hashes
                import_argon2()
                import_bcrypt()
        except MissingLibrary as fault:
            raise BackendFault(str(fault)) from None
        asking = Workers(reactor, argument.connections, "sql")
        hashing = Workers(reactor, argument.hash_threads, "sql-hash")
        questions = Questions(reactor, asking, connect, argument.timeout)
        return SqlBackend(argument, questions, hashing)


def _connect(settings: SqlSettings) -> Connect:
    if isinstance(settings.database, SqliteFile):
        path = settings.database.path
        return lambda _seconds: SqliteConnection(path, settings.query)
    return connector(settings.database, settings.password, settings.query)
