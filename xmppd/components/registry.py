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
from dataclasses import dataclass, field
from pathlib import Path

from daemonkit.files import check_secret
from daemonkit.hosts import parse_label
from xmppd.components.registry_file import SCHEMA, RegistryFault, RegistryFile

__all__ = ["SCHEMA", "Known", "Registry", "RegistryFault", "normal_name"]

#: Bytes of randomness in a secret that we make: 256 bits.
_SECRET_BYTES = 32


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
    first time; None: it was, or was not given out.
    """

    secret: str = field(repr=False)
    expires: int | None = None


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

        ``expires`` as in `Known`.

        Raises:
            RegistryFault: the name or the secret cannot be one.
        """
        name = normal_name(name)
        try:
            check_secret(secret)
        except ValueError as error:
            raise RegistryFault(f"nothing was changed: {error}") from None
        with self._file.writing() as connection:
            known = _find(connection, domain, name) is not None
            connection.execute(
                "INSERT INTO callbridge (domain, name, secret, expires) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (domain, name) "
                "DO UPDATE SET secret = excluded.secret, expires = excluded.expires",
                (domain, name, secret, expires),
            )
        return not known

    def give_out(self, domain: str, name: str, expires: int) -> Known | None:
        """Answer what goes into a join file that is good until ``expires``; None: no such name.

        A secret that nobody has used yet gives way to a new one, which expires: what stood in an
        earlier join file counts no more. One that was used stays: others know it, too.
        """
        name = normal_name(name)
        with self._file.writing() as connection:
            known = _find(connection, domain, name)
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
        with self._file.writing() as connection:
            gone = connection.execute(
                "DELETE FROM callbridge WHERE domain = ? AND name = ?", (domain, name)
            )
        with self._file.faults():
            # The journal still has the secret, and would keep it as long as the daemon runs.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone.rowcount > 0

    def find(self, domain: str, name: str) -> Known | None:
        """Answer what is known of ``name``, spelt normally, or None where there is nothing."""
        with self._file.reading() as connection:
            return None if connection is None else _find(connection, domain, name)

    def secret(self, domain: str, name: str) -> str | None:
        """Answer the secret of ``name``, spelt normally, or None where there is none."""
        known = self.find(domain, name)
        return None if known is None else known.secret

    def names(self, domain: str) -> list[str]:
        """Answer all names of a domain in order."""
        query = "SELECT name FROM callbridge WHERE domain = ? ORDER BY 1"
        with self._file.reading() as connection:
            rows = [] if connection is None else connection.execute(query, (domain,)).fetchall()
        return [str(name) for (name,) in rows]

    def domains(self) -> list[str]:
        """Answer all domains that have names, in order; they need not be served any more."""
        with self._file.reading() as connection:
            if connection is None:
                return []
            query = "SELECT DISTINCT domain FROM callbridge ORDER BY 1"
            return [str(domain) for (domain,) in connection.execute(query)]


def _find(connection: sqlite3.Connection, domain: str, name: str) -> Known | None:
    query = "SELECT secret, expires FROM callbridge WHERE domain = ? AND name = ?"
    row = connection.execute(query, (domain, name)).fetchone()
    return None if row is None else Known(str(row[0]), row[1])


def _make_secret() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)
