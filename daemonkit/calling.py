"""The control socket, a ctl command's end: ask a running daemon, without a reactor."""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

#: Bytes in an answer's line.
MAX_ANSWER = 64 * 1024 * 1024


class CommandError(Exception):
    """A command could not be done, for a reason that the operator can understand and mend."""


class NotRunning(Exception):
    """The daemon cannot be reached over its control socket.

    ``why`` is a sentence, ``remedy`` another. ``down`` is True where it is certain that no daemon
    holds the socket, False where one may well run (no permission, or no answer).
    """

    def __init__(self, path: Path, why: str, remedy: str = "", *, down: bool = False) -> None:
        super().__init__(f"{why} {remedy}".strip())
        self.path = path
        self.why = why
        self.remedy = remedy
        self.down = down


def call(path: Path, command: str, timeout: float = 10.0, **arguments: object) -> Any:
    """Ask the daemon, wait for its answer and answer the result. Blocks: for ctl commands.

    ``timeout``: seconds for the whole exchange.

    Raises:
        NotRunning: nobody answers there, with a remedy.
        CommandError: the daemon refuses; the text is the daemon's.
    """
    deadline = time.monotonic() + timeout
    request = json.dumps({"command": command, "arguments": arguments}).encode() + b"\n"
    try:
        line = _exchange(path, request, deadline)
        answer = json.loads(line)
        if answer["ok"]:
            return answer["result"]
        text = str(answer["error"])
    except TimeoutError:
        raise NotRunning(
            path,
            f"The daemon has not answered on {path} within {timeout:g} s.",
            "Look at its log, and at whether it is stopped or overloaded.",
        ) from None
    except OSError as error:
        raise _unreachable(path, error) from None
    except (ValueError, LookupError, TypeError):
        raise NotRunning(
            path,
            f"What answers on {path} broke off, or is not this program's daemon.",
            "Look at the daemon's log, and check control_socket.",
        ) from None
    raise CommandError(text)


def _exchange(path: Path, request: bytes, deadline: float) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_left(deadline))
        connection.connect(os.fspath(path))
        connection.sendall(request)
        received = bytearray()
        while not received.endswith(b"\n") and len(received) < MAX_ANSWER:
            connection.settimeout(_left(deadline))
            more = connection.recv(65536)
            if not more:
                break
            received += more
        return bytes(received)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _unreachable(path: Path, error: OSError) -> NotRunning:
    if error.errno == errno.ENOENT:
        why = f"The daemon is not running: there is no control socket {path}."
        return NotRunning(path, why, "Start it, or check control_socket and --config.", down=True)
    if error.errno == errno.ECONNREFUSED:
        why = f"The daemon is not running: nobody answers on {path}."
        return NotRunning(path, why, "Start it; its log says why it ended.", down=True)
    if error.errno in (errno.EACCES, errno.EPERM):
        why = f"This user may not open the control socket {path}."
        return NotRunning(path, why, "Run this as root (sudo), or as the daemon's user.")
    why = f"The control socket {path} cannot be used: {error.strerror or error}."
    return NotRunning(path, why, "Check control_socket.")
