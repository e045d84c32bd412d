"""Where tokens are kept (XEP-0484): one SQLite file, with two slots for each user and user agent.

A token stands in it as it is, since it is the key of what the client sends and the server answers,
and no hash of it would do. What protects it is the mode of the directory (0700) and of the file
(0600), and that SQLite overwrites what is deleted. Whoever reads it can log in as those users until
the tokens run out or the passwords change.

All methods block for the time of a few SQLite statements, and may be called from any thread.
"""

from __future__ import annotations

import hmac
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from threading import Lock
from typing import Any

#: The schema, as PRAGMA user_version counts it.
SCHEMA = 1
#: User agents of one user; of more, those with the oldest tokens go.
MAX_AGENTS = 20
#: Tokens in all; of more, those that run out first go.
MAX_TOKENS = 200_000
#: Seconds for which a token is known to have run out, before it is not known at all.
REMEMBERED = 30 * 86400.0

#: Tokens are counted once in so many that are issued.
_COUNT_EVERY = 64
#: Octets of randomness in a token; the draft of SASL HT asks for 16.
_OCTETS = 32
#: Seconds to wait for another process that has the file.
_BUSY = 2.0

_CREATE = """
CREATE TABLE token (
    username TEXT NOT NULL,
    agent TEXT NOT NULL,
    slot TEXT NOT NULL CHECK (slot IN ('current', 'new')),
    secret TEXT NOT NULL,
    mechanism TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    issued REAL NOT NULL,
    expiry REAL NOT NULL,
    PRIMARY KEY (username, agent, slot)
) WITHOUT ROWID;
CREATE INDEX token_expiry ON token (expiry);
"""


class TokenStoreFault(Exception):
    """The file cannot be used; the text says why, and what to do."""


@dataclass(frozen=True)
class Claim:
    """What a client says: it is ``username`` at ``agent``, and knows a token for ``mechanism``.

    ``proof`` is HMAC(token, "Initiator" || ``binding``); ``fingerprint`` is what the user has now,
    None where there is no such user.
    """

    username: str
    agent: str
    mechanism: str
    proof: bytes = field(repr=False)
    binding: bytes = field(repr=False)
    fingerprint: bytes | None = field(repr=False)


class Outcome(Enum):
    """What becomes of a claim."""

    RIGHT = auto()
    WRONG = auto()
    #: The client knows a token that does not count any more.
    EXPIRED = auto()


@dataclass(frozen=True)
class Checked:
    """``response`` proves to the client that the token is known here; ``issued`` and ``expiry`` in
    seconds since 1970."""

    outcome: Outcome
    response: bytes = field(default=b"", repr=False)
    issued: float = 0.0
    expiry: float = 0.0


