"""PostgreSQL, by psycopg: a connection that is asked again and again, for reading only."""

from __future__ import annotations

import math
import os
import re
import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from callbridged.backends import BackendUnavailable
from callbridged.backends.sql.hashes import MissingLibrary
from callbridged.backends.sql.location import PostgresqlServer
from callbridged.backends.sql.query import USERNAME, Query
from callbridged.backends.sql.questions import ConnectionLost
from callbridged.backends.sql.rows import MAX_ROWS, Rows

if TYPE_CHECKING:
    import psycopg

#: What we tell libpq besides what the operator did. Half-open connections are noticed.
_USUAL = {
    "client_encoding": "UTF8",
    "application_name": "callbridged",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
#: SQLSTATE classes whose messages speak of the query and of the server, and show no values.
_TOLD = frozenset({"08", "0A", "25", "28", "3D", "3F", "42", "53", "55", "57", "58"})
#: What a failed connection says, and what to do.
_REMEDIES = (
    (
        "certificate|SSL|root\\.crt",
        "Check sslmode and sslrootcert in database, and the server's certificate: its issuer, its "
        "time and its names",
    ),
    (
        "authentication failed|no password supplied|pg_hba|role .* does not exist|is not permitted",
        "Check the user in database, password_file, and the server's pg_hba.conf",
    ),
    ('database ".*" does not exist', "Correct database"),
    (
        "refused|No such file|timeout|resolve|translate|unreachable|No route|starting up",
        "Is PostgreSQL running there, and does it listen at that address?",
    ),
)


class PostgresqlConnection:
    """As `callbridged.backends.sql.questions.Connection`."""

    def __init__(self, connection: psycopg.Connection[Any], query: Query) -> None:
        """``connection``: in autocommit mode."""
        self._connection = connection
        self._query = query.psycopg
        # A duplicate: libpq may close its own at any time, and the number then is another file's.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))

    @property
    def usable(self) -> bool:
        """True between two transactions."""
        return not self._connection.closed and self._connection.info.transaction_status == 0

    def ask(self, username: str, seconds: float) -> Rows:
        """Raises ConnectionLost, and BackendUnavailable."""
        import psycopg

        try:
            return self._ask(username, max(1, int(seconds * 1000)))
        except psycopg.Error as error:
            if self._connection.closed:
                raise ConnectionLost(f"the connection was lost: {_told(error)}") from None
            with suppress(psycopg.Error):
                self._connection.execute("ROLLBACK")
            raise BackendUnavailable(f"PostgreSQL cannot answer: {_told(error)}") from None

    def break_off(self) -> None:
        """Whoever waits at the socket wakes up to its end."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Say goodbye."""
        self._connection.close()
        self._socket.close()

    def _ask(self, username: str, milliseconds: int) -> Rows:
        # A transaction, so that a pooler in between gives its settings to nobody else.
        self._connection.execute(
            f"BEGIN READ ONLY; SET LOCAL statement_timeout = {milliseconds}".encode()
        )
        with self._connection.cursor() as cursor:
            # Row by row: a query that answers everybody is given up after the first ones.
            answer = cursor.stream(self._query.encode(), {USERNAME: username})
            with closing(cast(Generator[Sequence[object], None, None], answer)):
                rows = list(islice(answer, MAX_ROWS + 1))
            columns = [column.name for column in cursor.description or ()]
        self._connection.execute("COMMIT")
        return Rows(columns, rows)


def connector(
    server: PostgresqlServer, password: str, query: Query
) -> Callable[[float], PostgresqlConnection]:
    """Answer a function that connects within so many seconds, at least two.

    It raises BackendUnavailable. Raises MissingLibrary.
    """
    try:
        import psycopg
    except ImportError:
        raise MissingLibrary(
            "PostgreSQL needs a library. Run pip install 'psycopg[binary]' in the environment that "
            "callbridged runs in."
        ) from None
    parameters: Mapping[str, Any] = {**_USUAL, **server.parameters}
    secret: Mapping[str, Any] = {"password": password} if password else {}

    def connect(seconds: float) -> PostgresqlConnection:
        each = math.ceil(seconds / len(server.hosts))
        try:
            connection = psycopg.connect(
                **parameters,
                **secret,
                connect_timeout=max(2, each),
                autocommit=True,
                prepare_threshold=None,  # poolers may not know what another connection prepared
            )
        except psycopg.Error as error:
            raise BackendUnavailable(_why_not_connected(error)) from None
        return PostgresqlConnection(connection, query)

    return connect


def _why_not_connected(error: psycopg.Error) -> str:
    text = _one_line(str(error).removeprefix("connection failed: "))
    remedy = next((what for pattern, what in _REMEDIES if re.search(pattern, text)), "")
    return f"{text}. {remedy}" if remedy else text


def _told(error: psycopg.Error) -> str:
    """Answer what may be logged: some messages show values, such as one that is no integer."""
    state = error.sqlstate
    if state is None:
        return _one_line(str(error))
    if state == "57014":
        return "the query took too long. Does it use an index?"
    name = f"{type(error).__name__} ({state})"
    if state[:2] not in _TOLD:
        return name
    return f"{_one_line(error.diag.message_primary or '')} ({state}). Correct query"


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in words)[:300].rstrip(". ")
