"""A program on a terminal of its own, which a test types on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


class Terminal:
    """Runs ``command``; what it shows is read, and only kept for a failed test to tell."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._shown = b""
        self._child = subprocess.Popen(
            list(map(str, command)),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", **environment},
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def shown(self) -> str:
        """The last of what it has shown, escape sequences and all."""
        return repr(self._shown[-2000:])

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def type(self, line: str) -> None:
        """One line, and Enter."""
        os.write(self._ours, line.encode() + b"\r")

    def wait(self, deadline: float) -> int:
        return self._child.wait(deadline)

    def close(self) -> None:
        """End it if it still runs."""
        self._child.kill()
        self._child.wait()
        self._reader.join()
        os.close(self._ours)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # its end, once the program has closed it
            while data := os.read(self._ours, 65536):
                self._shown = (self._shown + data)[-100_000:]
