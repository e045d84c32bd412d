"""A directory in memory, behind the connections that a backend uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.backends.ldap.backend import LdapBackend, SearchBackend, UserDnBackend
from callbridged.backends.ldap.directory import Directory
from callbridged.backends.ldap.interface import Entry, Result, ResultCode, Say, Search
from callbridged.backends.ldap.settings import LdapSettings, UserSearch
from callbridged.backends.ldap.templates import Template, parse_filter
from callbridged.backends.ldap.urls import parse_url

BASE = "ou=people,dc=example,dc=com"
SERVICE = "cn=callbridge,dc=example,dc=com"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
#: What the search account sees of every user besides.
USUAL = {
    "entryuuid": (b"f81d4fae-7dec-11d0-a765-00a0c91e6bf6",),
    "modifytimestamp": (b"20261101000000Z",),
}


def settings(**changes: Any) -> LdapSettings:
    """The settings of a directory, with round durations."""
    given: dict[str, Any] = {
        "name": "office",
        "urls": (parse_url("ldap://ldap.example.com"),),
        "start_tls": False,
        "authorities": None,
        "identity": None,
        "way": UserSearch(BASE, "sub", parse_filter("(uid={username})"), SERVICE, "hunter2"),
        "username_attribute": "uid",
        "username_domain": "",
        "mechanisms": frozenset({"PLAIN"}),
        "scram_attribute": "",
        "iterations": 4096,
        "timeout": 5.0,
        "connections": 2,
    }
    return LdapSettings(**(given | changes))


def entry(name: str, /, dn: str | None = None, **attributes: object) -> Entry:
    """A user's entry; an attribute may be text, octets, or several of them, None: not there."""
    own = {key.lower(): value for key, value in attributes.items()}
    given: dict[str, object] = {"uid": name, **USUAL, **own}
    return Entry(
        dn or f"uid={name},{BASE}",
        {
            key: tuple(
                one if isinstance(one, bytes) else str(one).encode()
                for one in (value if isinstance(value, tuple) else (value,))
            )
            for key, value in given.items()
            if value is not None
        },
    )


class MemoryDirectory:
    """Entries and passwords; provides `pool.Opener`. ``asked``: what it was, in order."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.passwords: dict[str, str] = {SERVICE: "hunter2"}
        #: DN -> how its binds end, whatever the password.
        self.results: dict[str, Result] = {}
        #: How searches end that find nothing wrong.
        self.searched = Result(ResultCode.SUCCESS)
        self.who: tuple[Result, str | None] = (Result(ResultCode.SUCCESS), None)
        self.asked: list[tuple[str, ...]] = []
        self.connections: list[MemoryConnection] = []
        self.avoided: list[str] = []
        #: Waits before each answer.
        self.held: list[Deferred[None]] = []
        self.hold = False
        self.failure: StepFailure | None = None

    async def open(self, until: float, say: Say) -> MemoryConnection:
        if self.failure is not None:
            raise self.failure
        connection = MemoryConnection(self)
        self.connections.append(connection)
        return connection

    def avoid(self, name: str) -> None:
        self.avoided.append(name)

    def add(self, name: str, password: str, /, **attributes: Any) -> Entry:
        """Add a user."""
        added = entry(name, **attributes)
        self.entries.append(added)
        self.passwords[added.dn] = password
        return added

    def find(self, search: Search) -> list[Entry]:
        """Answer entries that have one of the values in the filter, in any case."""
        if search.scope == "base":
            return [one for one in self.entries if one.dn.lower() == search.base.lower()]
        wanted = [
            (name.lower(), re.sub(r"\\(..)", lambda one: chr(int(one[1], 16)), value).lower())
            for name, value in re.findall(r"\(([a-zA-Z]+)=([^()]*)\)", search.filter)
        ]
        return [
            one
            for one in self.entries
            if any(
                value in [had.decode().lower() for had in one.attributes.get(name, ())]
                for name, value in wanted
            )
        ]


class MemoryConnection:
    """One connection to it."""

    name = "ldap://ldap.example.com"

    def __init__(self, directory: MemoryDirectory) -> None:
        self.usable = True
        self.bound = ""
        self._directory = directory
        self._lost: list[Deferred[None]] = []

    async def bind(self, dn: str, password: str) -> Result:
        await self._turn("bind", dn)
        directory = self._directory
        right = directory.passwords.get(dn) == password
        usual = Result(ResultCode.SUCCESS if right else ResultCode.INVALID_CREDENTIALS)
        result = directory.results.get(dn, usual)
        self.bound = dn if result.code == ResultCode.SUCCESS else ""
        return result

    async def search(self, search: Search) -> tuple[Result, tuple[Entry, ...]]:
        await self._turn("search", search.filter, self.bound)
        found = self._directory.find(search)
        result = self._directory.searched
        if len(found) > search.limit:
            result = Result(ResultCode.SIZE_LIMIT_EXCEEDED)
        return result, tuple(found[: search.limit])

    async def who_am_i(self) -> tuple[Result, str]:
        await self._turn("who am i")
        result, who = self._directory.who
        return result, f"dn:{self.bound}" if who is None else who

    def close(self) -> None:
        self.lose("it was closed")

    def lose(self, why: str = "the server has closed it") -> None:
        """It is gone."""
        self.usable = False
        lost, self._lost = self._lost, []
        for turn in lost:
            if not turn.called:
                turn.errback(_gone(why))

    def _cancelled(self, turn: Deferred[None]) -> None:
        self._lost.remove(turn)
        self.close()

    async def _turn(self, *what: str) -> None:
        if not self.usable:
            raise _gone("it is closed")
        self._directory.asked.append(what)
        if self._directory.hold:
            turn: Deferred[None] = Deferred(self._cancelled)
            self._directory.held.append(turn)
            self._lost.append(turn)
            await turn


def _gone(why: str) -> StepFailure:
    return StepFailure(Step.LOGIN, Reason.LINK_LOST, f"The connection is gone: {why}.")


class BackendCase(SynchronousTestCase):
    """A backend before a directory in memory, and what is logged."""

    changes: Mapping[str, Any] = {}

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = MemoryDirectory()
        self.alice = self.directory.add("alice", "wonderland")
        self.backend = self.make(**self.changes)
        self.logged: list[str] = []

        def observe(event: Any) -> None:
            self.logged.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def make(self, **changes: Any) -> LdapBackend:
        ours = settings(**changes)
        directory = Directory(self.clock, ours, self.directory)
        way = ours.way
        if isinstance(way, Template):
            return UserDnBackend(ours, directory, way, lambda: NOW)
        return SearchBackend(ours, directory, way, lambda: NOW)

    def outcome(self, work: Any) -> Any:
        """What came of it, an exception included."""
        outcomes: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(outcomes.append)
        self.assertEqual(len(outcomes), 1, "it still waits")
        (found,) = outcomes
        return found.value if isinstance(found, Failure) else found

    def check(self, name: str = "alice", password: str = "wonderland") -> Any:
        """What a login by PLAIN comes to."""
        return self.outcome(self.backend.check_password(name, password))

    def asked(self, what: str) -> list[str]:
        """What binds were for, or what was searched for."""
        return [one[1] for one in self.directory.asked if one[0] == what]
