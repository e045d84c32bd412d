"""SQLite: a file that is opened anew for each question, for reading only.

Opening costs a tenth of a millisecond, and so a file that was replaced is noticed.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from time import monotonic
from urllib.parse import quote

from callbridged.backends import BackendUnavailable
from callbridged.backends.sql.query import USERNAME, Query
from callbridged.backends.sql.rows import MAX_ROWS, Rows

#: Octets of a value, and of a row.
_MAX_LENGTH = 16 << 20
#: Steps of SQLite's virtual machine between looks at the time; a login takes a few hundred.
_STEPS = 10_000
#: What is said about the file, by SQLite's result code; for others, what SQLite says.
_FAULTS = {
    sqlite3.SQLITE_BUSY: "is locked by another program, and stayed so",
    sqlite3.SQLITE_LOCKED: "is locked by another program, and stayed so",
    sqlite3.SQLITE_CORRUPT: "is damaged. Bring back a copy that is not",
    sqlite3.SQLITE_NOTADB: "is no SQLite database. Correct database",
    sqlite3.SQLITE_READONLY: (
        "was left in the middle of a change. Open it once with a program that may write to it"
    ),
    sqlite3.SQLITE_INTERRUPT: "took too long to look at. Does the query use an index?",
}
#: A database in WAL mode that nobody else has open, in a directory that we may not write to.
_NO_WAL = sqlite3.SQLITE_READONLY_DIRECTORY


class SqliteConnection:
    """As `callbridged.backends.sql.questions.Connection`; each is asked once."""

    usable = False

    def __init__(self, path: Path, query: Query) -> None:
        self._path = path
        self._query = query.sqlite
        self._ends = 0.0

    def ask(self, username: str, seconds: float) -> Rows:
        """Raises BackendUnavailable."""
        self._ends = monotonic() + seconds
        try:
            return self._ask(username, seconds)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise BackendUnavailable(self._why(error)) from None

    def break_off(self) -> None:
        """It looks at the time itself."""

    def close(self) -> None:
        """Nothing is open."""

    def _ask(self, username: str, seconds: float) -> Rows:
        try:
            return self._look(username, seconds, "mode=ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != _NO_WAL:
                raise
        # What SQLite wants to make there is of use only while somebody writes. If nobody did so
        # until we have read, nothing is missing from the file itself.
        before = self._state()
        rows = self._look(username, seconds, "mode=ro&immutable=1")
        if before is None or before != self._state():
            raise BackendUnavailable(f"{self._path} was written to while it was read")
        return rows

    def _look(self, username: str, seconds: float, how: str) -> Rows:
        where = f"file:{quote(str(self._path))}?{how}"
        with closing(sqlite3.connect(where, seconds, isolation_level=None, uri=True)) as database:
            database.text_factory = partial(str, encoding="utf-8", errors="replace")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_LENGTH)
            database.set_progress_handler(lambda: monotonic() > self._ends, _STEPS)
            cursor = database.execute(self._query, {USERNAME: username})
            rows = cursor.fetchmany(MAX_ROWS + 1)
            return Rows([column[0] for column in cursor.description], rows)

    def _state(self) -> tuple[int, ...] | None:
        """Answer what changes when somebody writes; None while somebody does."""
        if os.path.exists(f"{self._path}-wal"):
            return None
        found = self._path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _why(self, error: Exception) -> str:
        if not os.access(self._path, os.R_OK):
            there = "may not be read by this user" if self._path.exists() else "is not there"
            return f"{self._path} {there}"
        # The lowest eight bits are the kind, the others say more of it.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_ERROR:
            return f"SQLite cannot answer the query: {error!s:.200}. Correct query"
        return f"{self._path} {_FAULTS.get(code, f'cannot be read: {error!s:.200}')}"
