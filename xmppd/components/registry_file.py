"""The registry's file: made with the right owner, of the right schema, faults in words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemonkit.replace import find_account

#: The schema, as PRAGMA user_version counts it. 1 had names alone, all of one domain; 2 knew of no
#: secret that expires, and of one secret for each.
SCHEMA = 3
#: Seconds to wait for another process that writes.
_BUSY = 5.0

#: ``expires``: UNIX time until when a secret that was given out in a join file has to be used for
#: the first time; NULL: it was, or was not given out. ``next_secret``: what counts as well since
#: ``rotated_at``, until it was used; NULL: nothing does.
_CREATE = """
CREATE TABLE callbridge (
    domain TEXT NOT NULL,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    added TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    expires INTEGER,
    next_secret TEXT,
    rotated_at TEXT,
    PRIMARY KEY (domain, name)
) WITHOUT ROWID
"""


class RegistryFault(Exception):
    """The registry cannot do what was asked; the text says why, and what to do."""


class RegistryFile:
    """One SQLite file, which others may write to, replace or remove at any time.

    ``first_domain``: whose the names in a file are that knows no domains yet. All methods raise
    RegistryFault if the file cannot be used.
    """

    def __init__(self, path: Path, first_domain: str) -> None:
        self.path = path
        self._first_domain = first_domain
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """The connection to the file that is there now, or None where there is none."""
        with self.faults():
            yield self._current()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; it holds the write lock from its beginning."""
        with self.faults():
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

    @contextmanager
    def forgetting(self) -> Iterator[sqlite3.Connection]:
        """The same for what removes a secret: afterwards it is in none of the files."""
        with self.writing() as connection:
            yield connection
        with self.faults():
            # The journal still has the secret, and would keep it as long as the daemon runs.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file; it opens again by itself."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

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
            self._connection = _open(self.path, self._first_domain)
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
    def faults(self) -> Iterator[None]:
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


def _open(path: Path, first_domain: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        version = _version(connection)
        if version == 0:
            connection.execute("PRAGMA journal_mode = WAL")
        if version < SCHEMA:
            connection.execute("BEGIN IMMEDIATE")
            version = _version(connection)  # another process may have been faster
            if version == 0:
                connection.execute(_CREATE)
            elif version == 1:
                _add_domains(connection, first_domain)
            elif version == 2:
                for column in ("expires INTEGER", "next_secret TEXT", "rotated_at TEXT"):
                    connection.execute(f"ALTER TABLE callbridge ADD COLUMN {column}")
            if version < SCHEMA:
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


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _add_domains(connection: sqlite3.Connection, domain: str) -> None:
    """Make the schema of today of schema 1: all names are of one domain."""
    connection.execute("ALTER TABLE callbridge RENAME TO old")
    connection.execute(_CREATE)
    connection.execute(
        "INSERT INTO callbridge (domain, name, secret, added) "
        "SELECT ?, name, secret, added FROM old",
        (domain,),
    )
    connection.execute("DROP TABLE old")
