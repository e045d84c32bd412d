"""journald's socket, in a place that only some daemons see: what they send there is kept."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from tests.daemonkit.logging.test_places import parsed
from tests.support.waiting import wait_until

#: Where a daemon runs that finds the directory ``$0`` where journald's is; it ends with that.
_WITH_JOURNAL = (
    "mount -t tmpfs run /run && mkdir -p /run/systemd/journal && "
    'mount --bind "$0" /run/systemd/journal && exec "$@"'
)


def view(place: Path) -> list[str]:
    """What stands before a command that finds in the directory ``place`` what journald has."""
    return ["unshare", "--mount", "sh", "-c", _WITH_JOURNAL, str(place)]


class Journal:
    """What journald does: reads what comes, and keeps it."""

    def __init__(self, path: Path) -> None:
        self.entries: list[dict[str, str]] = []
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while data := self._socket.recv(65536):
            self.entries.append({name: one.decode() for name, one in parsed(data).items()})

    def close(self) -> None:
        if self._path.exists():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", str(self._path))
            self._reader.join()
            self._socket.close()
            self._path.unlink()

    def wait_for(self, **fields: str) -> dict[str, dict[str, str]]:
        """An entry of both daemons with these fields, by who has sent it."""

        def probe() -> dict[str, dict[str, str]] | None:
            found = {
                entry["SYSLOG_IDENTIFIER"]: entry
                for entry in list(self.entries)
                if fields.items() <= entry.items()
            }
            return found if len(found) == 2 else None

        return wait_until(f"{fields} of both daemons", probe, explain=lambda: str(self.entries))