class TokenStore:
    """Tokens in ``state_directory``. Times are in seconds since 1970.

    The file is made for the first token. All methods raise TokenStoreFault.
    """

    def __init__(self, state_directory: Path) -> None:
        self.path = state_directory / "tokens.sqlite"
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._issued = 0

    def issue(
        self,
        username: str,
        agent: str,
        mechanism: str,
        fingerprint: bytes,
        now: float,
        lifetime: float,
    ) -> tuple[str, float]:
        """Make a token for the slot "new", and answer it with its expiry."""
        secret = secrets.token_urlsafe(_OCTETS)
        expiry = now + lifetime
        row = (username, agent, secret, mechanism, fingerprint, now, expiry)
        with self._transaction(create=True) as database:
            database.execute("DELETE FROM token WHERE expiry < ?", (now - REMEMBERED,))
            database.execute("REPLACE INTO token VALUES (?, ?, 'new', ?, ?, ?, ?, ?)", row)
            database.execute(
                "DELETE FROM token WHERE username = ? AND agent IN ("
                "SELECT agent FROM token WHERE username = ? GROUP BY agent "
                "ORDER BY max(issued) DESC LIMIT -1 OFFSET ?)",
                (username, username, MAX_AGENTS),
            )
            if self._issued % _COUNT_EVERY == 0:
                database.execute(
                    "DELETE FROM token WHERE (username, agent, slot) IN ("
                    "SELECT username, agent, slot FROM token "
                    "ORDER BY expiry DESC LIMIT -1 OFFSET ?)",
                    (MAX_TOKENS,),
                )
            self._issued += 1
        return secret, expiry

    def check(self, claim: Claim, now: float, *, invalidate: bool = False) -> Checked:
        """Hold a claim against both slots, as XEP-0484 section 5.1 says.

        ``invalidate``: a token that is right is not to count again.
        """
        where = (claim.username, claim.agent)
        with self._transaction() as database:
            if database is None:
                return Checked(Outcome.WRONG)
            rows = database.execute(
                "SELECT slot, secret, fingerprint, issued, expiry FROM token "
                "WHERE username = ? AND agent = ? AND mechanism = ? ORDER BY slot DESC",
                (*where, claim.mechanism),
            ).fetchall()
            for slot, secret, fingerprint, issued, expiry in rows:
                if not _proves(secret, claim):
                    continue
                if claim.fingerprint is None or not hmac.compare_digest(
                    fingerprint, claim.fingerprint
                ):
                    _delete(database, where)
                    known = claim.fingerprint is not None
                    return Checked(Outcome.EXPIRED if known else Outcome.WRONG)
                if expiry <= now:
                    return Checked(Outcome.EXPIRED)
                if invalidate:
                    _delete(database, where)
                elif slot == "new":
                    _delete(database, where, "current")
                    database.execute(
                        "UPDATE token SET slot = 'current' WHERE username = ? AND agent = ?", where
                    )
                return Checked(Outcome.RIGHT, _hmac(secret, b"Responder", claim), issued, expiry)
        return Checked(Outcome.WRONG)

    def close(self) -> None:
        """Close the file; it opens again by itself."""
        with self._lock:
            self._close()

    @contextmanager
    def _transaction(self, *, create: bool = False) -> Iterator[Any]:
        """One transaction, which holds the write lock from its beginning; None: no file."""
        with self._lock, self._faults():
            if create:
                self._create()
            database = self._current()
            if database is None:
                yield None
                return
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.rollback()
                raise
            database.commit()

    def _current(self) -> sqlite3.Connection | None:
        """The connection to the file that is there now: who removes it revokes all tokens."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._close()
            return None
        identity = (status.st_dev, status.st_ino)
        if self._connection is None or identity != self._identity:
            self._close()
            self._connection = _open(self.path)
            self._identity = identity
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _create(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_EXCL: no link that somebody has put there is followed. SQLite gives its journal files
        # the mode of the file.
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with suppress(FileExistsError):
            os.close(os.open(self.path, flags, 0o600))

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise TokenStoreFault(
                f"{self.path} cannot be used: {error}. Is there space left, and may the daemon's "
                "user write to it and to its directory?"
            ) from None
        except sqlite3.DatabaseError as error:
            raise TokenStoreFault(
                f"{self.path} is damaged or of something else: {error}. Remove it: its users log "
                "in with their passwords once more."
            ) from None
        except OSError as error:
            raise TokenStoreFault(
                f"{self.path} cannot be used: {error.strerror}. Make state_directory the daemon's "
                "own."
            ) from None


def _hmac(secret: str, what: bytes, claim: Claim) -> bytes:
    return hmac.digest(secret.encode(), what + claim.binding, "sha256")


def _proves(secret: str, claim: Claim) -> bool:
    return hmac.compare_digest(_hmac(secret, b"Initiator", claim), claim.proof)


def _delete(database: sqlite3.Connection, where: tuple[str, str], slot: str = "%") -> None:
    database.execute(
        "DELETE FROM token WHERE username = ? AND agent = ? AND slot LIKE ?", (*where, slot)
    )


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, _BUSY, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        # A crash of the machine may cost the newest tokens, and nothing else.
        connection.execute("PRAGMA synchronous = NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE; {_CREATE} PRAGMA user_version = {SCHEMA}; COMMIT;"
            )
        elif version > SCHEMA:
            raise TokenStoreFault(
                f"{path} was made by a newer version of this program. Install that version, or "
                "remove the file: its users log in with their passwords once more."
            )
    except BaseException:
        connection.close()
        raise
    return connection
