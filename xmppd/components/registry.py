"""The registry of Call Bridges: who may connect to which domain, and with which secret.

It is one SQLite file in the state directory, which xmppd reads at every registration and xmppctl
writes at any time, so that a change counts at once.

The secrets stand in it as they are: XEP-0114's handshake is a digest over the stream's id and the
secret itself, and no stored hash could be compared with it. What protects them is the mode of the
directory (0700) and of the file (0600), that SQLite overwrites what is deleted (secure_delete),
and that no log and no status shows them. A backup of the file needs the same care.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemonkit.files import check_secret, mark
from daemonkit.hosts import parse_label
from xmppd.components.registry_file import SCHEMA, RegistryFault, RegistryFile

__all__ = ["SCHEMA", "Known", "Registry", "RegistryFault", "normal_name"]

#: Bytes of randomness in a secret that we make: 256 bits.
_SECRET_BYTES = 32
#: The columns of `Known`.
_KNOWN = "secret, expires, next_secret, rotated_at"
#: Makes the next secret the only one; whoever has it needs no join file any more.
_FINISH = "secret = next_secret, expires = NULL, next_secret = NULL, rotated_at = NULL"


def normal_name(name: str) -> str:
    """Answer a Call Bridge's name as it is kept: one DNS label, in lower case and U-labels.

    Raises:
        RegistryFault: it cannot be one.
    """
    try:
        return parse_label(name)
    except ValueError as error:
        raise RegistryFault(str(error)) from None


@dataclass(frozen=True)
class Known:
    """What is known of a Call Bridge.

    ``expires``: UNIX time until when its secret, given out in a join file, has to be used for the
    first time; None: it was, or was not given out. ``next_secret``: what counts as well since
    ``rotated_at``, until the Call Bridge has used it; None: nothing does.
    """

    secret: str = field(repr=False)
    expires: int | None = None
    next_secret: str | None = field(default=None, repr=False)
    rotated_at: datetime | None = None

    def which(self, used: bytes) -> str:
        """Answer ``current`` or ``next``, by the mark of a secret; ``former`` for any other one."""
        if used == mark(self.secret.encode()):
            return "current"
        if self.next_secret is not None and used == mark(self.next_secret.encode()):
            return "next"
        return "former"


class Registry:
    """Domains, in U-labels, names, as `normal_name` spells them, and their secrets.

    Nothing is made before the first name is added. All methods raise RegistryFault if the file
    cannot be used.
    """

    def __init__(self, state_directory: Path, first_domain: str) -> None:
        """``first_domain``: whose the names are in a file from before there were several."""
        self.path = state_directory / "registry.sqlite"
        self._file = RegistryFile(self.path, first_domain)
        self.close = self._file.close

    def add(self, domain: str, name: str, expires: int | None = None) -> str:
        """Add a name and answer the random secret that was made for it; ``expires`` as in `Known`.

        Raises:
            RegistryFault: the name is there already, or cannot be one.
        """
        name = normal_name(name)
        secret = _make_secret()
        with self._file.writing() as connection:
            added = connection.execute(
                "INSERT OR IGNORE INTO callbridge (domain, name, secret, expires) "
                "VALUES (?, ?, ?, ?)",
                (domain, name, secret, expires),
            )
            if not added.rowcount:
                raise RegistryFault(
                    f"there is a Call Bridge {name} already, and nothing was changed. "
                    "Show its secret with `xmppctl callbridge list --show-secrets`, "
                    "or remove it first."
                )
        return secret

    def add_secret(self, domain: str, name: str, secret: str, expires: int | None = None) -> bool:
        """Add a name with a secret that is known, or change its secret. True if it was new.

        ``expires`` as in `Known`. From now on this one counts alone: a rotation is over.

        Raises:
            RegistryFault: the name or the secret cannot be one.
        """
        name = normal_name(name)
        _check(secret)
        with self._file.forgetting() as connection:
            known = _find(connection, domain, name) is not None
            connection.execute(
                "INSERT INTO callbridge (domain, name, secret, expires) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (domain, name) "
                "DO UPDATE SET secret = excluded.secret, expires = excluded.expires, "
                "next_secret = NULL, rotated_at = NULL",
                (domain, name, secret, expires),
            )
        return not known

    def give_out(self, domain: str, name: str, expires: int) -> Known | None:
        """Answer what goes into a join file that is good until ``expires``; None: no such name.

        A secret that nobody has used yet gives way to a new one, which expires: what stood in an
        earlier join file counts no more. One that was used stays: others know it, too. So does the
        new one of a rotation, which a join file then has.
        """
        name = normal_name(name)
        with self._file.forgetting() as connection:
            known = _find(connection, domain, name)
            if known is not None and known.next_secret is not None:
                return Known(known.next_secret)
            if known is None or known.expires is None:
                return known
            known = Known(_make_secret(), expires)
            connection.execute(
                "UPDATE callbridge SET secret = ?, expires = ? WHERE domain = ? AND name = ?",
                (known.secret, expires, domain, name),
            )
        return known

    def take(self, domain: str, name: str) -> None:
        """Let the secret of ``name``, spelt normally, expire no more: its Call Bridge has it."""
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE callbridge SET expires = NULL WHERE domain = ? AND name = ?", (domain, name)
            )

    def delete(self, domain: str, name: str) -> bool:
        """Remove a name; False if it was not there."""
        name = normal_name(name)
        if not self.path.exists():
            return False
        with self._file.forgetting() as connection:
            gone = connection.execute(
                "DELETE FROM callbridge WHERE domain = ? AND name = ?", (domain, name)
            )
        return gone.rowcount > 0

    # Rotation: another secret counts as well, until it was used

    def rotate(self, domain: str, name: str, secret: str | None = None) -> str:
        """Let another secret count as well, and answer it: ``secret``, or one that is made.

        Nothing happens where it is the one that counts as well already.

        Raises:
            RegistryFault: the name is not there, the secret cannot be one or is the current one,
                or a rotation to another one goes on.
        """
        name = normal_name(name)
        if secret is not None:
            _check(secret)
        self._expect(domain, name)
        with self._file.writing() as connection:
            known = _must_find(connection, domain, name)
            if known.next_secret not in (None, secret):
                raise RegistryFault(
                    f"the secret of {name} is being rotated already, and nothing was changed. "
                    "`xmppctl callbridge list --show-secrets` shows the new one; `--abort` gives "
                    "it up, `--finish` drops the old one."
                )
            if secret == known.secret:
                raise RegistryFault(
                    f"that is the secret of {name} already, and nothing was changed. If the "
                    "rotation has ended here, all is well; otherwise give the new secret."
                )
            new = secret or _make_secret()
            if known.next_secret is None:
                connection.execute(
                    "UPDATE callbridge SET next_secret = ?, rotated_at = CURRENT_TIMESTAMP "
                    "WHERE domain = ? AND name = ?",
                    (new, domain, name),
                )
        return new

    def abort(self, domain: str, name: str) -> None:
        """Forget the new secret of a rotation. Raises RegistryFault where none goes on."""
        self._end_rotation(domain, name, "next_secret = NULL, rotated_at = NULL")

    def finish(self, domain: str, name: str) -> None:
        """Forget the old secret of a rotation. Raises RegistryFault where none goes on."""
        self._end_rotation(domain, name, _FINISH)

    def used(self, domain: str, name: str, used: bytes) -> bool:
        """A link is up with the secret of this mark. True if that completes a rotation.

        Then the old secret is forgotten.
        """
        known = self.find(domain, name)
        if known is None or known.next_secret is None or known.which(used) != "next":
            return False
        with self._file.forgetting() as connection:
            # Somebody may have been quicker, and the next secret be another one by now.
            done = connection.execute(
                f"UPDATE callbridge SET {_FINISH} "  # noqa: S608
                "WHERE domain = ? AND name = ? AND next_secret = ?",
                (domain, name, known.next_secret),
            )
        return done.rowcount > 0

    def _end_rotation(self, domain: str, name: str, change: str) -> None:
        name = normal_name(name)
        self._expect(domain, name)
        with self._file.forgetting() as connection:
            if _must_find(connection, domain, name).next_secret is None:
                raise RegistryFault(
                    f"the secret of {name} is not being rotated, and nothing was changed. "
                    "If it was, the new one has been used since, and counts alone."
                )
            connection.execute(
                f"UPDATE callbridge SET {change} WHERE domain = ? AND name = ?",  # noqa: S608
                (domain, name),
            )

    def _expect(self, domain: str, name: str) -> None:
        """Raise RegistryFault for a name that is not there, and make no file where none is."""
        with self._file.reading() as connection:
            _must_find(connection, domain, name)

    def find(self, domain: str, name: str) -> Known | None:
        """Answer what is known of ``name``, spelt normally, or None where there is nothing."""
        with self._file.reading() as connection:
            return None if connection is None else _find(connection, domain, name)

    def secret(self, domain: str, name: str) -> str | None:
        """Answer the secret of ``name``, spelt normally, or None where there is none."""
        known = self.find(domain, name)
        return None if known is None else known.secret

    def callbridges(self, domain: str) -> dict[str, Known]:
        """Answer what is known of all names of a domain, in their order."""
        query = f"SELECT name, {_KNOWN} FROM callbridge WHERE domain = ? ORDER BY 1"  # noqa: S608
        with self._file.reading() as connection:
            rows = [] if connection is None else connection.execute(query, (domain,)).fetchall()
        return {str(name): _known(row) for name, *row in rows}

    def names(self, domain: str) -> list[str]:
        """Answer all names of a domain in order."""
        return list(self.callbridges(domain))

    def hosts(self, most: int) -> list[str]:
        """Answer the addresses that components may have, over all domains, at most so many."""
        query = "SELECT name || '.' || domain FROM callbridge ORDER BY domain, name LIMIT ?"
        with self._file.reading() as connection:
            rows = [] if connection is None else connection.execute(query, (most,)).fetchall()
        return [str(host) for (host,) in rows]

    def domains(self) -> list[str]:
        """Answer all domains that have names, in order; they need not be served any more."""
        with self._file.reading() as connection:
            if connection is None:
                return []
            query = "SELECT DISTINCT domain FROM callbridge ORDER BY 1"
            return [str(domain) for (domain,) in connection.execute(query)]


def _check(secret: str) -> None:
    try:
        check_secret(secret)
    except ValueError as error:
        raise RegistryFault(f"nothing was changed: {error}") from None


def _find(connection: sqlite3.Connection, domain: str, name: str) -> Known | None:
    query = f"SELECT {_KNOWN} FROM callbridge WHERE domain = ? AND name = ?"  # noqa: S608
    row = connection.execute(query, (domain, name)).fetchone()
    return None if row is None else _known(row)


def _known(row: Sequence[Any]) -> Known:
    """Answer what the columns `_KNOWN` say."""
    secret, expires, following, at = row
    since = None if at is None else datetime.fromisoformat(at).replace(tzinfo=UTC)
    return Known(secret, expires, following, since)


def _must_find(connection: sqlite3.Connection | None, domain: str, name: str) -> Known:
    known = None if connection is None else _find(connection, domain, name)
    if known is None:
        raise RegistryFault(
            f"there is no Call Bridge {name} of {domain}, and nothing was changed. "
            f"`xmppctl callbridge add {name}` lets one connect."
        )
    return known


def _make_secret() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)
