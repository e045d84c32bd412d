"""A user backend on an SQLite file, for the tests of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends import (
    BackendUnavailable,
    configured,
)
from callbridged.backends.sql.backend import SqlBackend
from callbridged.backends.sql.questions import Questions
from callbridged.backends.sql.settings import SqlSettings
from callbridged.backends.sql.sqlite import SqliteConnection
from callbridged.scram_keys import ScramKeys
from callbridged.scram_text import format_keys
from daemonkit.ini import IniReader
from daemonkit.workers import Workers
from tests.callbridged.people import Threads
from tests.support.users_table import TABLE

T = TypeVar("T")
SCHEME = "SCRAM-SHA-256"
BCRYPT = f"$2b$05${'a' * 53}"


class SqlBackendCase(SynchronousTestCase):
    """A backend on a file, whose threads run at once."""

    lines: tuple[str, ...] = ()
    #: In the place of the file.
    database = ""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.path = self.directory / "users 100%?.db"
        self.threads = Threads()
        self.execute(TABLE)
        self.put("alice", "wonderland")
        self.backend = self.open(*self.lines)

    def settings(self, *lines: str) -> SqlSettings:
        ini = self.directory / "callbridged.ini"
        database = self.database or f"sqlite:{self.path}"
        ini.write_text("\n".join(["[sql meet]", f"database = {database}", *lines]))
        reader = IniReader(ini)
        settings: SqlSettings = configured("sql:meet", reader).argument
        reader.finish()
        return settings

    def open(self, *lines: str) -> SqlBackend:
        settings = self.settings(*lines)
        questions = Questions(
            self.threads,
            Workers(self.threads, 1, "sql", self.threads),
            lambda _: SqliteConnection(self.path, settings.query),
            settings.timeout,
        )
        return SqlBackend(settings, questions, Workers(self.threads, 1, "hash", self.threads))

    def execute(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = OFF")
            database.execute(statement, values)

    def put(self, name: str, password: str, **more: object) -> None:
        keys = ScramKeys.derive(SCHEME, password, 4096)
        row = {"name": name, "scram": format_keys(SCHEME, keys), **more}
        places = ", ".join("?" * len(row))
        self.execute(
            f"REPLACE INTO callbridge_users ({', '.join(row)}) VALUES ({places})", *row.values()
        )

    def start(self, work: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        return Deferred.fromCoroutine(work)

    def check(self, name: str, password: str) -> bool | str:
        return self.successResultOf(self.start(self.backend.check_password(name, password)))

    def keys(self, name: str, mechanism: str = SCHEME) -> ScramKeys | None:
        return self.successResultOf(self.start(self.backend.scram_keys(name, mechanism)))

    def fingerprint(self, name: str) -> bytes | None:
        return self.successResultOf(self.start(self.backend.fingerprint(name)))

    def why_not(self, name: str = "alice") -> str:
        asked = self.start(self.backend.scram_keys(name, SCHEME))
        fault = str(self.failureResultOf(asked, BackendUnavailable).value)
        asked = self.start(self.backend.check_password(name, "wonderland"))
        self.assertEqual(str(self.failureResultOf(asked, BackendUnavailable).value), fault)
        return fault
