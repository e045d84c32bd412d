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

from bridgewire.steps import Reason
from callbridged.backends import BackendUnavailable, unavailable
from callbridged.backends.sql.failures import one_line, too_slow
from callbridged.backends.sql.query import USERNAME, Query
from callbridged.backends.sql.rows import MAX_ROWS, Rows

#: Octets of a value, and of a row.
_MAX_LENGTH = 16 << 20
#: Steps of SQLite's virtual machine between looks at the time; a login takes a few hundred.
_STEPS = 10_000
#: What the file's trouble is, by SQLite's result code.
_LOCKED = (Reason.TIMEOUT, "is locked by another program, and stayed so.")
_FAULTS = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CORRUPT: (
        Reason.PROTOCOL_ERROR,
        "is damaged. Bring back a copy that is not.",
    ),
    sqlite3.SQLITE_NOTADB: (Reason.PROTOCOL_ERROR, "is no SQLite database. Correct database."),
    sqlite3.SQLITE_READONLY: (
        Reason.POLICY,
        "was left in the middle of a change. Open it once with a program that may write to it.",
    ),
}
#: What a database in WAL mode that nobody else has open is for who may not write to its directory,
#: or whom systemd shows it as one of a read-only file system.
_NO_WAL = (sqlite3.SQLITE_READONLY_DIRECTORY, sqlite3.SQLITE_CANTOPEN)


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
            raise self._fault(error) from None

    def break_off(self) -> None:
        """It looks at the time itself."""

    def close(self) -> None:
        """Nothing is open."""

    def _ask(self, username: str, seconds: float) -> Rows:
        try:
            return self._look(username, seconds, "mode=ro")
        except sqlite3.OperationalError as error:
            before = self._state()
            if before is None or error.sqlite_errorcode not in _NO_WAL:
                raise
        # What SQLite wants to make there is of use only while somebody writes. If nobody did so
        # until we have read, nothing is missing from the file itself.
        rows = self._look(username, seconds, "mode=ro&immutable=1")
        if before != self._state():
            text = f"{self._path} was written to while it was read."
            raise unavailable(Reason.CONFLICT, text, "Let this user write to its directory.")
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
        """Answer what changes when somebody writes; None while somebody does, and for no file."""
        if os.path.exists(f"{self._path}-wal") or not self._path.is_file():
            return None
        found = self._path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _fault(self, error: Exception) -> BackendUnavailable:
        # The lowest eight bits are the kind, the others say more of it.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_INTERRUPT:
            return too_slow()
        if code == sqlite3.SQLITE_ERROR:
            text = f"SQLite cannot answer: {one_line(str(error))}"
            return unavailable(Reason.PROTOCOL_ERROR, text, "Correct query.")
        reason, text = _FAULTS.get(
            code, (Reason.NO_SUCH_SERVICE, f"cannot be read: {one_line(str(error))}")
        )
        if not self._path.exists():
            text = "is not there. Put it there, or correct database."
        elif not os.access(self._path, os.R_OK):
            text = "may not be read by this user. Give the daemon's user or group access to it."
        return unavailable(reason, f"{self._path} {text}")
