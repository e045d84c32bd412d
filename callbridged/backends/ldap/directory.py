"""What a directory is asked: who is called so, and does it take this password."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, replace
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.attempt import seconds_left
from callbridged.backends import unavailable
from callbridged.backends.ldap.interface import Connection, Entry, Result, ResultCode, Say, Search
from callbridged.backends.ldap.pool import Opener, Pool
from callbridged.backends.ldap.settings import LdapSettings, UserSearch
from callbridged.backends.ldap.words import refused, search_account_refused
from callbridged.events import DIRECTORY_SAYS_NOT_WHO

T = TypeVar("T")

#: Seconds. Timers are no more exact than that.
TICK = 0.002
#: How a directory says that somebody may not read an entry.
_UNSEEN = (ResultCode.NO_SUCH_OBJECT, ResultCode.INSUFFICIENT_ACCESS_RIGHTS)


@dataclass(frozen=True)
class Bound:
    """How a user's bind ended: what the server ``name`` said, after so many ``seconds``.

    ``entries``: what the user may read, where that was asked.
    """

    name: str
    result: Result
    seconds: float
    entries: tuple[Entry, ...] = ()


class BoundOpener:
    """Makes connections that are bound as the search account."""

    def __init__(self, opener: Opener, settings: LdapSettings, way: UserSearch) -> None:
        self._opener = opener
        self._settings = settings
        self._way = way

    async def open(self, until: float, say: Say) -> Connection:
        """Answer one. Raises StepFailure, also where the directory does not take the account."""
        connection = await self._opener.open(until, say)
        if self._way.bind_dn:
            say(f"the answer of {connection.name} to the bind of the search account")
            result = await connection.bind(self._way.bind_dn, self._way.bind_password)
            if result.code != ResultCode.SUCCESS:
                connection.close()
                raise search_account_refused(self._settings, connection.name, result)
        return connection

    def avoid(self, name: str) -> None:
        self._opener.avoid(name)


class Directory:
    """One directory. Searches and users' binds go over different connections.

    Methods take what is left of the login's time, and `LdapSettings.timeout` at most, from when
    `begin` was called. They raise BackendUnavailable.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, settings: LdapSettings, opener: Opener) -> None:
        """``opener`` makes connections that are not bound."""
        self._clock = clock
        self._settings = settings
        size, section = settings.connections, settings.section
        self._binds = Pool(clock, opener, size, section)
        self._searches = self._binds
        if isinstance(settings.way, UserSearch):
            self._searches = Pool(clock, BoundOpener(opener, settings, settings.way), size, section)
        self._says_who = True

    def begin(self) -> float:
        """Answer when a login that begins now has to be done."""
        return self._clock.seconds() + seconds_left(self._clock, self._settings.timeout)

    def close(self) -> None:
        """Close all connections."""
        self._binds.close()
        self._searches.close()

    async def search(self, search: Search, until: float) -> tuple[Entry, ...]:
        """Answer the entries, by the search account; one more than wanted where there are more."""

        async def work(connection: Connection, say: Say) -> tuple[Entry, ...]:
            return await self._search(connection, say, search)

        return await self._run(self._searches, work, until)

    async def bind(self, dn: str, password: str, until: float) -> Bound:
        """Answer how a user's bind ended."""

        async def work(connection: Connection, say: Say) -> Bound:
            return await self._bind(connection, say, dn, password)

        return await self._run(self._binds, work, until)

    async def bind_and_read(self, password: str, own: Search, until: float) -> Bound:
        """Bind as the base of the search ``own``, and let the user read it; nothing: may not."""

        async def work(connection: Connection, say: Say) -> Bound:
            bound = await self._bind(connection, say, own.base, password)
            if bound.result.code != ResultCode.SUCCESS or bound.result.policy is not None:
                return bound
            entries = await self._search(connection, say, own, unseen=_UNSEEN)
            return replace(bound, entries=entries)

        return await self._run(self._binds, work, until)

    async def wait(self, seconds: float, until: float) -> None:
        """Let so much time pass, if it is there and can be measured."""
        seconds = min(seconds, until - self._clock.seconds())
        if seconds > TICK:
            await deferLater(self._clock, seconds)

    async def _search(
        self, connection: Connection, say: Say, search: Search, unseen: Container[int] = ()
    ) -> tuple[Entry, ...]:
        say(f"the answer of {connection.name} to a search")
        result, entries = await connection.search(search)
        if result.code in unseen:
            return ()
        enough = result.code == ResultCode.SIZE_LIMIT_EXCEEDED and len(entries) >= search.limit
        if result.code != ResultCode.SUCCESS and not enough:
            raise refused(self._settings, connection.name, "a search", result)
        return entries

    async def _bind(self, connection: Connection, say: Say, dn: str, password: str) -> Bound:
        say(f"the answer of {connection.name} to a bind")
        began = self._clock.seconds()
        result = await connection.bind(dn, password)
        took = self._clock.seconds() - began
        if result.code == ResultCode.SUCCESS and self._says_who:
            await self._check_who(connection, say)
        return Bound(connection.name, result, took)

    async def _check_who(self, connection: Connection, say: Say) -> None:
        """A bind may succeed without a look at the password: nobody is bound then."""
        say(f"the answer of {connection.name} to who is bound")
        result, who = await connection.who_am_i()
        if result.code != ResultCode.SUCCESS:
            self._says_who = False
            self.log.info(
                DIRECTORY_SAYS_NOT_WHO,
                backend=self._settings.section,
                server=connection.name,
                result=str(result),
            )
        elif not who:
            raise StepFailure(
                Step.LOGIN,
                Reason.POLICY,
                f"{connection.name} says yes to a user's bind, and then that nobody is bound.",
                "It lets people in without looking at passwords. Do not use it for logins.",
            )

    async def _run(
        self, pool: Pool, work: Callable[[Connection, Say], Awaitable[T]], until: float
    ) -> T:
        try:
            return await pool.run(work, max(0.0, until - self._clock.seconds()))
        except StepFailure as failure:
            raise unavailable(failure.reason, failure.text, failure.remedy) from None
