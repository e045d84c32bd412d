"""journald's native protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.

One datagram is one entry. A value of several lines is written with its length, so that nothing
within it can be taken for another field.
"""

from __future__ import annotations

import os
import socket
import stat
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from struct import pack

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import LogLevel

from daemonkit.logging.line import Line

SOCKET = Path("/run/systemd/journal/socket")

#: Entries that wait for a journald that is behind or away, and seconds between attempts. Its socket
#: may have a queue of no more than ten (``net.unix.max_dgram_qlen``).
MAX_LATER = 1000
RETRY = 0.1

#: Of syslog(3).
PRIORITIES = {
    LogLevel.critical: 2,
    LogLevel.error: 3,
    LogLevel.warn: 4,
    LogLevel.info: 6,
    LogLevel.debug: 7,
}


class JournalSink:
    """Sends lines to journald, and never waits for it: what it does not take yet is sent later."""

    def __init__(
        self, clock: IReactorTime, identifier: str, prefix: str, path: Path = SOCKET
    ) -> None:
        """``identifier``: ``SYSLOG_IDENTIFIER``; ``prefix``: of our own fields, like ``XMPP_``."""
        self._clock = clock
        self._path = os.fspath(path)
        self._identifier = identifier
        self._prefix = prefix
        self._later: deque[bytes] = deque()
        self._retry: IDelayedCall | None = None
        # Not connected: a journald that was restarted may have another socket.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def write(self, line: Line) -> None:
        """Send one entry, now or later. Raises OSError where too many wait for that."""
        if len(self._later) >= MAX_LATER:
            self._socket.sendto(self._later[0], self._path)
            self._later.popleft()
        self._later.append(entry(line, self._identifier, self._prefix))
        self._send()

    def _send(self) -> None:
        try:
            while self._later:
                self._socket.sendto(self._later[0], self._path)
                self._later.popleft()
        except OSError:  # journald is behind, or away
            if self._retry is None:
                self._retry = self._clock.callLater(RETRY, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._send()

    def close(self) -> None:
        """Close the socket. What was not sent is lost."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._socket.close()


def entry(line: Line, identifier: str, prefix: str) -> bytes:
    """Answer the datagram of a line; fields of ours are upper case, with ``prefix``."""
    fields = {
        "MESSAGE": f"{line.said}\n{line.traceback}" if line.traceback else line.said,
        "PRIORITY": str(PRIORITIES[line.level]),
        "SYSLOG_IDENTIFIER": identifier,
        f"{prefix}EVENT": line.event.name,
    }
    if line.event.meaning:
        fields["MESSAGE_ID"] = line.event.message_id.hex
    fields |= {f"{prefix}{name.upper()}": value for name, value in line.fields.items()}
    return b"".join(_field(name.encode(), value) for name, value in fields.items())


def _field(name: bytes, value: str) -> bytes:
    data = value.encode("utf-8", "replace")
    if b"\n" in data:
        return b"%s\n%s%s\n" % (name, pack("<Q", len(data)), data)
    return b"%s=%s\n" % (name, data)


def is_output(environment: Mapping[str, str]) -> bool:
    """True where what we print goes to journald: ``$JOURNAL_STREAM`` of systemd.exec(5)."""
    stream = environment.get("JOURNAL_STREAM", "")
    return any(stream == _identity(descriptor) for descriptor in (1, 2))


def is_there(path: Path = SOCKET) -> bool:
    """True where journald, or systemd in its place, listens."""
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def check_there(path: Path) -> None:
    """Raises ValueError, with a sentence, where journald is not there."""
    if not is_there(path):
        raise ValueError(f"there is no journald here: no {path}. Choose stderr, or a file.")


def _identity(descriptor: int) -> str:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return ""
    return f"{found.st_dev}:{found.st_ino}"
