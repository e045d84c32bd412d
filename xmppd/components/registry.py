"""The registry of Call Bridges: who may connect, and with which secret.

It is one SQLite file in the state directory, which xmppd reads at every registration and xmppctl
writes at any time, so that a change counts at once.

The secrets stand in it as they are: XEP-0114's handshake is a digest over the stream's id and the
secret itself, and no stored hash could be compared with it. What protects them is the mode of the
directory (0700) and of the file (0600), that SQLite overwrites what is deleted (secure_delete),
and that no log and no status shows them. A backup of the file needs the same care.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemonkit.files import check_secret
from daemonkit.hosts import parse_label
from daemonkit.replace import find_account

#: The schema, as PRAGMA user_version counts it.
SCHEMA = 1
#: Bytes of randomness in a secret that we make: 256 bits.
_SECRET_BYTES = 32
#: Seconds to wait for another process that writes.
_BUSY = 5.0

_CREATE = """
CREATE TABLE callbridge (
    name TEXT NOT NULL PRIMARY KEY,
    secret TEXT NOT NULL,
    added TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID
"""


class RegistryFault(Exception):
    """The registry cannot do what was asked; the text says why, and what to do."""


def normal_name(name: str) -> str:
    """Answer a Call Bridge's name as it is kept: one DNS label, in lower case and U-labels.

    Raises:
        RegistryFault: it cannot be one.
    """
    try:
        return parse_label(name)
    except ValueError as error:
        raise RegistryFault(str(error)) from None


class Registry:
    """Names, as `normal_name` spells them, and their secrets.

    Nothing is made before the first name is added. All methods raise RegistryFault if the file
    cannot be used.
    """

    def __init__(self, state_directory: Path) -> None:
        self.path = state_directory / "registry.sqlite"
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def add(self, name: str) -> str:
        """Add a name and answer the random secret that was made for it.

        Raises:
            RegistryFault: the name is there already, or cannot be one.
        """
        name = normal_name(name)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        with self._writing() as connection:
            added = connection.execute(
                "INSERT OR IGNORE INTO callbridge (name, secret) VALUES (?, ?)", (name, secret)
            )
            if not added.rowcount:
                raise RegistryFault(
                    f"there is a Call Bridge {name} already, and nothing was changed. "
                    "Show its secret with `xmppctl callbridge list --show-secrets`, "
                    "or remove it first."
                )
        return secret

    def add_secret(self, name: str, secret: str) -> bool:
        """Add a name with a secret that is known, or change its secret. True if it was new.

        Raises:
            RegistryFault: the name or the secret cannot be one.
        """
        name = normal_name(name)
        try:
            check_secret(secret)
        except ValueError as error:
            raise RegistryFault(f"nothing was changed: {error}") from None
        with self._writing() as connection:
            known = self._find(connection, name) is not None
            connection.execute(
                "INSERT INTO callbridge (name, secret) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET secret = excluded.secret",
                (name, secret),
            )
        return not known

    def delete(self, name: str) -> bool:
        """Remove a name; False if it was not there."""
        name = normal_name(name)
        if not self.path.exists():
            return False
        with self._writing() as connection:
            gone = connection.execute("DELETE FROM callbridge WHERE name = ?", (name,))
        with self._faults():
            # The journal still has the secret, and would keep it as long as the daemon runs.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone.rowcount > 0

    def secret(self, name: str) -> str | None:
        """Answer the secret of ``name``, spelt normally, or None where there is none."""
        with self._faults():
            connection = self._current()
            return None if connection is None else self._find(connection, name)

    def names(self) -> list[str]:
        """Answer all names in order."""
        with self._faults():
            connection = self._current()
            if connection is None:
                return []
            return [
                name for (name,) in connection.execute("SELECT name FROM callbridge ORDER BY 1")
            ]

    def close(self) -> None:
        """Close the file; it opens again by itself."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @staticmethod
    def _find(connection: sqlite3.Connection, name: str) -> str | None:
        query = "SELECT secret FROM callbridge WHERE name = ?"
        row = connection.execute(query, (name,)).fetchone()
        return None if row is None else str(row[0])

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; it holds the write lock from its beginning."""
        with self._faults():
            self._create()
            connection = self._current()
            if connection is None:
                raise FileNotFoundError
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _current(self) -> sqlite3.Connection | None:
        """The connection to the file that is there now, or None: it may have been replaced."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self.close()
            return None
        identity = (status.st_dev, status.st_ino)
        if self._connection is None or identity != self._identity:
            self.close()
            self._connection = _open(self.path)
            self._identity = identity
        return self._connection

    def _create(self) -> None:
        """Make an empty file, if there is none, that the daemon's user can use.

        Whoever makes it may be root while the daemon is not: a directory that is made belongs to
        the user xmppd, if there is one, and the file to whom its directory belongs to. SQLite gives
        its journal files the owner of the file by itself.
        """
        directory = self.path.parent
        if not directory.exists():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            daemon = find_account("xmppd")
            if os.geteuid() == 0 and daemon is not None:
                os.chown(directory, daemon.pw_uid, daemon.pw_gid)
        try:
            # O_EXCL: no link that somebody has put there is followed.
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return
        try:
            owner = directory.stat()
            if os.geteuid() == 0:
                os.fchown(file, owner.st_uid, owner.st_gid)
        finally:
            os.close(file)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise RegistryFault(
                f"{self.path} cannot be used: {error}. Is there space left, and may this user "
                "write to it and to its directory? Try again as root, or as the daemon's user."
            ) from None
        except sqlite3.DatabaseError as error:
            raise RegistryFault(
                f"{self.path} is damaged or no registry: {error}. Move it away, and restore it "
                "from a backup or add the Call Bridges anew."
            ) from None
        except OSError as error:
            raise RegistryFault(
                f"{self.path} cannot be used: {error.strerror}. "
                "Run this as root, or as the daemon's user."
            ) from None


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            # Another process may have been faster.
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                connection.execute(_CREATE)
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.commit()
        if version > SCHEMA:
            raise RegistryFault(
                f"{path} was made by a newer version of this program. Install that version."
            )
    except BaseException:
        connection.close()
        raise
    return connection
