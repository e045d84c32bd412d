"""PostgreSQL, by psycopg: a connection that is asked again and again, for reading only."""

from __future__ import annotations

import logging
import math
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bridgewire.steps import Reason
from callbridged.backends.sql.failures import not_answered, not_connected, one_line
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

_FETCH = f"FETCH FORWARD {MAX_ROWS + 1} FROM answer".encode()


class PostgresqlConnection:
    """As `callbridged.backends.sql.questions.Connection`."""

    def __init__(self, connection: psycopg.Connection[Any], query: Query) -> None:
        """``connection``: in autocommit mode."""
        self._connection = connection
        self._declare = f"DECLARE answer NO SCROLL CURSOR FOR {query.psycopg}".encode()
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
                text = f"{Reason.LINK_LOST}: the connection was lost: {one_line(str(error))}"
                raise ConnectionLost(text) from None
            with suppress(psycopg.Error):
                self._connection.execute("ROLLBACK")
            raise not_answered(error) from None

    def break_off(self) -> None:
        """Whoever waits at the socket wakes up to its end."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Say goodbye."""
        self._connection.close()
        self._socket.close()

    def _ask(self, username: str, milliseconds: int) -> Rows:
        """In one round trip.

        A transaction gives its settings to nobody else, should a pooler be in between. A cursor
        gives the first rows of a query that answers everybody, and names the columns of none.
        """
        connection = self._connection
        with connection.pipeline():
            connection.execute(b"BEGIN READ ONLY")
            connection.execute(f"SET LOCAL statement_timeout = {milliseconds}".encode())
            connection.execute(self._declare, {USERNAME: username})
            answer = connection.execute(_FETCH)
            connection.execute(b"COMMIT")
        return Rows([column.name for column in answer.description or ()], answer.fetchall())


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
    # What it would say of connections that are lost, we do.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
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
            raise not_connected(error) from None
        return PostgresqlConnection(connection, query)

    return connect
